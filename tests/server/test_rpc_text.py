"""From bytes to messages and back."""

import contextlib
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.server.rpc_errors import NotAMessage
from actors.server.rpc_text import (
    OutgoingNotification,
    read_message,
    write_error,
    write_notification,
    write_request,
    write_response,
)
from messages.errors import EncodeError
from messages.rpc.envelope import ErrorResponse, Notification, Request, Response, RpcError

MESSAGES = [
    ('{"method":"a","id":7}', Request(id=7, method="a")),
    ('{"method":"a","id":"7","params":{"b":1}}', Request(id="7", method="a", params={"b": 1})),
    ('{"jsonrpc":"1.7","id":0,"method":"a","trace":{},"x":[]}', Request(id=0, method="a")),
    ('{"method":"a","id":9223372036854775807}', Request(id=2**63 - 1, method="a")),
    ('{"method":"a","id":-9223372036854775808}', Request(id=-(2**63), method="a")),
    ('{"method":"a","id":1,"result":2}', Request(id=1, method="a")),
    ('{"method":"initialized"}', Notification(method="initialized")),
    ('{"method":"a","id":null}', Notification(method="a")),
    ('{"method":"a","id":1.0}', Notification(method="a")),
    ('{"method":"a","id":true}', Notification(method="a")),
    ('{"method":"a","id":9223372036854775808}', Notification(method="a")),
    ('{"method":"a","id":[1],"params":[2]}', Notification(method="a", params=[2])),
    ('{"id":1,"result":null}', Response(id=1, result=None)),
    ('{"id":"x","result":{"decision":"accept"}}', Response(id="x", result={"decision": "accept"})),
    ('{"method":5,"id":1,"result":0}', Response(id=1, result=0)),
    (
        '{"error":{"code":-1,"message":"no","data":[1]},"id":3}',
        ErrorResponse(id=3, error=RpcError(code=-1, message="no", data=[1])),
    ),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES, ids=[text for text, _ in MESSAGES])
def test_message_is_told_by_its_members_in_the_order_of_the_protocol(
    text: str, message: object
) -> None:
    """Request, notification, response, error; ids are texts or whole numbers of 64 bits."""
    assert read_message(text.encode()) == message
    assert read_message(text) == message


NO_MESSAGES = [
    "",
    "{",
    "null",
    "7",
    '"text"',
    '[{"method":"a","id":1}]',
    "{}",
    '{"id":1}',
    '{"result":1}',
    '{"id":null,"result":1}',
    '{"id":1,"error":{"code":"x","message":"y"}}',
    '{"id":1,"error":{"code":true}}',
    '{"id":1,"error":"y"}',
    '{"method":5}',
    '{"method":"a"}{"method":"b"}',
    "NaN",
    "[" * 5000,
    '{"a":' * 5000,
]


@pytest.mark.parametrize("text", NO_MESSAGES, ids=[text[:40] for text in NO_MESSAGES])
def test_what_is_no_message_is_told_without_its_content(text: str) -> None:
    """The problem goes to the log, and what came may be secret."""
    with pytest.raises(NotAMessage) as caught:
        read_message(text.encode())

    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b'{"method":"\xc3\x28","id":1}', b'{"method":"\\ud800","id":1}', b"\0"]
)
def test_what_is_no_text_is_no_message(raw: bytes) -> None:
    """Broken UTF-8 and halves of characters never come further than this."""
    with pytest.raises(NotAMessage):
        read_message(raw)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_none(raw: bytes) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(NotAMessage):
        read_message(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8), JSON)
def test_what_is_written_is_read_as_the_same(request_id: int | str, content: object) -> None:
    """An id keeps its type; every message is one line."""
    asked = write_request(request_id, "m", content)
    answer = write_response(request_id, content)
    refusal = write_error(request_id, RpcError(code=1, message="x", data=content))

    assert read_message(asked) == Request(id=request_id, method="m", params=content)
    assert read_message(answer) == Response(id=request_id, result=content)
    assert read_message(refusal) == ErrorResponse(
        id=request_id, error=RpcError(code=1, message="x", data=content)
    )
    assert b"\n" not in asked + answer + refusal


def test_members_without_content_are_left_out() -> None:
    """No params, no data, and no jsonrpc; a notification has its time."""
    assert json.loads(write_request(1, "a", None)) == {"method": "a", "id": 1}
    assert json.loads(write_error(1, RpcError(code=2, message="m"))) == {
        "id": 1,
        "error": {"code": 2, "message": "m"},
    }
    assert write_notification("a", None, emitted_at_ms=5) == OutgoingNotification(
        "a", b'{"method":"a","emittedAtMs":5}'
    )
    assert write_response(1, None) == b'{"id":1,"result":null}'


def test_values_and_written_json_may_stand_anywhere() -> None:
    """What is expensive to write is written once."""
    value = RpcError(code=1, message="m")
    written = orjson.Fragment(b'{"b":1}')

    text = write_response(1, {"value": [value], "written": written})

    assert json.loads(text) == {
        "id": 1,
        "result": {"value": [{"code": 1, "message": "m"}], "written": {"b": 1}},
    }


@pytest.mark.parametrize("content", ["\ud800", 2**70, object(), {1: 2}])
def test_what_has_no_json_is_told(content: object) -> None:
    """The error is the one of the codec."""
    with pytest.raises(EncodeError):
        write_response(1, content)
