"""The list of models: merging, order, default, and metadata by prefix."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models import (
    SCRIPTED_PROVIDER,
    InputModality,
    ListedModel,
    ModelInfo,
    ModelPreset,
    Visibility,
    find_model_info,
)
from actors.models.catalog import find_by_prefix, longest_first
from actors.models.known_models import KnownModels
from actors.models.model_list import EffortChoice, default_preset, list_presets, merge_models
from actors.models.presets import bundled_models
from messages.settings import ReasoningEffort
from tests.models.model_lists import OPENAI, OTHER, TEN_BYTES, entry, listed, slugs

NAMES = st.text("ab", min_size=1, max_size=3)


def model(slug: str, **values: Any) -> ListedModel:
    info = ModelInfo(slug=slug, truncation_policy=TEN_BYTES)
    return ListedModel(info=info, display_name=slug, **values)


MODELS = st.lists(
    st.builds(
        model,
        NAMES,
        visibility=st.sampled_from(Visibility),
        priority=st.integers(0, 3),
        supported_in_api=st.booleans(),
        description=st.text("xyz", max_size=2),
    ),
    max_size=6,
)


# --- what this version brings -------------------------------------------------


def test_own_list_has_codex_models_in_its_order() -> None:
    """Four for the picker, the others hidden, one default."""
    presets = KnownModels(provider=OPENAI).presets(chatgpt=False)

    assert slugs(presets) == [
        "gpt-5.3-codex",
        "gpt-5.2-codex",
        "gpt-5.1-codex-max",
        "gpt-5.1-codex",
        "gpt-5.2",
        "gpt-5.1",
        "gpt-5-codex",
        "gpt-5",
        "gpt-5.1-codex-mini",
        "gpt-5-codex-mini",
    ]
    assert slugs(preset for preset in presets if not preset.hidden) == [
        "gpt-5.2-codex",
        "gpt-5.1-codex-max",
        "gpt-5.2",
        "gpt-5.1-codex-mini",
    ]
    assert slugs(preset for preset in presets if preset.is_default) == ["gpt-5.2-codex"]


def test_preset_says_what_a_picker_shows() -> None:
    """Efforts come with their descriptions, the least first."""
    (preset,) = (
        preset
        for preset in KnownModels(provider=OPENAI).presets(chatgpt=False)
        if preset.model == "gpt-5.1-codex-mini"
    )

    efforts = preset.supported_efforts
    assert [effort for effort, description in efforts if description] == ["medium", "high"]
    assert preset == ModelPreset(
        id="gpt-5.1-codex-mini",
        model="gpt-5.1-codex-mini",
        display_name="gpt-5.1-codex-mini",
        description=preset.description,
        default_effort=ReasoningEffort("medium"),
        supported_efforts=efforts,
        is_default=False,
        hidden=False,
        supports_personality=True,
        input_modalities=(InputModality.TEXT, InputModality.IMAGE),
        upgrade="gpt-5.2-codex",
    )
    assert preset.description


def test_every_upgrade_is_a_model_that_pickers_show() -> None:
    """Nobody is sent to a model that is hidden or that has a successor itself."""
    own = {model.slug: model for model in bundled_models(OPENAI)}

    for upgrade in {model.upgrade for model in own.values()} - {None}:
        assert (own[upgrade].visibility, own[upgrade].upgrade) == (Visibility.LIST, None)


def test_every_listed_model_supports_its_default_effort() -> None:
    """Or a client would offer what it cannot choose."""
    for own in bundled_models(OPENAI):
        assert own.info.default_effort in own.info.supported_efforts
        assert tuple(effort for effort, _ in own.efforts) == own.info.supported_efforts


def test_scripted_provider_lists_its_own_model_only() -> None:
    """What it cannot play it does not offer."""
    (preset,) = KnownModels(provider=SCRIPTED_PROVIDER).presets(chatgpt=False)

    assert (preset.model, preset.is_default, preset.hidden) == ("scripted", True, False)


def test_model_without_efforts_has_none_as_its_default() -> None:
    """The word of the protocol for that."""
    (preset,) = list_presets([model("m")], chatgpt=False)

    assert (preset.default_effort, preset.supported_efforts) == ("none", ())


# --- merging ------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=50)
@given(MODELS, MODELS)
def test_merging_replaces_what_is_named_and_appends_the_rest(
    ours: list[ListedModel], theirs: list[ListedModel]
) -> None:
    """The rule of the dossier, one entry at a time."""
    expected: list[ListedModel] = []
    for one in (*ours, *theirs):
        places = [place for place, known in enumerate(expected) if known.slug == one.slug]
        if places:
            expected[places[0]] = one
        else:
            expected.append(one)

    assert merge_models(ours, theirs) == tuple(expected)


def test_model_that_the_server_forgets_vanishes_but_ours_stays() -> None:
    """Each answer is merged into our own list, not into the last answer."""
    first = KnownModels(provider=OPENAI, told=listed(entry("new"), entry("gpt-5", priority=0)))
    second = attrs.evolve(first, told=())

    assert {"new", "gpt-5"} < {*slugs(first.listed)}
    assert "new" not in slugs(second.listed)
    assert second.listed == bundled_models(OPENAI)


def test_answer_of_another_provider_is_the_whole_list() -> None:
    """OpenAI's models are not offered where they are not; until it answers they may be."""
    before = KnownModels(provider=OTHER)
    after = attrs.evolve(before, told=listed(entry("llama"), entry("qwen"), entry("llama")))

    assert slugs(before.listed) == slugs(bundled_models(OPENAI))
    assert slugs(after.listed) == ["llama", "qwen"]
    assert after.model_info("gpt-5.2") == find_model_info("gpt-5.2")


# --- order and default ----------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=50)
@given(MODELS, st.booleans(), st.none() | NAMES)
def test_list_follows_the_rules(
    models: list[ListedModel], chatgpt: bool, preferred: str | None
) -> None:
    """By priority, filtered by login, hidden ones kept, one default."""
    models = list(merge_models((), models))

    presets = list_presets(models, chatgpt=chatgpt, preferred=preferred)

    usable = [one for one in models if chatgpt or one.supported_in_api]
    assert slugs(presets) == [
        one.slug for priority in range(4) for one in usable if one.priority == priority
    ]
    assert {preset.model for preset in presets if preset.hidden} == {
        one.slug for one in usable if one.visibility is not Visibility.LIST
    }
    candidates = [
        *(preset for preset in presets if preset.model == preferred),
        *(preset for preset in presets if not preset.hidden),
        *presets,
    ]
    assert [preset for preset in presets if preset.is_default] == candidates[:1]
    assert default_preset(presets) == (candidates[0] if candidates else None)


def test_hidden_model_stays_in_the_list_and_is_not_the_default() -> None:
    """Even when it comes first."""
    presets = list_presets(
        listed(entry("secret", visibility="hide", priority=0), entry("open")), chatgpt=True
    )

    assert [(one.model, one.hidden, one.is_default) for one in presets] == [
        ("secret", True, False),
        ("open", False, True),
    ]


def test_first_hidden_model_is_the_default_when_all_are_hidden() -> None:
    """Somebody must be."""
    presets = list_presets(listed(entry("a", visibility="none")), chatgpt=False)

    assert [(one.model, one.is_default) for one in presets] == [("a", True)]


# --- metadata -------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(NAMES, unique=True), st.text("ab", max_size=5))
def test_longest_prefix_decides(known: list[str], asked: str) -> None:
    """Against the definition."""
    infos = [
        ModelInfo(slug=slug, context_window=number, truncation_policy=TEN_BYTES)
        for number, slug in enumerate(known, start=1)
    ]
    prefixes = [info for info in infos if asked.startswith(info.slug)]
    longest = max(prefixes, key=lambda info: len(info.slug), default=find_model_info(asked))

    assert find_by_prefix(asked, longest_first(infos)) == attrs.evolve(longest, slug=asked)


def test_told_metadata_go_before_ours() -> None:
    """Also for names that only begin so; a longer one of ours still counts."""
    known = KnownModels(provider=OPENAI, told=listed(entry("gpt-5.2", context_window=7)))

    assert known.model_info("gpt-5.2-x").context_window == 7
    assert known.model_info("gpt-5.2-codex-x") == find_model_info("gpt-5.2-codex-x")
    assert known.model_info("who") == find_model_info("who")


@pytest.mark.parametrize(
    ("supported", "default", "wanted", "fitting"),
    [
        ("low medium high", "medium", "high", "high"),
        ("low medium high", "medium", "xhigh", "medium"),
        ("low medium high xhigh", "low", "none", "medium"),
        ("medium high", "high", "low", "medium"),
        ("", "high", "low", "high"),
        ("", None, "low", None),
        ("low", "low", None, None),
    ],
)
def test_effort_for_another_model_fits_this_one(
    supported: str, default: str | None, wanted: str | None, fitting: str | None
) -> None:
    """Kept, or the middle, or the default; None stays the model's own."""
    info = ModelInfo(
        slug="m",
        truncation_policy=TEN_BYTES,
        default_effort=None if default is None else ReasoningEffort(default),
        supported_efforts=tuple(map(ReasoningEffort, supported.split())),
    )

    assert info.fit_effort(None if wanted is None else ReasoningEffort(wanted)) == fitting


def test_effort_choice_is_a_pair() -> None:
    """As on the wire."""
    assert EffortChoice(ReasoningEffort("low"), "quick") == ("low", "quick")
