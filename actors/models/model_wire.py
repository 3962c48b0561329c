"""Lists of models as servers and the cache file write them: from JSON and to JSON."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar, cast

import attrs

from messages.settings import ReasoningEffort, TruncationMode, TruncationPolicy, Verbosity
from messages.value import Json

from .catalog import InputModality, ModelInfo, PatchForm, find_model_info
from .model_list import EffortChoice, ListedModel, Visibility
from .presets import effort_choices

__all__ = ["read_models", "write_model"]

_logger = logging.getLogger("actors")

_Choice = TypeVar("_Choice", bound=Enum)

# What the field of a server's entry is called, and in which member entries are:
# Codex's form, and the plain one that every other server speaks.
_CODEX: Final = ("models", "slug")
_PLAIN: Final = ("data", "id")

_MAX_PERCENT: Final = 100
_MAX_PRIORITY: Final = 2**31  # Codex reads 32 bits


def read_models(body: Json, *, plain: bool = False) -> tuple[ListedModel, ...] | None:
    """
    Read a list of models, as far as it can be read.

    An entry says what it says; the rest is taken from what we know of a model of
    this name.  Members of a wrong kind count as left out, and an entry without
    a name is left out as a whole.

    Args:
        body: An object with ``models``.
        plain: Whether ``data`` with nothing but ids will do too.

    Returns:
        In the order of the list; None if *body* is no list of models.
    """
    members = _object(body)
    lists = [
        (cast("list[Json]", entries), name)  # members of JSON lists are JSON
        for member, name in ((_CODEX, _PLAIN) if plain else (_CODEX,))
        if isinstance(entries := members.get(member), list)
    ]
    if not lists:
        return None
    # Some servers write both; the one that says something counts.
    entries, name = next(((entries, name) for entries, name in lists if entries), lists[0])
    models = tuple(filter(None, (_model(_object(entry), name) for entry in entries)))
    if len(models) < len(entries):
        _logger.warning("%d of %d models have no name", len(entries) - len(models), len(entries))
    return models


def write_model(model: ListedModel) -> dict[str, Json]:
    """Write an entry with all members that Codex requires; what a server wrote stays as it was."""
    info = model.info
    ours: dict[str, Json] = {
        "slug": model.slug,
        "display_name": model.display_name,
        "description": model.description,
        "default_reasoning_level": info.default_effort,
        "supported_reasoning_levels": [
            {"effort": choice.effort, "description": choice.description} for choice in model.efforts
        ],
        "shell_type": "shell_command",
        "visibility": model.visibility.value,
        "supported_in_api": model.supported_in_api,
        "priority": model.priority,
        "upgrade": model.upgrade and {"model": model.upgrade, "migration_markdown": ""},
        "base_instructions": info.base_instructions,
        "supports_reasoning_summaries": info.supports_reasoning_summaries,
        "support_verbosity": info.supports_verbosity,
        "default_verbosity": info.default_verbosity and info.default_verbosity.value,
        "apply_patch_tool_type": info.apply_patch and info.apply_patch.value,
        "truncation_policy": {
            "mode": info.truncation_policy.mode.value,
            "limit": info.truncation_policy.limit,
        },
        "supports_parallel_tool_calls": info.supports_parallel_tool_calls,
        "context_window": info.context_window,
        "auto_compact_token_limit": info.auto_compact_token_limit,
        "effective_context_window_percent": info.effective_context_window_percent,
        "experimental_supported_tools": [],
        "input_modalities": [modality.value for modality in info.input_modalities],
    }
    return {**ours, **model.raw, "slug": model.slug}


def _model(entry: Mapping[str, Json], name: str) -> ListedModel | None:
    # Ours go into the file with a slug beside the server's id.
    slug = _text(entry, "slug") or _text(entry, name)
    if not slug:
        return None
    known = find_model_info(slug)
    efforts = _efforts(entry.get("supported_reasoning_levels"))
    info = _info(entry, known, efforts)
    return ListedModel(
        info=info,
        display_name=_text(entry, "display_name") or slug,
        description=_text(entry, "description") or "",
        efforts=effort_choices(info) if efforts is None else efforts,
        visibility=_visibility(entry),
        priority=_number(entry, "priority", 99, least=-_MAX_PRIORITY),
        supported_in_api=_flag(entry, "supported_in_api", default=True),
        upgrade=_text(_object(entry.get("upgrade")), "model"),
        raw=entry,
    )


def _info(
    entry: Mapping[str, Json], known: ModelInfo, efforts: tuple[EffortChoice, ...] | None
) -> ModelInfo:
    percent = _number(entry, "effective_context_window_percent", 95, least=1)
    summaries = _flag(
        entry, "supports_reasoning_summaries", default=known.supports_reasoning_summaries
    )
    return attrs.evolve(
        known,
        # Codex leaves the window out where it means none, and then never
        # compacts; a usual one is the better guess.
        context_window=_number(entry, "context_window", known.context_window, least=1),
        effective_context_window_percent=min(percent, _MAX_PERCENT),
        auto_compact_token_limit=_number(entry, "auto_compact_token_limit", None, least=1),
        supports_reasoning_summaries=summaries,
        default_effort=_default_effort(entry, known, efforts),
        supported_efforts=(
            known.supported_efforts
            if efforts is None
            else tuple(choice.effort for choice in efforts)
        ),
        supports_verbosity=_flag(entry, "support_verbosity", default=known.supports_verbosity),
        default_verbosity=_choice(entry, "default_verbosity", Verbosity, known.default_verbosity),
        supports_parallel_tool_calls=_flag(
            entry, "supports_parallel_tool_calls", default=known.supports_parallel_tool_calls
        ),
        apply_patch=_choice(entry, "apply_patch_tool_type", PatchForm, known.apply_patch),
        truncation_policy=_truncation(entry, known.truncation_policy),
        input_modalities=_modalities(entry, known.input_modalities),
        base_instructions=_text(entry, "base_instructions") or known.base_instructions,
    )


def _efforts(value: Json) -> tuple[EffortChoice, ...] | None:
    if not isinstance(value, list):
        return None
    choices = map(_object, cast("list[Json]", value))  # members of JSON lists are JSON
    return tuple(
        EffortChoice(ReasoningEffort(effort), _text(choice, "description") or "")
        for choice in choices
        if (effort := _text(choice, "effort"))
    )


def _default_effort(
    entry: Mapping[str, Json], known: ModelInfo, efforts: tuple[EffortChoice, ...] | None
) -> ReasoningEffort | None:
    if effort := _text(entry, "default_reasoning_level"):
        return ReasoningEffort(effort)
    # An entry that says which efforts there are would say its default too.
    return known.default_effort if efforts is None else None


def _visibility(entry: Mapping[str, Json]) -> Visibility:
    value = entry.get("visibility", Visibility.LIST.value)
    return next((known for known in Visibility if known.value == value), Visibility.HIDE)


def _truncation(entry: Mapping[str, Json], default: TruncationPolicy) -> TruncationPolicy:
    policy = _object(entry.get("truncation_policy"))
    mode = _choice(policy, "mode", TruncationMode, None)
    limit = _number(policy, "limit", None)
    if mode is None or limit is None:
        return default
    return TruncationPolicy(mode=mode, limit=limit)


def _modalities(
    entry: Mapping[str, Json], default: tuple[InputModality, ...]
) -> tuple[InputModality, ...]:
    value = entry.get("input_modalities")
    if not isinstance(value, list):
        return default
    told = cast("list[Json]", value)  # members of JSON lists are JSON
    # Whatever else it takes in, it is text that we have for it.
    return tuple(
        known for known in InputModality if known.value in told or known is InputModality.TEXT
    )


def _object(value: Json) -> Mapping[str, Json]:
    # Keys of JSON are strings.
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def _text(entry: Mapping[str, Json], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) else None


def _flag(entry: Mapping[str, Json], name: str, *, default: bool) -> bool:
    value = entry.get(name)
    return value if isinstance(value, bool) else default


_Number = TypeVar("_Number", int, "int | None")


def _number(
    entry: Mapping[str, Json], name: str, default: _Number, *, least: int = 0
) -> int | _Number:
    value = entry.get(name)
    # A bool is an int to Python, but not to anybody who writes JSON.
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        return default
    return value


def _choice(
    entry: Mapping[str, Json], name: str, kind: type[_Choice], default: _Choice | None
) -> _Choice | None:
    if name not in entry:
        return default
    return next((choice for choice in kind if choice.value == entry[name]), None)
