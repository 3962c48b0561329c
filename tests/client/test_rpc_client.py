"""One connection: requests and answers, what else the server says, and how it ends."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.client import ConnectionLost, RpcCallError
from actors.runtime import Lagged
from actors.server.rpc_errors import MessageTooLong
from messages.errors import EncodeError

from .wires import open_by_hand, open_wire


async def test_answers_find_their_requests_in_any_order() -> None:
    """By id."""
    async with open_by_hand() as (client, server):
        answers: dict[str, Any] = {}

        async def ask(name: str) -> None:
            answers[name] = await client.request(name)

        async with trio.open_nursery() as nursery:
            for name in ("a", "b", "c"):
                nursery.start_soon(ask, name)
            await wait_all_tasks_blocked()
            for name in ("b", "c", "a"):
                await server.answer(name, name.upper())

        assert answers == {"a": "A", "b": "B", "c": "C"}


async def test_what_is_said_in_one_pass_goes_out_in_one_write() -> None:
    """However many say it."""
    async with open_by_hand() as (client, server):
        await wait_all_tasks_blocked()
        server.sent.clear()
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(client.request, f"m{number}")
            await wait_all_tasks_blocked()

            assert [len(batch) for batch in server.sent] == [50]
            nursery.cancel_scope.cancel()


async def test_requests_beyond_the_limit_wait_and_urgent_ones_do_not() -> None:
    """Servers refuse what is too much, and an interrupt must get through."""
    async with open_by_hand() as (client, server), trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(client.request, "slow")
        await wait_all_tasks_blocked()
        assert client.statistics().in_flight == 96

        nursery.start_soon(lambda: client.request("stop", urgent=True))
        await server.answer("stop", None)
        await wait_all_tasks_blocked()
        for _ in range(32):
            client.request_nowait("stop")
        with pytest.raises(trio.WouldBlock):
            client.request_nowait("stop")
        nursery.cancel_scope.cancel()


async def test_refusal_is_raised_with_code_and_data() -> None:
    """As the server said it."""
    async with open_wire() as wire:
        with pytest.raises(RpcCallError) as refused:
            await wire.client.request("fail", {})

        assert refused.value.args == (
            "fail",
            -32600,
            "no such thread",
            {"config_write_error_code": "x"},
        )
        assert str(refused.value) == "fail: no such thread (-32600)"


async def test_cancelled_request_leaves_the_connection_good() -> None:
    """Its answer comes later, and nobody wants it."""
    async with open_wire() as wire:
        with trio.move_on_after(0.01):
            await wire.client.request("wait", {"number": 1})
        wire.handler.release.set()

        assert await wire.client.request("echo", {"number": 2}) == {"number": 2}
        assert wire.client.statistics().in_flight == 0


async def test_params_without_a_form_in_json_are_not_sent() -> None:
    """And the next ones are."""
    async with open_wire() as wire:
        with pytest.raises(EncodeError):
            await wire.client.request("echo", {"text": "\ud800"})

        assert await wire.client.request("echo", {}) == {}


async def test_lost_connection_says_what_became_of_each_request() -> None:
    """Sent ones may have been carried out; later ones were not sent."""
    async with open_wire() as wire:
        failures: list[str] = []

        async def ask() -> None:
            with pytest.raises(ConnectionLost) as lost:
                await wire.client.request("wait", {})
            failures.append(lost.value.fate)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await wait_all_tasks_blocked(0.01)
            wire.cut()

        assert failures == ["wait was sent and may have been carried out"] * 2
        with pytest.raises(ConnectionLost, match="echo was not sent"):
            await wire.client.request("echo", {})
        wire.client.notify("nobody/hears")


@pytest.mark.parametrize(
    ("rubbish", "problem"),
    [
        (b"no json", "the server sent what is no message: no JSON"),
        (b"[]", "the server sent what is no message: a batch"),
        (MessageTooLong(7), "the server sent too much: a message is longer than 7 bytes"),
        (trio.BrokenResourceError("reset by peer"), "reset by peer"),
    ],
)
async def test_rubbish_from_the_server_ends_the_connection(rubbish: Any, problem: str) -> None:
    """What cannot be read may have been an answer."""
    async with open_by_hand() as (client, server), trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ConnectionLost) as lost:
                await client.request("a")
            assert lost.value.problem.startswith(problem)

        nursery.start_soon(ask)
        await server.heard("a")
        server.say(rubbish)


async def test_last_words_of_the_server_are_in_the_error() -> None:
    """It says why it ends a connection."""
    async with open_by_hand() as (client, server):
        words = "connection closed: there are 256 clients, and no more may be"
        server.say({"method": "warning", "params": {"threadId": None, "message": words}})
        server.hang_up()
        await wait_all_tasks_blocked()

        with pytest.raises(ConnectionLost, match="the server closed it: there are 256 clients"):
            await client.request("a")


async def test_notifications_are_kept_for_readers_within_bounds() -> None:
    """A slow reader is told how many it missed, and nobody waits for it."""
    async with open_by_hand() as (client, server):
        for number in range(1030):
            server.say({"method": f"n{number}", "params": {}})
        await wait_all_tasks_blocked()
        with client.notifications(from_seq=1) as reader:
            assert await reader.receive() == Lagged(6)
            first = await reader.receive()

        assert not isinstance(first, Lagged)
        assert first.method == "n6"


async def test_requests_of_the_server_are_answered_or_refused() -> None:
    """When nobody takes them, the server is told so."""
    async with open_by_hand() as (client, server):
        for number in range(129):
            server.say({"id": number, "method": "ask", "params": {"n": number}})
        await wait_all_tasks_blocked()
        [refusal] = server.sent[-1]
        assert (refusal["id"], refusal["error"]["code"]) == (128, -32001)

        first = await client.next_server_request()
        first.respond({"yes": first.params})
        second = await client.next_server_request()
        second.refuse(-32600, "no")
        await wait_all_tasks_blocked()

        assert [message for batch in server.sent[-2:] for message in batch][-2:] == [
            {"id": 0, "result": {"yes": {"n": 0}}},
            {"error": {"code": -32600, "message": "no"}, "id": 1},
        ]


async def test_what_is_queued_is_sent_before_the_block_ends() -> None:
    """And the stream is closed."""
    async with open_by_hand() as (client, server):
        client.notify("bye", {"a": 1})

    assert server.sent[-1][-1] == {"method": "bye", "params": {"a": 1}}
    assert server.farewell is not None
