"""What has no JSON is refused by name, and nothing else is raised."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from messages.codec import encode, encode_line, encode_record, to_json
from messages.content import InputText
from messages.errors import EncodeError
from messages.events import (
    AgentMessage,
    DynamicToolCallRequest,
    McpCallFailed,
    McpInvocation,
    McpToolCallEnd,
    RateLimitWindow,
    ThreadRolledBack,
)
from messages.ids import CallId, TurnId
from messages.items import Message
from messages.ops import Interrupt
from messages.rollout import RolloutItem, UnknownRecord
from messages.value import Json, Seconds

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


def call(arguments: Json) -> DynamicToolCallRequest:
    return DynamicToolCallRequest(
        call_id=CallId("c"), turn_id=TurnId("t"), tool="x", arguments=arguments
    )


def call_end(duration: float) -> McpToolCallEnd:
    return McpToolCallEnd(
        call_id=CallId("c"),
        invocation=McpInvocation(server="s", tool="t"),
        duration=Seconds(duration),
        result=McpCallFailed(err="no"),
    )


WRITERS: list[Callable[[Any], object]] = [
    encode,
    encode_record,
    lambda item: encode_line(item, timestamp="", seq=0),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (AgentMessage(message="\ud800"), "surrogates"),
        (ThreadRolledBack(num_turns=2**64), "64-bit"),
        (call(math.nan), "nan is no JSON number"),
        (call([{"a": -math.inf}]), "-inf is no JSON number"),
        (call(DEEP), "nested too deep"),
        (call({1: 2}), "str"),
        (call({"a": object()}), "serializable"),
        (call_end(-1), "-1 is no duration"),
        (call_end(math.inf), "inf is no duration"),
        (call_end(math.nan), "nan is no duration"),
    ],
)
def test_writing_names_the_class_when_a_value_has_no_json(
    write: Callable[[Any], object], value: Any, problem: str
) -> None:
    """The caller gets one kind of error, and learns which message it was."""
    with pytest.raises(EncodeError, match=problem) as caught:
        write(value)

    assert caught.value.kind == type(value).__name__


def test_writing_refuses_numbers_that_orjson_would_turn_into_null() -> None:
    """A number that is none does not become null."""
    with pytest.raises(EncodeError, match="RateLimitWindow cannot be written as JSON: nan"):
        encode(RateLimitWindow(used_percent=math.nan))


@pytest.mark.parametrize("value", [object(), {1, 2}, Message])
def test_writing_refuses_what_is_no_message(value: object) -> None:
    """Only messages, and what they are made of, have a form."""
    with pytest.raises(EncodeError, match="is no message"):
        to_json(value)


def test_writing_refuses_parts_that_are_no_messages() -> None:
    """A wrong part is found, though types are not checked on writing."""
    with pytest.raises(
        EncodeError, match="Message cannot be written as JSON: object is no message"
    ):
        to_json(Message(role="user", content=(object(),)))  # type: ignore[arg-type]  # on purpose


def test_writing_a_record_refuses_what_is_no_rollout_item() -> None:
    """Ops are not recorded."""
    with pytest.raises(EncodeError, match="Interrupt is no rollout item"):
        encode_record(Interrupt())  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (b"\x00", "AA=="),
        ((InputText(text="a"),), [{"type": "input_text", "text": "a"}]),
        ([InputText(text="a")], [{"type": "input_text", "text": "a"}]),
        ({"a": InputText(text="a")}, {"a": {"type": "input_text", "text": "a"}}),
    ],
)
def test_writing_takes_containers_and_scalars_too(value: object, raw: Json) -> None:
    """What a message can hold can stand by itself."""
    assert to_json(value) == raw


@pytest.mark.parametrize(
    ("seconds", "secs", "nanos"),
    [(0.0, 0, 0), (1.25, 1, 250_000_000), (0.9999999999, 1, 0), (1e-9, 0, 1), (3, 3, 0)],
)
def test_duration_is_rounded_to_nanoseconds(seconds: float, secs: int, nanos: int) -> None:
    """Never a billion nanoseconds: the seconds carry."""
    raw: Any = to_json(call_end(seconds))

    assert raw["duration"] == {"secs": secs, "nanos": nanos}


def test_record_that_could_not_be_read_is_written_as_it_came() -> None:
    """It goes back under its own name."""
    item: RolloutItem = UnknownRecord(kind="new\n", payload=[1, None])

    assert encode_record(item) == ("new\n", b"[1,null]")
    assert b'"type":"new\\n","payload":[1,null]}' in encode_line(item, timestamp="t", seq=0)
