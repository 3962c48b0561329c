"""Lists of models from JSON and to JSON."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models import (
    InputModality,
    ListedModel,
    ModelInfo,
    PatchForm,
    Visibility,
    find_model_info,
    read_models,
)
from actors.models.model_list import EffortChoice
from actors.models.model_wire import write_model
from actors.models.presets import bundled_models
from messages.settings import (
    ReasoningEffort,
    TruncationMode,
    TruncationPolicy,
    Verbosity,
)
from tests.models.model_lists import OPENAI, TEN_BYTES, entry, listed, slugs

HIGH = ReasoningEffort("high")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)  # fmt: skip

WORDS = st.sampled_from(["list", "hide", "bytes", "tokens", "low", "text", "freeform", "m", ""])
FIELDS = st.sampled_from(sorted({*entry("m"), "auto_compact_token_limit", "input_modalities"}))


def one(**changes: Any) -> ListedModel:
    (model,) = listed(entry("m", **changes))
    return model


def test_entry_of_codex_is_read_whole() -> None:
    """Every member that means something to us."""
    (model,) = listed(
        entry(
            "m",
            auto_compact_token_limit=500,
            effective_context_window_percent=80,
            support_verbosity=True,
            default_verbosity="high",
            apply_patch_tool_type="function",
            truncation_policy={"mode": "tokens", "limit": 7},
            input_modalities=["text"],
            upgrade={"model": "n", "migration_markdown": "try it"},
            visibility="hide",
            supported_in_api=False,
        )
    )

    assert model == ListedModel(
        info=ModelInfo(
            slug="m",
            context_window=1000,
            effective_context_window_percent=80,
            auto_compact_token_limit=500,
            supports_reasoning_summaries=True,
            default_effort=HIGH,
            supported_efforts=(HIGH,),
            supports_verbosity=True,
            default_verbosity=Verbosity.HIGH,
            supports_parallel_tool_calls=True,
            apply_patch=PatchForm.FUNCTION,
            truncation_policy=TruncationPolicy(mode=TruncationMode.TOKENS, limit=7),
            input_modalities=(InputModality.TEXT,),
            base_instructions="be m",
        ),
        display_name="M",
        description="about m",
        efforts=(EffortChoice(HIGH, "deep"),),
        visibility=Visibility.HIDE,
        priority=1,
        supported_in_api=False,
        upgrade="n",
    )


def test_entry_that_names_a_model_only_gets_what_we_know_of_it() -> None:
    """The longest prefix, as ever."""
    (model,) = listed({"slug": "gpt-5.2-codex-x"})

    assert model.info == find_model_info("gpt-5.2-codex-x")
    assert (model.display_name, model.visibility) == ("gpt-5.2-codex-x", Visibility.LIST)
    assert tuple(effort for effort, _ in model.efforts) == model.info.supported_efforts


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_window", "wide"),
        ("context_window", 0),
        ("context_window", True),
        ("context_window", None),
        ("truncation_policy", {"mode": "lines", "limit": 3}),
        ("truncation_policy", {"mode": "bytes", "limit": -1}),
        ("truncation_policy", []),
        ("supports_parallel_tool_calls", "yes"),
        ("input_modalities", "text"),
        ("base_instructions", ""),
        ("effective_context_window_percent", 0),
    ],
)
def test_member_of_a_wrong_kind_counts_as_left_out(field: str, value: Any) -> None:
    """One mistake of a server costs one value."""
    whole = entry("m", **{field: value})
    without = {name: member for name, member in whole.items() if name != field}

    assert listed(whole) == listed(without)


def test_null_takes_away_what_may_be_missing() -> None:
    """For a model that we know with it."""
    (model,) = listed(
        entry("gpt-5.2-codex", apply_patch_tool_type=None, default_reasoning_level=None)
    )

    assert (model.info.apply_patch, model.info.default_effort) == (None, None)


def test_visibility_that_we_do_not_know_hides() -> None:
    """A newer word may mean anything; who knows the name can use the model."""
    assert one(visibility="beta").visibility is Visibility.HIDE


def test_unknown_modalities_are_left_out_and_text_is_always_there() -> None:
    """There is nothing else to tell a model."""
    assert one(input_modalities=["audio"]).info.input_modalities == (InputModality.TEXT,)
    assert one(input_modalities=["image", 7]).info.supports_images


def test_entries_without_a_name_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """The others count, and the log tells."""
    models = read_models({"models": [entry("a"), {"slug": ""}, {"slug": 3}, 7, entry("b")]})

    assert models is not None
    assert slugs(models) == ["a", "b"]
    assert "3 of 5 models have no name" in caplog.text


@pytest.mark.parametrize("body", [None, 7, [], {}, {"models": None}, {"models": {}}, {"data": []}])
def test_what_is_no_list_of_models_is_none(body: Any) -> None:
    """So that the caller can say so."""
    assert read_models(body) is None


def test_plain_list_will_do_where_the_caller_says_so() -> None:
    """What most servers answer; Codex's form goes first if it says something."""
    data = [{"id": "llama", "object": "model"}, {"id": "gpt-5-x"}]

    plain = read_models({"object": "list", "data": data}, plain=True)
    both = read_models({"data": data, "models": []}, plain=True)
    codex = read_models({"data": data, "models": [entry("a")]}, plain=True)

    assert plain == both
    assert [(model.slug, model.info) for model in plain or ()] == [
        ("llama", find_model_info("llama")),
        ("gpt-5-x", find_model_info("gpt-5-x")),
    ]
    assert slugs(codex) == ["a"]


def test_everything_of_ours_survives_writing() -> None:
    """With all members that Codex cannot do without."""
    written = [write_model(model) for model in bundled_models(OPENAI)]

    assert read_models({"models": written}) == bundled_models(OPENAI)
    for members in written:
        assert {*entry("m")} <= {*members}


def test_what_a_server_wrote_is_written_as_it_was() -> None:
    """Members of a newer version too."""
    told = entry("m", minimal_client_version=[0, 1, 0], upgrade={"model": "n", "x": [1]})

    (model,) = listed(told)

    assert {**write_model(model), **told} == write_model(model)


def test_plain_entry_is_written_in_codex_form() -> None:
    """Under the name that it is read by."""
    (model,) = read_models({"data": [{"id": "llama", "slug": 7}]}, plain=True) or ()

    assert read_models({"models": [write_model(model)]}) == (model,)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.dictionaries(FIELDS, JSON | WORDS | st.lists(WORDS)))
def test_no_entry_is_too_strange_to_be_read(members: dict[str, Any]) -> None:
    """Whatever it says, and what is read can be written and read again."""
    models = read_models({"models": [{**members, "slug": "m"}]})

    assert models is not None
    (model,) = models
    again = read_models(orjson.loads(orjson.dumps({"models": [write_model(model)]})))
    assert again == (attrs.evolve(model),)


@pytest.mark.slow
@settings(max_examples=50)
@given(JSON)
def test_no_body_is_too_strange_to_be_read(body: Any) -> None:
    """It is a list of models or none."""
    for value in (body, {"models": body}, {"data": body}, {"models": [body]}):
        assert read_models(value, plain=True) is None or read_models(value, plain=True) is not None


def test_truncation_of_an_entry_is_its_own() -> None:
    """Even where we know another."""
    assert one().info.truncation_policy == TEN_BYTES
