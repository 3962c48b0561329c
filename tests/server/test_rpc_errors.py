"""Errors keep their fields and say what to do."""

import copy
import pickle

import pytest

from actors.server import rpc_errors as errors

EXAMPLES: tuple[errors.ServerError, ...] = (
    errors.ServerError("a"),
    errors.RpcFailure(-32600, "no such thread", {"a": 1}),
    errors.NotAMessage("no JSON"),
    errors.MessageTooLong(10),
    errors.FrameError(1002, "bad opcode"),
    errors.ConnectionGone("connection 3 (stage)"),
    errors.RequestWithdrawn(1, "item/ask"),
    errors.ListenError("ws://1.2.3.4:5", "no such address"),
    errors.BadListenAddress("x", "unsupported --listen URL `x`"),
    errors.AddressInUse("ws://1.2.3.4:5", "another process listens there"),
    errors.BadToken("TOKEN", "not set"),
)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_survives_pickle_and_copy(error: errors.ServerError) -> None:
    """A copy has the same fields and the same text."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert vars(other) == vars(error)
        assert str(other) == str(error)


def test_failures_have_the_codes_of_the_protocol() -> None:
    """And the overload error the text that clients know."""
    failures = [
        errors.RpcFailure.invalid("a"),
        errors.RpcFailure.internal("b", [1]),
        errors.RpcFailure.unsupported("c"),
        errors.RpcFailure.overloaded(),
    ]

    assert [(f.code, f.message, f.data) for f in failures] == [
        (-32600, "a", None),
        (-32603, "b", [1]),
        (-32601, "c", None),
        (-32001, "Server overloaded; retry later.", None),
    ]
