"""What this version does not know, or would write differently, is carried along."""

from typing import Any

import attrs
import pytest

from messages.codec import encode, from_json, to_json
from messages.codec.presence import ABSENT
from messages.errors import EncodeError
from messages.events import EventMsg, ItemCompleted, TokenCount, TurnStarted, UnknownEvent
from messages.items import Message, ReasoningItem, ReasoningText, ResponseItem, Text, UnknownItem
from messages.ops import KEEP, Op, OverrideTurnContext, UnknownOp, UserInput
from messages.rollout import SessionMeta
from messages.settings import (
    SandboxPolicy,
    SourceKind,
    SubAgentKind,
    SubAgentOther,
    SubAgentThreadSpawn,
    SubAgentWrapper,
    UnknownSandbox,
    WorkspaceWrite,
)

META: dict[str, Any] = {
    "id": "t",
    "timestamp": "2026-02-11T09:30:00.000Z",
    "cwd": "/w",
    "originator": "o",
    "cli_version": "1",
    "source": "cli",
    "model_provider": None,
    "base_instructions": None,
}


@pytest.mark.parametrize(
    ("union", "cls"),
    [
        (EventMsg, UnknownEvent),
        (ResponseItem, UnknownItem),
        (Op, UnknownOp),
        (SandboxPolicy, UnknownSandbox),
    ],
)
def test_variant_is_carried_along_when_its_tag_is_not_known(union: Any, cls: type) -> None:
    """A newer program's words go through unread."""
    raw = {"type": "brand_new", "depth": [1, {"a": None}], "type2": True}

    value = from_json(raw, union)

    assert value == cls(tag="brand_new", raw=raw)
    assert to_json(value) == raw


def test_variants_are_carried_along_wherever_they_are() -> None:
    """Unknown parts do not make the whole unknown."""
    item = {"type": "Hologram", "id": "i"}
    raw = {"type": "item_completed", "thread_id": "t", "turn_id": "u", "item": item}

    value = from_json(raw, EventMsg)

    assert isinstance(value, ItemCompleted)
    assert to_json(value) == raw


def test_members_are_carried_along_when_their_names_are_not_known() -> None:
    """Members of a newer program stay with their value, at every level."""
    raw = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "a", "spans": [1]}],
        "passthrough": {"a": 1},
    }

    value = from_json(raw, ResponseItem)

    assert value.extra == {"passthrough": {"a": 1}}
    assert value.content[0].extra == {"spans": [1]}
    assert to_json(value) == raw


def test_unknown_tags_are_not_remembered() -> None:
    """A hostile file cannot make the tables grow."""
    from messages.codec.assembly import the_codec

    union = the_codec().tagged_union(EventMsg)
    assert union is not None
    from_json({"type": "warning", "message": ""}, EventMsg)
    known = len(union.readers)

    for number in range(100):
        from_json({"type": f"new{number}"}, EventMsg)

    assert len(union.readers) == known


def test_null_is_written_back_when_we_would_leave_it_out() -> None:
    """A null that came stays, until the field is given a value."""
    raw = {"type": "message", "role": "user", "content": [], "phase": None, "id": None}

    value = from_json(raw, ResponseItem)

    assert value.extra == {"phase": None, "id": None}
    assert to_json(value) == raw
    assert to_json(attrs.evolve(value, id="m")) == {**raw, "id": "m"}


def test_missing_member_stays_missing_when_we_would_write_it() -> None:
    """A member that was not there is not added, until the field is given a value."""
    value = from_json({"type": "token_count"}, EventMsg)

    assert value == TokenCount(extra={"info": ABSENT, "rate_limits": ABSENT})
    assert to_json(value) == {"type": "token_count"}
    assert to_json(from_json({"type": "task_started", "turn_id": "u"}, EventMsg)) == {
        "type": "task_started",
        "turn_id": "u",
    }
    changed = attrs.evolve(
        from_json({"type": "task_started", "turn_id": "u"}, EventMsg), model_context_window=5
    )
    assert isinstance(changed, TurnStarted)
    assert to_json(changed) == {"type": "task_started", "turn_id": "u", "model_context_window": 5}


def test_default_is_written_back_when_we_would_leave_it_out() -> None:
    """An empty list that came stays, until the field is given a value."""
    raw = {
        "type": "workspace-write",
        "writable_roots": [],
        "network_access": False,
        "exclude_tmpdir_env_var": False,
        "exclude_slash_tmp": False,
    }

    value = from_json(raw, SandboxPolicy)

    assert isinstance(value, WorkspaceWrite)
    assert to_json(value) == raw
    assert to_json(attrs.evolve(value, writable_roots=("/a",))) == {**raw, "writable_roots": ["/a"]}


@pytest.mark.parametrize("content", [[], [{"type": "text", "text": "t"}]])
def test_reasoning_content_is_written_back_when_codex_would_drop_it(content: Any) -> None:
    """Content without a part of the newer kind is left out by us, and kept when it came."""
    raw = {"type": "reasoning", "summary": [], "content": content, "encrypted_content": None}

    value = from_json(raw, ResponseItem)

    assert to_json(value) == raw
    assert to_json(attrs.evolve(value, content=None)) == {**raw, "content": None}
    assert "content" not in to_json(attrs.evolve(value, content=(Text(text="other"),)))
    newer = (ReasoningText(text="r"),)
    assert to_json(attrs.evolve(value, content=newer))["content"] == [
        {"type": "reasoning_text", "text": "r"}
    ]


def test_reasoning_content_stays_missing_when_it_was() -> None:
    """Codex leaves content out where it means something else than null."""
    raw = {"type": "reasoning", "summary": [], "encrypted_content": None}

    value = from_json(raw, ResponseItem)

    assert value == ReasoningItem(extra={"content": ABSENT})
    assert to_json(value) == raw
    assert to_json(ReasoningItem()) == {**raw, "content": None}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("cli", SourceKind.CLI),
        ("unknown", SourceKind.UNKNOWN),
        ("toaster", SourceKind.UNKNOWN),
        (5, SourceKind.UNKNOWN),
        (None, SourceKind.UNKNOWN),
        ({"subagent": "review"}, SubAgentWrapper(subagent=SubAgentKind.REVIEW)),
        ({"subagent": "toaster"}, SourceKind.UNKNOWN),
        ({"subagent": "review", "more": 1}, SourceKind.UNKNOWN),
        ({"subagent": {"other": "x"}}, SubAgentWrapper(subagent=SubAgentOther(other="x"))),
        ({"subagent": {"other": 1}}, SourceKind.UNKNOWN),
        ({"subagent": {"toaster": {}}}, SourceKind.UNKNOWN),
        ({"subagent": {"thread_spawn": {"depth": 1}}}, SourceKind.UNKNOWN),
        (
            {"subagent": {"thread_spawn": {"parent_thread_id": "p", "depth": True}}},
            SourceKind.UNKNOWN,
        ),
        (
            {"subagent": {"thread_spawn": {"parent_thread_id": "p", "depth": 1, "role": "r"}}},
            SubAgentWrapper(
                subagent=SubAgentThreadSpawn(
                    parent_thread_id="p",  # type: ignore[arg-type]  # an id is text
                    depth=1,
                    extra={"role": "r"},
                )
            ),
        ),
        ({"internal": "memory"}, SourceKind.UNKNOWN),
    ],
)
def test_source_is_read_as_unknown_and_written_back_when_it_is_new(source: Any, value: Any) -> None:
    """A rollout from a newer kind of program still loads, and stays as it was."""
    raw = {**META, "source": source}

    meta = from_json(raw, SessionMeta)

    assert meta.source == value
    assert to_json(meta) == raw
    assert to_json(attrs.evolve(meta, source=SourceKind.EXEC)) == {**META, "source": "exec"}


def test_source_is_the_default_of_codex_when_it_is_missing() -> None:
    """Old files do not say who began them."""
    raw = {name: member for name, member in META.items() if name != "source"}

    meta = from_json(raw, SessionMeta)

    assert meta.source is SourceKind.VSCODE
    assert to_json(meta) == raw


@pytest.mark.parametrize("tools", [None, []])
def test_dynamic_tools_are_none_when_null_or_empty(tools: Any) -> None:
    """Null and the empty list mean the same, and stay what they were."""
    raw = {**META, "dynamic_tools": tools}

    meta = from_json(raw, SessionMeta)

    assert meta.dynamic_tools == ()
    assert to_json(meta) == raw


def test_effort_is_kept_cleared_or_set() -> None:
    """A missing member leaves the effort as it is; null takes it away."""
    raw = {"type": "override_turn_context"}

    assert from_json(raw, Op) == OverrideTurnContext(effort=KEEP)
    assert from_json({**raw, "effort": None}, Op) == OverrideTurnContext(effort=None)
    assert from_json({**raw, "effort": "low"}, Op).effort == "low"
    assert to_json(OverrideTurnContext()) == raw
    assert to_json(OverrideTurnContext(effort=None)) == {**raw, "effort": None}


def test_extra_is_written_beside_the_fields() -> None:
    """Who builds a value may add members; those of fields lose against the field."""
    value = Message(role="user", content=(), extra={"role": "system", "x": 1, "phase": None})

    assert to_json(value) == {
        "type": "message",
        "role": "user",
        "content": [],
        "x": 1,
        "phase": None,
    }


def test_extra_is_refused_when_it_does_not_fit_its_field() -> None:
    """A member that its field could not hold is a mistake of who built the value."""
    with pytest.raises(EncodeError, match="Message cannot be written as JSON: expected text"):
        to_json(Message(role="user", content=(), extra={"role": 5}))


def test_json_of_any_kind_is_carried_as_it_is() -> None:
    """Fields of free form keep numbers, order and nesting."""
    schema = {"b": [1, 1.0, None, {"a": True}], "a": {}}

    value = from_json({"type": "user_input", "items": [], "final_output_json_schema": schema}, Op)

    assert value == UserInput(items=(), final_output_json_schema=schema)
    assert encode(value) == (
        b'{"type":"user_input","items":[],"final_output_json_schema":'
        b'{"b":[1,1.0,null,{"a":true}],"a":{}}}'
    )
