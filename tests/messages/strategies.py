"""Hypothesis strategies for all messages, made from the fields of their classes."""

import functools
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs
from hypothesis import strategies as st

from messages.events import AgentMessage, SessionConfigured, UserMessage
from messages.items import ReasoningItem, ReasoningText
from messages.rollout import RolloutLine
from messages.rpc.checks import absolute_paths
from messages.rpc.settings import SubAgentSessionSource
from messages.value import Seconds, Unknown, Value

__all__ = ["json_values", "messages_of", "unknown_members"]

NANOS = 1_000_000_000
TEXT = st.text(max_size=8)
INTEGERS = st.integers(min_value=0, max_value=2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PATHS = st.lists(TEXT.map("/{}".format), max_size=2).map(tuple)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | TEXT
# No name of a member or a tag begins like this.
FOREIGN_NAMES = TEXT.map("x-{}".format)

json_values: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
unknown_members = st.dictionaries(FOREIGN_NAMES, json_values, min_size=1, max_size=2)


@functools.cache
def messages_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of any type that a field can have."""
    if isinstance(kind, typing.NewType):
        return _durations() if kind is Seconds else messages_of(kind.__supertype__)
    if kind in _LEAVES:
        return _LEAVES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(messages_of, arguments))
    if origin is tuple:
        return st.lists(messages_of(arguments[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(TEXT, messages_of(arguments[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, Unknown):
        return _unknown(kind)
    return st.deferred(lambda: _objects(kind))


_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    object: json_values,
    types.NoneType: st.none(),
    str: TEXT,
    int: INTEGERS,
    bool: st.booleans(),
    float: FLOATS,
    bytes: st.binary(max_size=8),
}

# Fields whose type says less than their shape does.
_SPECIAL: dict[tuple[type, str], Any] = {
    # The type goes round in a circle.
    (SessionConfigured, "initial_messages"): tuple[AgentMessage | UserMessage, ...] | None,
    # Content without a part of the newer kind is left out.
    (ReasoningItem, "content"): tuple[ReasoningText, ...] | None,
    # Flat, and therefore huge.
    (RolloutLine, "item"): AgentMessage | ReasoningItem,
}


def _objects(cls: Any) -> st.SearchStrategy[Any]:
    fields = {
        field.name: PATHS
        if field.validator is absolute_paths
        else messages_of(_SPECIAL.get((cls, field.name), field.type))
        for field in attrs.fields(cls)
        if field.name != "extra"
    }
    if cls is ReasoningItem:
        fields["content"] = fields["content"].filter(lambda content: content != ())
    # Known by its only member, it can have no others.
    if issubclass(cls, Value) and cls is not SubAgentSessionSource:
        fields["extra"] = st.none() | unknown_members
    return st.builds(cls, **fields)


def _durations() -> st.SearchStrategy[Seconds]:
    seconds = st.integers(0, 2**21 - 1)
    nanos = st.integers(0, NANOS - 1)
    return st.builds(lambda secs, nanos: Seconds(secs + nanos / NANOS), seconds, nanos)


def _unknown(cls: type[Unknown]) -> st.SearchStrategy[Unknown]:
    def made(tag: str, members: dict[str, Any]) -> Unknown:
        return cls(tag=tag, raw={"type": tag, **members})

    return st.builds(made, FOREIGN_NAMES, unknown_members)
