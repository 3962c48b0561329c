"""Clients of a server: the handshake, and how connections end."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.server.rpc_connection import ClientRequest, Connection
from actors.server.rpc_errors import ConnectionGone, FrameError, MessageTooLong
from actors.server.transports.message_stream import CloseCode, Farewell

from .rpc_stage import (
    INITIALIZE,
    WELCOME,
    StageHandler,
    StageStream,
    answered,
    echo,
    open_stage,
    refused,
    request,
    stage_connections,
)

# The handshake ---------------------------------------------------------------


async def test_request_before_initialize_is_refused_and_the_connection_usable_right_after() -> None:
    """`initialized` is a courtesy; nobody waits for it."""
    async with open_stage(initialized=False) as stage:
        stage.stream.say(echo(1), INITIALIZE, echo(2, a=1))

        assert await stage.stream.wait_told(3) == [
            refused(1, "Not initialized"),
            WELCOME,
            answered(2, a=1),
        ]


async def test_second_initialize_is_refused() -> None:
    """The first one goes on to hold."""
    async with open_stage() as stage:
        stage.stream.say(INITIALIZE, echo(1))

        assert await stage.stream.wait_told(2) == [
            refused(0, "Already initialized"),
            answered(1),
        ]


async def test_failed_initialize_may_be_tried_again() -> None:
    """The connection stays as it was."""
    bad = {"method": "initialize", "id": 7, "params": {"clientInfo": {"name": "a\nb"}}}
    async with open_stage(initialized=False) as stage:
        stage.stream.say(bad, echo(1), INITIALIZE)

        assert await stage.stream.wait_told(3) == [
            refused(7, "Invalid clientInfo.name: 'a\nb'."),
            refused(1, "Not initialized"),
            WELCOME,
        ]


@pytest.mark.parametrize("initialized", [False, True])
async def test_what_cannot_be_read_is_told_before_all_else(initialized: bool) -> None:
    """Unknown methods and bad params come before the handshake, and before the gate."""
    async with open_stage(initialized=initialized) as stage:
        stage.stream.say(
            request(1, "nothing"),
            {"method": "new/echo", "id": 2},
            {"method": "initialize", "id": 3},
        )

        assert await stage.stream.wait_told(3) == [
            refused(1, "Invalid request: unknown variant `nothing`"),
            refused(2, "Invalid request: missing field `params`"),
            refused(3, "Invalid request: missing field `params`"),
        ]


async def test_handshake_is_checked_before_the_gate() -> None:
    """In this order, because clients look at the texts."""
    async with open_stage(initialized=False) as stage:
        stage.stream.say(request(1, "new/echo"), INITIALIZE, request(2, "new/echo"))

        assert await stage.stream.wait_told(3) == [
            refused(1, "Not initialized"),
            WELCOME,
            refused(2, "new/echo requires experimentalApi capability"),
        ]


def capable(**capabilities: object) -> dict[str, Any]:
    params = dict(INITIALIZE["params"]) | {"capabilities": capabilities}  # type: ignore[call-overload]
    return INITIALIZE | {"params": params}


async def test_gate_is_open_for_who_asked_for_it() -> None:
    """Each connection for itself."""
    async with open_stage(initialized=False) as stage:
        stage.stream.say(capable(experimentalApi=True), request(2, "new/echo"))

        assert await stage.stream.wait_told(2) == [WELCOME, answered(2)]
        assert stage.connection.experimental


async def test_notifications_one_has_opted_out_of_are_not_sent() -> None:
    """Exactly these names; answers and questions are not concerned."""
    async with open_stage(initialized=False) as stage:
        stage.stream.say(capable(optOutNotificationMethods=["a", "echo", "ask"]))
        await stage.stream.wait_told(1)
        for method in ("a", "A", "b"):
            note = stage.connections.notification(method, None)
            await stage.connection.send_notification(note)
            stage.connection.post_notification(note)
        stage.stream.say(echo(1))

        told = await stage.stream.wait_told(6)

        assert [message.get("method") for message in told] == [None, "A", "A", "b", "b", None]


async def test_broadcast_goes_to_initialized_connections_with_its_time() -> None:
    """Those who have not shaken hands hear nothing."""
    handler = StageHandler()
    connections = stage_connections(handler)
    new, ready = StageStream(), StageStream()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.serve, new)
        nursery.start_soon(connections.serve, ready)
        ready.say(INITIALIZE)
        await ready.wait_told(1)
        now = int(connections.world.now())

        connections.broadcast(connections.notification("thread/started", {"a": 1}))

        [_, told] = await ready.wait_told(2)
        assert told == {"method": "thread/started", "params": {"a": 1}} | {
            "emittedAtMs": told["emittedAtMs"]
        }
        assert 0 <= told["emittedAtMs"] - now * 1000 < 5000
        assert new.told == []
        nursery.cancel_scope.cancel()


# Its end -----------------------------------------------------------------------


async def test_what_was_asked_is_answered_when_the_client_says_no_more(
    autojump_clock: MockClock,
) -> None:
    """As when a file is piped into it; at once when nothing runs."""
    async with open_stage() as stage:

        async def handle(connection: Connection, request: ClientRequest) -> object:
            await trio.sleep(0.9)
            return "done"

        stage.handler.methods["slow"] = handle
        stage.stream.say(request(1, "slow"), echo(2))
        stage.stream.hang_up()
        await stage.done.wait()

        assert stage.stream.told == [answered(2), {"id": 1, "result": "done"}]
        assert trio.current_time() == pytest.approx(0.9)
        assert stage.stream.farewell == Farewell()
        assert stage.handler.log[-1] == "disconnected 0"


async def test_what_does_not_end_after_the_client_is_cancelled(autojump_clock: MockClock) -> None:
    """After its grace."""
    async with open_stage(grace=2.0) as stage:
        stage.stream.say(request(1, "wait"))
        stage.stream.hang_up()
        await stage.done.wait()

        assert trio.current_time() == 2.0
        assert stage.handler.log == ["begin 1", "end 1", "disconnected 0"]
        assert stage.stream.told == []


async def test_client_that_takes_nothing_is_closed_when_patience_is_over(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With a line in the log; its own requests end, and others never notice."""
    async with open_stage(outbound=4, patience=30.0) as stage, open_stage() as other:
        await trio.sleep(100)
        stage.stream.takes = False
        stage.stream.say(*(echo(number) for number in range(100)))
        await trio.sleep(29.9)
        other.stream.say(echo(1))
        assert await other.stream.wait_told(1) == [answered(1)]
        assert not stage.done.is_set()

        await stage.done.wait()

        assert stage.stream.farewell is not None
        assert stage.stream.farewell.code == CloseCode.POLICY_VIOLATION
        assert "took nothing for 30 s while 4 messages" in stage.stream.farewell.reason
        assert trio.current_time() == pytest.approx(130)
        assert stage.connection.ended
    assert [r.levelname for r in caplog.records if "took nothing" in r.getMessage()] == ["WARNING"]


async def test_client_that_takes_nothing_may_do_so_while_there_is_room(
    autojump_clock: MockClock,
) -> None:
    """A laptop may sleep."""
    async with open_stage(outbound=4) as stage:
        stage.stream.takes = False
        stage.stream.say(*(echo(number) for number in range(4)))
        await trio.sleep(10_000)
        stage.stream.take()

        assert await stage.stream.wait_told(4) == [answered(n) for n in range(4)]


async def test_senders_learn_that_the_connection_has_ended(autojump_clock: MockClock) -> None:
    """None of them hangs."""
    async with open_stage(outbound=1, patience=5.0) as stage:
        stage.stream.takes = False
        note = stage.connections.notification("a", None)
        with pytest.raises(ConnectionGone, match="connection 0"):
            while True:
                await stage.connection.send_notification(note)
        assert trio.current_time() == 5.0
        with pytest.raises(ConnectionGone):
            await stage.connection.send_request("ask", None)
        stage.connection.post_notification(note)
        await stage.done.wait()


async def test_client_for_which_too_many_broadcasts_wait_is_closed(
    autojump_clock: MockClock,
) -> None:
    """Who broadcasts never waits, and nothing is dropped without a word."""
    async with open_stage(outbound=2, posted=3) as stage:
        stage.stream.takes = False
        note = stage.connections.notification("a", None)
        stage.connections.broadcast(note)
        await wait_all_tasks_blocked()  # the writer has it
        for _ in range(5):
            stage.connections.broadcast(note)
        assert not stage.connection.ended

        stage.connections.broadcast(note)

        assert stage.connection.ended
        await stage.done.wait()
        assert stage.stream.farewell is not None
        assert "more than 3 broadcasts" in stage.stream.farewell.reason


async def test_connection_ends_when_we_say_so(autojump_clock: MockClock) -> None:
    """With the reason, after what is queued."""
    async with open_stage() as stage:
        stage.connection.post_notification(stage.connections.notification("last", None))
        stage.connection.close("the server ends")
        await stage.done.wait()

        assert [message["method"] for message in stage.stream.told] == ["last"]
        assert stage.stream.farewell is not None
        assert stage.stream.farewell.code == CloseCode.GOING_AWAY
        assert b'"connection closed: the server ends"' in stage.stream.farewell.message


@pytest.mark.parametrize(
    ("problem", "code", "reason"),
    [
        (MessageTooLong(10), CloseCode.TOO_BIG, "a message is longer than 10 bytes"),
        (FrameError(1002, "bad opcode"), CloseCode.PROTOCOL_ERROR, "bad opcode"),
        (trio.BrokenResourceError(), CloseCode.NORMAL, ""),
    ],
)
async def test_client_that_breaks_the_rules_is_told_so(
    problem: Exception, code: int, reason: str, autojump_clock: MockClock
) -> None:
    """What it asked before is answered."""
    async with open_stage() as stage:
        stage.stream.say(echo(1))
        await stage.stream.wait_told(1)
        stage.stream.say(problem)
        await stage.done.wait()

        assert stage.stream.farewell is not None
        assert (stage.stream.farewell.code, stage.stream.farewell.reason) == (code, reason)
        assert bool(stage.stream.farewell.message) is bool(reason)


async def test_client_too_many_is_told_so() -> None:
    """Those who are there go on."""
    async with open_stage(connections=1) as stage:
        extra = StageStream()
        await stage.connections.serve(extra)

        assert extra.farewell is not None
        assert extra.farewell.code == CloseCode.TRY_AGAIN_LATER
        stage.stream.say(echo(1))
        assert await stage.stream.wait_told(1) == [answered(1)]
        assert stage.connections.statistics().refused == 1


async def test_cancelled_server_ends_its_connections_at_once() -> None:
    """With "going away"; nothing that was asked is waited for."""
    async with open_stage() as stage:
        stage.stream.say(request(1, "wait"))
        await wait_all_tasks_blocked()

    assert stage.stream.farewell == Farewell(code=CloseCode.GOING_AWAY)
    assert stage.handler.log == ["begin 1", "end 1", "disconnected 0"]
    assert len(stage.connections) == 0


async def test_defect_in_one_connection_ends_that_one_only(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """It is logged; the others go on."""
    async with open_stage() as stage:
        stage.handler.defect = True
        stage.stream.hang_up()
        await stage.done.wait()

    assert "connection 0 (stage) crashed" in caplog.text
    assert stage.stream.farewell is not None


async def test_connection_and_server_say_how_they_are() -> None:
    """A repr like a status line, and numbers."""
    async with open_stage() as stage:
        stage.stream.say(request(1, "wait"))
        await wait_all_tasks_blocked()

        assert repr(stage.connection) == (
            "<Connection 0 (stage): initialized, 1 in flight, 0/128 queued>"
        )
        statistics = stage.connections.statistics()
        assert statistics.connections == (stage.connection.statistics(),)
        assert (statistics.accepted, statistics.refused, statistics.asked) == (1, 0, 0)
