"""One client: handshake, requests, answers, and its end."""

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.server.rpc_connection import ClientRequest, Connection
from actors.server.rpc_errors import ConnectionGone, FrameError, MessageTooLong, RpcFailure
from actors.server.transports.message_stream import CloseCode, Farewell
from messages.rpc.envelope import Response

from .rpc_stage import (
    INITIALIZE,
    WELCOME,
    StageHandler,
    StageStream,
    answered,
    echo,
    open_stage,
    overloaded,
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


# Requests ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [7, "7", 0, -1, "", 2**63 - 1])
async def test_id_is_echoed_with_its_type(number: int | str) -> None:
    """Text stays text."""
    async with open_stage() as stage:
        stage.stream.say(request(number, "echo"), request(number, "fail"))

        told = await stage.stream.wait_told(2)

        assert [message["id"] for message in told] == [number, number]


async def test_failure_is_told_with_its_code_and_data() -> None:
    """As the handler said it."""
    async with open_stage() as stage:
        stage.stream.say(request(1, "fail"))

        [told] = await stage.stream.wait_told(1)

        data = {"config_write_error_code": "x"}
        error = {"code": -32600, "message": "no such thread", "data": data}
        assert told == {"id": 1, "error": error}


async def test_failure_that_cannot_be_written_is_told_as_well_as_can_be() -> None:
    """A file's name need not be text."""

    async def handle(connection: Connection, request: ClientRequest) -> object:
        raise RpcFailure.internal("cannot read a\udcffb", {"path": "a\udcffb"})

    async with open_stage() as stage:
        stage.handler.methods["odd"] = handle
        stage.stream.say(request(1, "odd"))

        assert await stage.stream.wait_told(1) == [refused(1, "cannot read a?b", -32603)]


@pytest.mark.parametrize("method", ["crash", "unwritable", "misread"])
async def test_defect_is_answered_and_logged_and_costs_one_request_only(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client learns which request it was, and nothing of what is inside."""
    async with open_stage() as stage:
        stage.stream.say(request(1, method), echo(2))

        told = await stage.stream.wait_told(2)

        text = f"internal error while handling {method}; the server's log has more"
        assert sorted(told, key=lambda message: message["id"]) == [
            refused(1, text, -32603),
            answered(2),
        ]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info


async def test_requests_go_beside_each_other() -> None:
    """A slow one holds up no other."""
    async with open_stage() as stage:
        stage.stream.say(request(1, "wait"), echo(2))
        await stage.stream.wait_told(1)
        stage.handler.release.set()

        assert await stage.stream.wait_told(2) == [answered(2), answered(1)]


async def test_requests_of_one_key_keep_their_order() -> None:
    """Others go beside them; the key is free again afterwards."""
    async with open_stage() as stage:
        stage.stream.say(
            request(1, "ordered/wait", threadId="a"),
            request(2, "thread/echo", threadId="a"),
            request(3, "thread/echo", threadId="b"),
            request(4, "thread/echo", threadId="a"),
        )
        await stage.stream.wait_told(1)
        await wait_all_tasks_blocked()
        assert stage.handler.log == ["begin 1", "begin 3", "end 3"]
        stage.handler.release.set()
        await stage.stream.wait_told(4)
        stage.stream.say(request(5, "thread/echo", threadId="a"))

        told = await stage.stream.wait_told(5)

        assert [message["id"] for message in told] == [3, 1, 2, 4, 5]


async def test_request_may_be_answered_before_its_handler_ends() -> None:
    """What the handler returns then is not said."""

    async def handle(connection: Connection, request: ClientRequest) -> object:
        await request.respond({"early": True})
        await connection.send_notification(stage.connections.notification("then", None))
        return "ignored"

    async with open_stage() as stage:
        stage.handler.methods["early"] = handle
        stage.stream.say(request(1, "early"), echo(2))

        told = await stage.stream.wait_told(3)

        assert [m.get("method", m.get("id")) for m in told if m.get("id") != 2] == [1, "then"]


async def test_failure_after_the_answer_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """There is one answer for each request."""

    async def handle(connection: Connection, request: ClientRequest) -> object:
        await request.respond(None)
        with pytest.raises(RuntimeError, match="twice"):
            await request.respond(None)
        raise RpcFailure.invalid("too late")

    async with open_stage() as stage:
        stage.handler.methods["early"] = handle
        stage.stream.say(request(1, "early"))
        await stage.stream.wait_told(1)
        await wait_all_tasks_blocked()
        stage.stream.say(echo(2))

        assert await stage.stream.wait_told(2) == [{"id": 1, "result": None}, answered(2)]
    assert "too late" in caplog.text


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_request_beyond_the_bound_is_refused_for_certain(count: int) -> None:
    """At, below and above it; the place is free again after an answer."""
    async with open_stage(in_flight=3) as stage:
        stage.stream.say(*(request(number, "wait") for number in range(count)), echo(9))

        if count < 3:
            assert await stage.stream.wait_told(1) == [answered(9)]
        else:
            numbers = [*range(3, count), 9]
            expected = [overloaded(number) for number in numbers]
            assert await stage.stream.wait_told(len(numbers)) == expected
        stage.handler.release.set()
        await wait_all_tasks_blocked()
        stage.stream.told.clear()
        stage.stream.say(echo(10))
        assert await stage.stream.wait_told(1) == [answered(10)]


async def test_every_one_of_many_refusals_is_told_to_a_client_that_reads_late() -> None:
    """The reading waits for room; nothing is dropped."""
    async with open_stage(in_flight=1, outbound=4) as stage:
        stage.stream.takes = False
        stage.stream.say(request(0, "wait"), *(echo(number) for number in range(1, 500)))
        await wait_all_tasks_blocked()
        assert stage.connection.statistics().outbox.queued == 4
        stage.stream.take()

        assert await stage.stream.wait_told(499) == [overloaded(n) for n in range(1, 500)]


async def test_answers_of_clients_and_notifications_are_taken_when_no_request_is() -> None:
    """Who waits for an answer must not wait behind requests."""
    async with open_stage(in_flight=1) as stage, trio.open_nursery() as nursery:
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await stage.connection.send_request("ask", {"a": 1}))

        stage.stream.say(request(1, "wait"))
        nursery.start_soon(ask)
        assert await stage.stream.wait_told(1) == [{"method": "ask", "id": 0, "params": {"a": 1}}]
        stage.stream.say({"method": "note"}, answered("0"), answered(0, decision="accept"))
        await wait_all_tasks_blocked()

        assert answers == [Response(id=0, result={"decision": "accept"})]


async def test_cancelled_question_is_withdrawn() -> None:
    """A late answer is ignored."""
    async with open_stage() as stage:
        with trio.move_on_after(0.01):
            await stage.connection.send_request("ask", None)

        assert len(stage.connections.questions) == 0
        stage.stream.say(answered(0), echo(1))
        assert await stage.stream.wait_told(2) == [{"method": "ask", "id": 0}, answered(1)]


# What is no message --------------------------------------------------------------


async def test_what_is_no_message_is_logged_only_and_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The connection stays usable, nothing of the content is in the log, and that stays short."""
    async with open_stage() as stage:
        stage.stream.say(*[b"secret {"] * 1000, [echo(1)], b"\xff", echo(2))

        assert await stage.stream.wait_told(1) == [answered(2)]
        assert stage.connection.statistics().unreadable == 1002
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 12
    assert "secret" not in caplog.text


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
