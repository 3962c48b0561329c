"""The list of models: what is in it, how lists are merged, and which is the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import NamedTuple

import attrs

from messages.settings import ReasoningEffort
from messages.value import Json

from .catalog import InputModality, ModelInfo

__all__ = [
    "EffortChoice",
    "ListedModel",
    "ModelPreset",
    "Visibility",
    "default_preset",
    "list_presets",
    "merge_models",
]

_NO_EFFORT = ReasoningEffort("none")


class Visibility(Enum):
    """Whether pickers show a model; who knows its name may use it all the same."""

    LIST = "list"
    HIDE = "hide"
    NONE = "none"


class EffortChoice(NamedTuple):
    """An effort that a model supports, and what it is good for; a pair, as on the wire."""

    effort: ReasoningEffort
    description: str


def _nothing() -> Mapping[str, Json]:
    return {}


@attrs.frozen(kw_only=True)
class ListedModel:
    """
    One model of a list.

    Attributes:
        info: What it can do; its slug is the model's name.
        display_name: For people.
        description: For people; may be empty.
        efforts: Those of *info*, with their descriptions.
        visibility: See there.
        priority: The least comes first.
        supported_in_api: Whether it answers to API keys, not only to ChatGPT accounts.
        upgrade: The model to use instead; None when it is up to date.
        raw: The entry as a server wrote it; empty for our own.

    Source:
        Codex, ``ModelInfo`` of its ``/models``.
    """

    info: ModelInfo
    display_name: str
    description: str = ""
    efforts: tuple[EffortChoice, ...] = ()
    visibility: Visibility = Visibility.LIST
    priority: int = 99
    supported_in_api: bool = True
    upgrade: str | None = None
    raw: Mapping[str, Json] = attrs.field(factory=_nothing, eq=False, repr=False)

    @property
    def slug(self) -> str:
        """The model's name."""
        return self.info.slug


@attrs.frozen(kw_only=True)
class ModelPreset:
    """
    A model as clients show it in a picker.

    Attributes:
        id: Unique in its list.
        model: What to put into a request.
        display_name: For people.
        description: For people; may be empty.
        default_effort: ``none`` for a model that takes none.
        supported_efforts: Least first; may be empty.
        is_default: Of exactly one in a list that is not empty.
        hidden: Not for pickers, except on demand.
        supports_personality:
            Always: we tell the tone in a message of its own, which any model reads.
        input_modalities: What it takes in.
        upgrade: The model to use instead; None when it is up to date.
    """

    id: str
    model: str
    display_name: str
    description: str
    default_effort: ReasoningEffort
    supported_efforts: tuple[EffortChoice, ...]
    is_default: bool
    hidden: bool
    supports_personality: bool
    input_modalities: tuple[InputModality, ...]
    upgrade: str | None


def merge_models(
    ours: Iterable[ListedModel], theirs: Iterable[ListedModel]
) -> tuple[ListedModel, ...]:
    """
    Bring what a server told into our own list.

    What it describes takes the place of ours, what we do not know comes behind.
    What it leaves out stays, so that an empty answer changes nothing; of two
    with one name the later counts.
    """
    merged = {model.slug: model for model in ours}
    merged.update((model.slug, model) for model in theirs)
    return tuple(merged.values())


def list_presets(
    models: Iterable[ListedModel], *, chatgpt: bool, preferred: str | None = None
) -> tuple[ModelPreset, ...]:
    """
    Make a list for clients, by priority; hidden models are in it too.

    Args:
        models: No two of one name; their order counts among equal priorities.
        chatgpt: With a ChatGPT account; without, only what API keys may use.
        preferred: The default, if it is in the list; otherwise the first that
            is not hidden, otherwise the first.

    Source:
        Codex, ``build_available_models``; it has no preferred one.
    """
    ordered = sorted(models, key=lambda model: model.priority)
    usable = [model for model in ordered if chatgpt or model.supported_in_api]
    default = _default(usable, preferred)
    return tuple(_preset(model, is_default=model is default) for model in usable)


def default_preset(presets: Iterable[ModelPreset]) -> ModelPreset | None:
    """Find the default in a list; None when the list is empty."""
    return next((preset for preset in presets if preset.is_default), None)


def _default(models: Sequence[ListedModel], preferred: str | None) -> ListedModel | None:
    named = (model for model in models if model.slug == preferred)
    shown = (model for model in models if model.visibility is Visibility.LIST)
    return next(chain(named, shown, models), None)


def _preset(model: ListedModel, *, is_default: bool) -> ModelPreset:
    return ModelPreset(
        id=model.slug,
        model=model.slug,
        display_name=model.display_name,
        description=model.description,
        default_effort=model.info.default_effort or _NO_EFFORT,
        supported_efforts=model.efforts,
        is_default=is_default,
        hidden=model.visibility is not Visibility.LIST,
        supports_personality=True,
        input_modalities=model.info.input_modalities,
        upgrade=model.upgrade,
    )
