"""What does not fit is refused, and the error says where and why."""

import copy
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from messages.codec import decode, from_json
from messages.codec.presence import ABSENT
from messages.content import TextInput, UserInputItem
from messages.errors import DecodeError, EncodeError, MessageError
from messages.events import CodexErrorInfo, EventMsg
from messages.items import FunctionCallOutput, GhostCommit, ResponseItem
from messages.ops import ExecApproval, Op
from messages.rollout import RolloutItem
from messages.settings import ReadOnlyAccess, SandboxPolicy, SubAgentSource, TruncationPolicy

from .golden_events import COMMAND, EVENTS

END: dict[str, Any] = next(raw for _, raw in EVENTS if raw["type"] == "exec_command_end")
MESSAGE: dict[str, Any] = {"type": "message", "role": "user", "content": []}
DURATION = "expected a duration of secs and nanos"


def input_of(*items: Any) -> dict[str, Any]:
    return {"type": "user_input", "items": list(items)}


def approval_of(decision: Any) -> dict[str, Any]:
    return {"type": "exec_approval", "id": "c1", "decision": decision}


def call_end(**members: Any) -> dict[str, Any]:
    call = {"call_id": "c", "invocation": {"server": "s", "tool": "t"}}
    return {"type": "mcp_tool_call_end", **call, "duration": {"secs": 0, "nanos": 0}, **members}


@pytest.mark.parametrize(
    ("raw", "union", "text"),
    [
        # kinds
        ({**MESSAGE, "role": 5}, ResponseItem, "expected text, got int 5 at $.role"),
        ({**MESSAGE, "role": None}, ResponseItem, "expected text, got null at $.role"),
        ({**MESSAGE, "role": ["u"]}, ResponseItem, "expected text, got a list at $.role"),
        ({**MESSAGE, "role": True}, ResponseItem, "expected text, got true at $.role"),
        ({**MESSAGE, "role": b"u"}, ResponseItem, "expected text, got a Python bytes at $.role"),
        ({**MESSAGE, "end_turn": 1}, ResponseItem, "expected true or false, got int 1 at $.end_turn"),
        ({**MESSAGE, "content": "hi"}, ResponseItem, "expected a list, got text 'hi' at $.content"),
        ({**MESSAGE, "content": {}}, ResponseItem, "expected a list, got an object at $.content"),
        ({**MESSAGE, "phase": "later"}, ResponseItem, "expected one of commentary, final_answer, got text 'later' at $.phase"),
        ({**MESSAGE, "phase": []}, ResponseItem, "expected one of commentary, final_answer, got a list at $.phase"),
        ({**END, "exit_code": "5"}, EventMsg, "expected a whole number, got text '5' at $.exit_code"),
        ({**END, "exit_code": True}, EventMsg, "expected a whole number, got true at $.exit_code"),
        ({**END, "exit_code": 5.0}, EventMsg, "expected a whole number, got float 5.0 at $.exit_code"),
        ({**END, "command": ["ls", 1]}, EventMsg, "expected text, got int 1 at $.command[1]"),
        ({**END, "command": "ls"}, EventMsg, "expected a list, got text 'ls' at $.command"),
        ({**END, "source": None}, EventMsg, "expected one of agent, user_shell, unified_exec_startup, unified_exec_interaction, got null at $.source"),
        # durations and bytes
        ({**END, "duration": 1.5}, EventMsg, f"{DURATION}, got float 1.5 at $.duration"),
        ({**END, "duration": {"secs": 1}}, EventMsg, f"{DURATION}, got an object at $.duration"),
        ({**END, "duration": {"secs": 1, "nanos": 1.0}}, EventMsg, f"{DURATION}, got an object at $.duration"),
        ({**END, "duration": {"secs": -1, "nanos": 1}}, EventMsg, f"{DURATION}, got an object at $.duration"),
        ({**END, "duration": {"secs": 1, "nanos": 10**9}}, EventMsg, f"{DURATION}, got an object at $.duration"),
        ({**END, "duration": {"secs": 1, "nanos": 1, "x": 1}}, EventMsg, f"{DURATION}, got an object at $.duration"),
        ({**END, "duration": {"secs": 2**40, "nanos": 1}}, EventMsg, "expected a duration that a float can hold, got an object at $.duration"),
        ({"type": "exec_command_output_delta", "call_id": "c", "stream": "stdout", "chunk": "a"}, EventMsg, "expected base64, got text 'a' at $.chunk"),
        ({"type": "exec_command_output_delta", "call_id": "c", "stream": "stdout", "chunk": "é"}, EventMsg, "expected base64, got text 'é' at $.chunk"),
        ({"type": "exec_command_output_delta", "call_id": "c", "stream": "stdout", "chunk": "/x=="}, EventMsg, "expected base64 without stray bits, got text '/x==' at $.chunk"),
        ({"type": "exec_command_output_delta", "call_id": "c", "stream": "stdout", "chunk": 1}, EventMsg, "expected text, got int 1 at $.chunk"),
        # missing members and tags
        ({"type": "message", "content": []}, ResponseItem, "required member is missing at $.role"),
        ({}, ResponseItem, "required member is missing at $.type"),
        ({"type": 1}, ResponseItem, "expected text, got int 1 at $.type"),
        ({"type": ["message"]}, ResponseItem, "expected text, got a list at $.type"),
        ([], ResponseItem, "expected an object, got a list at $"),
        (None, Op, "expected an object, got null at $"),
        ("interrupt", Op, "expected an object, got text 'interrupt' at $"),
        # paths into lists, objects and unions
        (input_of({"type": "image", "image_url": "u"}, {"type": "text", "text": 5}), Op, "expected text, got int 5 at $.items[1].text"),
        (input_of("hi"), Op, "expected an object, got text 'hi' at $.items[0]"),
        (input_of({"type": "text", "text": "", "text_elements": [{"byte_range": 1}]}), Op, "expected an object, got int 1 at $.items[0].text_elements[0].byte_range"),
        ({"type": "patch_apply_begin", "call_id": "c", "auto_approved": True, "changes": {"a": {"type": "add", "content": ""}, "/w/b c": {"type": "add"}}}, EventMsg, 'required member is missing at $.changes["/w/b c"].content'),
        ({"type": "patch_apply_begin", "call_id": "c", "auto_approved": True, "changes": []}, EventMsg, "expected an object, got a list at $.changes"),
        ({"type": "mcp_list_tools_response", "tools": {}, "resources": {}, "resource_templates": {}, "auth_statuses": {"a": 1}}, EventMsg, "expected text, got int 1 at $.auth_statuses.a"),
        # closed unions
        (approval_of("maybe"), Op, "expected one of approved, approved_for_session, denied, abort, got text 'maybe' at $.decision"),
        (approval_of({"maybe": 1}), Op, "expected an object with one of approved_execpolicy_amendment, got an object at $.decision"),
        (approval_of({}), Op, "expected an object with one of approved_execpolicy_amendment, got an object at $.decision"),
        (approval_of(5), Op, "expected an object with one of approved_execpolicy_amendment, got int 5 at $.decision"),
        (approval_of({"approved_execpolicy_amendment": {"proposed_execpolicy_amendment": [1]}}), Op, "expected text, got int 1 at $.decision.approved_execpolicy_amendment.proposed_execpolicy_amendment[0]"),
        (call_end(result={"Ok": {}, "Err": "no"}), EventMsg, "expected an object with one of Ok, Err, got an object at $.result"),
        (call_end(result="Ok"), EventMsg, "expected an object with one of Ok, Err, got text 'Ok' at $.result"),
        (call_end(result={"Err": 1}), EventMsg, "expected text, got int 1 at $.result.Err"),
        ({"type": "mcp_startup_update", "server": "s", "status": {"state": "new"}}, EventMsg, "expected one of starting, ready, cancelled, got text 'new' at $.status.state"),
        ({"type": "restricted", "readable_roots": "/"}, ReadOnlyAccess, "expected a list, got text '/' at $.readable_roots"),
        ({"type": "new-access"}, ReadOnlyAccess, "expected one of full-access, restricted, got text 'new-access' at $.type"),
        ({"type": "read-only", "access": 1}, SandboxPolicy, "expected an object, got int 1 at $.access"),
        ({"type": "elicitation_request", "server_name": "s", "id": 1.5, "message": ""}, EventMsg, "expected text or a whole number, got float 1.5 at $.id"),
        ({"type": "elicitation_request", "server_name": "s", "id": True, "message": ""}, EventMsg, "expected text or a whole number, got true at $.id"),
        ({"type": "function_call_output", "call_id": "c", "output": None}, ResponseItem, "expected text or a list, got null at $.output"),
        ({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text"}]}, ResponseItem, "required member is missing at $.output[0].text"),
        # classes by themselves
        ({"type": "image"}, TextInput, "expected one of text, got text 'image' at $.type"),
        ([], GhostCommit, "expected an object, got a list at $"),
        ({"http_status_code": 5}, CodexErrorInfo.__args__[1], "expected an object with http_connection_failed, got an object at $"),
        ({"mode": "tokens", "limit": -1}, TruncationPolicy, "'limit' must be >= 0: -1 at $"),
        ({"other": "a", "more": 1}, SubAgentSource.__args__[2], "expected no further members, got an object at $"),
        # containers by themselves
        ({"a": 1, "b": "c"}, Mapping[str, int], "expected a whole number, got text 'c' at $.b"),
        ([], Mapping[str, int], "expected an object, got a list at $"),
        ({"type": "dynamic_tool_response", "id": "c", "response": {"contentItems": "x", "success": True}}, Op, "expected a list, got text 'x' at $.response.contentItems"),
        ({"type": "dynamic_tool_response", "id": "c", "response": {"contentItems": [], "success": 1}}, Op, "expected true or false, got int 1 at $.response.success"),
        ([{"type": "text", "text": ""}, {"type": "text"}], tuple[UserInputItem, ...], "required member is missing at $[1].text"),
        ({}, tuple[UserInputItem, ...], "expected a list, got an object at $"),
        (1, str | None, "expected text, got int 1 at $"),
        ("x", bool, "expected true or false, got text 'x' at $"),
        ("x", float, "expected a number, got text 'x' at $"),
        (True, float, "expected a number, got true at $"),
        ({"id": "x"}, ExecApproval, "required member is missing at $.type"),
    ],
)  # fmt: skip
def test_decoding_says_where_and_why_when_json_does_not_fit(
    raw: Any, union: Any, text: str
) -> None:
    """Nothing is guessed or converted: the path and the two kinds are named."""
    with pytest.raises(DecodeError) as caught:
        from_json(raw, union)

    assert str(caught.value) == text


def test_error_shows_only_the_beginning_when_text_is_long() -> None:
    """An error stays one line."""
    with pytest.raises(DecodeError) as caught:
        from_json({**MESSAGE, "end_turn": "x" * 1000}, ResponseItem)

    assert caught.value.problem == (
        f"expected true or false, got text {'x' * 40!r}... of 1000 characters"
    )


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":\xff}', b"nope", b'"\\ud800"'])
def test_decoding_says_so_when_bytes_are_no_json(data: bytes) -> None:
    """Bytes that are no JSON in UTF-8 are no message."""
    with pytest.raises(DecodeError, match=r"no JSON: .* at \$"):
        decode(data, Op)


def test_decoding_says_so_when_json_is_nested_too_deep() -> None:
    """Depth costs an error, not the interpreter."""
    raw: Any = {"type": "session_configured"}
    for _ in range(5000):
        raw = {**SESSION, "initial_messages": [raw]}

    with pytest.raises(DecodeError, match="nested too deep"):
        from_json(raw, EventMsg)


SESSION: dict[str, Any] = next(raw for _, raw in EVENTS if raw["type"] == "session_configured")


def test_whole_numbers_stay_whole_where_any_number_will_do() -> None:
    """A whole number is a number; it is written back as it came."""
    window = {"used_percent": 5, "window_minutes": None, "resets_at": None}

    assert from_json(5, float) == 5
    assert type(from_json(5, float)) is int
    assert type(from_json(5.0, float)) is float
    limits = {"limit_id": None, "limit_name": None, "primary": window}
    event = from_json({"type": "token_count", "rate_limits": limits}, EventMsg)
    assert type(event.rate_limits.primary.used_percent) is int


def test_flat_union_of_records_is_refused_as_a_type() -> None:
    """Only a line says which kind a record is."""
    with pytest.raises(TypeError, match="no tag tells"):
        from_json({}, RolloutItem)


def test_containers_are_types_too() -> None:
    """What a field can hold can be asked for by itself."""
    parts = [{"type": "text", "text": "a"}]

    assert from_json({"a": 1}, Mapping[str, int]) == {"a": 1}
    assert from_json(parts, tuple[UserInputItem, ...]) == (
        TextInput(text="a", extra={"text_elements": ABSENT}),
    )
    assert from_json([True], tuple[bool, ...]) == (True,)
    assert from_json(None, str | None) is None


def test_output_may_be_text_or_parts() -> None:
    """Both forms of a tool's output are read."""
    raw = {"type": "function_call_output", "call_id": "c1"}

    assert from_json({**raw, "output": "done"}, ResponseItem) == FunctionCallOutput(
        call_id="c1", output="done"
    )
    assert from_json({**raw, "output": []}, ResponseItem).output == ()


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize(
    "error",
    [DecodeError("$.items[2].text", "expected text, got int 5"), EncodeError("Message", "no")],
)
def test_error_stays_whole_when_copied(
    error: MessageError, twin: Callable[[MessageError], MessageError]
) -> None:
    """Copies and pickles keep text and fields."""
    copied = twin(error)

    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


def test_command_of_the_examples_is_what_the_tests_change() -> None:
    """The examples above break a message that is whole."""
    assert from_json(END, EventMsg).command == tuple(COMMAND["command"])
