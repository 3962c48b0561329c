"""JSON shapes of settings and of user input."""

from typing import cast

from ..content import (
    ImageInput,
    InputImage,
    InputText,
    LocalImageInput,
    MentionInput,
    OutputText,
    SkillInput,
    TextElement,
    TextInput,
)
from ..settings import (
    CollaborationSettings,
    DangerFullAccess,
    DynamicToolSpec,
    ExternalSandbox,
    FullReadAccess,
    ReadOnly,
    RestrictedReadAccess,
    SourceKind,
    SubAgentKind,
    SubAgentThreadSpawn,
    WorkspaceWrite,
)
from ..value import Json
from .scalars import only_member
from .shape import Shape, Shapes

__all__ = ["SETTING_SHAPES", "known_source"]

_SOURCES = frozenset(kind.value for kind in SourceKind)
_SUB_AGENTS = frozenset(kind.value for kind in SubAgentKind)


def known_source(raw: Json) -> Json:
    """A session source as it came, or ``unknown`` for one that this version does not know."""
    if isinstance(raw, str):
        known = raw in _SOURCES
    else:
        known = _is_sub_agent(_sole_member(raw, "subagent"))
    return raw if known else SourceKind.UNKNOWN.value


def _is_sub_agent(raw: Json) -> bool:
    if isinstance(raw, str):
        return raw in _SUB_AGENTS
    if isinstance(_sole_member(raw, "other"), str):
        return True
    match _sole_member(raw, "thread_spawn"):
        case {"parent_thread_id": str(), "depth": int(depth)}:
            return not isinstance(depth, bool)
        case _:
            return False


def _sole_member(raw: Json, name: str) -> Json:
    """The only member of an object, if it has this name; else None."""
    return cast("dict[str, Json]", raw)[name] if only_member(raw) == name else None


SETTING_SHAPES: Shapes = {
    # user input and content parts
    TextElement: Shape(nulls=("placeholder",)),
    TextInput: Shape(tag="text"),
    ImageInput: Shape(tag="image"),
    LocalImageInput: Shape(tag="local_image"),
    SkillInput: Shape(tag="skill"),
    MentionInput: Shape(tag="mention"),
    InputText: Shape(tag="input_text"),
    InputImage: Shape(tag="input_image"),
    OutputText: Shape(tag="output_text"),
    # policies
    FullReadAccess: Shape(tag="full-access"),
    RestrictedReadAccess: Shape(tag="restricted", omitted=("readable_roots",)),
    DangerFullAccess: Shape(tag="danger-full-access"),
    ReadOnly: Shape(tag="read-only"),
    ExternalSandbox: Shape(tag="external-sandbox"),
    WorkspaceWrite: Shape(tag="workspace-write", omitted=("writable_roots",)),
    # the rest
    CollaborationSettings: Shape(nulls=("reasoning_effort", "developer_instructions")),
    SubAgentThreadSpawn: Shape(wrapper="thread_spawn"),
    DynamicToolSpec: Shape(names={"input_schema": "inputSchema"}),
}
