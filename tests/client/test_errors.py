"""Errors of this room: what they say, and that nothing of it gets lost."""

import copy
import pickle

import pytest
import trio

from actors.client import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    NotOverTheWire,
    RolloutRefused,
    RpcCallError,
    ThreadNotFollowed,
    TokenRejected,
)
from actors.rollout import RolloutError
from actors.supervisor import ThreadNotFound
from messages.ids import ThreadId

ERRORS = [
    (CannotConnect("unix:///s", "nobody"), OSError, "cannot connect to unix:///s: nobody"),
    (TokenRejected("ws://h:1", "another"), CannotConnect, "cannot connect to ws://h:1: another"),
    (
        ConnectionLost("s", "it is gone"),
        trio.BrokenResourceError,
        "the connection to s is lost: it is gone",
    ),
    (
        ConnectionLost("s", "gone").about("a/b", sent=True),
        ClientError,
        "the connection to s is lost: gone; a/b was sent and may have been carried out",
    ),
    (RpcCallError("a/b", -1, "no", {"x": 1}), ClientError, "a/b: no (-1)"),
    (RolloutRefused("a/b", -1, "no"), RolloutError, "a/b: no (-1)"),
    (
        NotOverTheWire("this", "do that"),
        NotImplementedError,
        "this cannot be had over a connection; do that",
    ),
    (
        ThreadNotFollowed(ThreadId("t")),
        ThreadNotFound,
        "thread t was opened by another client; await follow_thread() to hear of it",
    ),
]


@pytest.mark.parametrize(("error", "kind", "text"), ERRORS, ids=lambda value: str(value)[:20])
def test_errors_say_what_happened_and_survive_copies(
    error: Exception, kind: type, text: str
) -> None:
    """Who, what, and the way out."""
    assert isinstance(error, kind)
    assert str(error) == text
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == text
        assert vars(again) == vars(error)
