"""What clients say on a connection: requests, their order and bounds, and what is no message."""

import logging

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.server.rpc_connection import ClientRequest, Connection
from actors.server.rpc_errors import RpcFailure
from messages.rpc.envelope import Response

from .rpc_stage import answered, echo, open_stage, overloaded, refused, request

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
