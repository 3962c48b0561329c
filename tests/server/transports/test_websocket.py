"""Clients over WebSocket, with a real client and by hand."""

import json
import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, ConnectionRejected

from actors.server.rpc_errors import AddressInUse, ListenError
from actors.server.transports.bearer import Token
from tests.waiting import until

from ..rpc_stage import INITIALIZE, WELCOME, answered, echo, request
from .clients import (
    Server,
    frame,
    get,
    http_status,
    read_close,
    read_frame,
    serving,
    shake_hands,
    tcp,
    web_socket,
)

SECRET = "0123456789abcdef"


def hello() -> bytes:
    return frame(json.dumps(INITIALIZE).encode())


async def still_serves(server: Server) -> None:
    assert await http_status(server, get("/readyz")) == 200


async def test_real_client_asks_and_is_answered() -> None:
    """Long messages, many messages, pings, and a clean end."""
    text = "ä" * 300_000
    async with serving() as server:
        async with web_socket(f"{server.listener.url}/any/path") as client:
            await client.send_message(json.dumps(INITIALIZE))
            assert json.loads(await client.get_message()) == WELCOME
            await client.ping()
            await client.send_message(json.dumps(echo(1, text=text)))
            assert json.loads(await client.get_message()) == answered(1, text=text)
            for number in range(100):
                await client.send_message(json.dumps(request(number, "thread/echo", threadId="a")))
            heard = [json.loads(await client.get_message())["id"] for _ in range(100)]
            assert heard == list(range(100))
        assert client.closed is not None
        assert client.closed.code == 1000
        await until(lambda: not len(server.connections))
        assert server.handler.log[-1] == "disconnected 0"


async def test_many_clients_are_served_at_once_with_ids_of_their_own() -> None:
    """Two may use the same."""
    async with serving() as server, trio.open_nursery() as nursery:

        async def use(number: int) -> None:
            async with web_socket(server.listener.url) as client:
                await client.send_message(json.dumps(INITIALIZE))
                await client.get_message()
                await client.send_message(json.dumps(echo(1, mine=number)))
                assert json.loads(await client.get_message()) == answered(1, mine=number)

        for number in range(20):
            nursery.start_soon(use, number)


async def test_token_is_asked_for_where_there_is_one() -> None:
    """On loopback, too."""
    async with serving(token=Token(SECRET)) as server:
        with pytest.RaisesGroup(
            pytest.RaisesExc(ConnectionRejected, check=lambda exc: exc.status_code == 401),
            flatten_subgroups=True,
        ):
            async with web_socket(server.listener.url):
                pass
        headers = [(b"Authorization", b"Bearer " + SECRET.encode())]
        async with web_socket(server.listener.url, headers) as client:
            await client.send_message(json.dumps(INITIALIZE))
            assert json.loads(await client.get_message()) == WELCOME


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
async def test_no_other_machine_is_listened_for_without_a_token(host: str) -> None:
    """The error names the way out."""
    with pytest.raises(ListenError, match="give a token, or listen on"):
        async with serving(f"ws://{host}:0"):
            pass


async def test_token_lets_all_machines_in() -> None:
    """All addresses may be listened on then."""
    async with serving("ws://0.0.0.0:0", Token(SECRET)) as server:
        await still_serves(server)


async def test_port_that_is_taken_is_told() -> None:
    """And an address that is not ours."""
    async with serving() as server:
        with pytest.raises(AddressInUse, match="another process listens there"):
            async with serving(server.listener.url):
                pass
    with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
        async with serving("ws://192.0.2.1:0", Token(SECRET)):
            pass


async def test_error_of_the_block_comes_out_as_it_is() -> None:
    """The caller wrote no nursery."""
    with pytest.raises(ZeroDivisionError):
        async with serving():
            raise ZeroDivisionError


async def test_clients_are_told_when_the_server_ends() -> None:
    """By a close frame, and the block ends soon."""
    async with trio.open_nursery() as nursery, serving() as server:
        client = await nursery.start(_listening, server.listener.url)
    assert client.closed.code == 1001


async def _listening(url: str, *, task_status: trio.TaskStatus[object]) -> None:
    async with web_socket(url) as client:
        await client.send_message(json.dumps(INITIALIZE))
        await client.get_message()
        task_status.started(client)
        with pytest.raises(ConnectionClosed):
            await client.get_message()


# By hand


async def test_ping_is_answered_between_the_parts_of_a_message() -> None:
    """Control frames may come anywhere."""
    text = json.dumps(INITIALIZE).encode()
    async with serving() as server, tcp(server) as stream:
        await shake_hands(stream)
        await stream.send_all(frame(text[:5], fin=False) + frame(b"hi", 9))
        assert await read_frame(stream) == (10, b"hi")
        await stream.send_all(frame(b"", 0, fin=False) + frame(b"", 10) + frame(text[5:], 0))

        opcode, payload = await read_frame(stream) or (0, b"")

        assert (opcode, json.loads(payload)) == (1, WELCOME)


async def test_binary_messages_are_dropped_with_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The protocol is text."""
    async with serving() as server, tcp(server) as stream:
        await shake_hands(stream)
        binary = frame(json.dumps(INITIALIZE).encode(), 2)
        await stream.send_all(binary * 3 + hello())

        opcode, payload = await read_frame(stream) or (0, b"")

        assert (opcode, json.loads(payload)) == (1, WELCOME)
    assert [r.levelno for r in caplog.records if "binary" in r.getMessage()] == [logging.WARNING]


async def test_several_messages_in_one_frame_are_none() -> None:
    """The connection stays usable."""
    async with serving() as server, tcp(server) as stream:
        await shake_hands(stream)
        line = json.dumps(INITIALIZE).encode()
        await stream.send_all(frame(line + b"\n" + line) + hello())

        opcode, payload = await read_frame(stream) or (0, b"")

        assert (opcode, json.loads(payload)) == (1, WELCOME)


BROKEN: list[tuple[str, bytes, int]] = [
    ("not masked", b"\x81\x01a", 1002),
    ("reserved bit", b"\xc1\x80\0\0\0\0", 1002),
    ("reserved opcode", frame(b"", 3), 1002),
    ("long ping", frame(b"x" * 126, 9), 1002),
    ("fragmented ping", frame(b"x", 9, fin=False), 1002),
    ("continuation of nothing", frame(b"x", 0), 1002),
    ("message within a message", frame(b"{", fin=False) + frame(b"{"), 1002),
    ("no UTF-8", frame(b"\xff\xff"), 1007),
    ("half a character", frame("ä".encode()[:1]), 1007),
    ("close with one byte", frame(b"x", 8), 1002),
]


@pytest.mark.parametrize(("what", "data", "code"), BROKEN, ids=[what for what, _, _ in BROKEN])
async def test_broken_frame_ends_its_connection_with_the_code_for_it(
    what: str, data: bytes, code: int, mock_clock: MockClock
) -> None:
    """And nobody else's; a client that does not close has a moment to."""
    async with serving(farewell=5) as server, tcp(server) as stream:
        await shake_hands(stream)
        await stream.send_all(data)

        closed = await read_close(stream)

        assert closed is not None
        assert closed[0] == code
        await wait_all_tasks_blocked()
        mock_clock.jump(5)
        assert await stream.receive_some() == b""
        await still_serves(server)


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize(("size", "good"), [(100, True), (101, False)])
async def test_message_may_have_its_limit(size: int, good: bool, parts: int) -> None:
    """In one frame or in many; a longer one ends the connection with the code for it."""
    text = json.dumps(INITIALIZE).encode().ljust(size)
    step = -(-size // parts)
    pieces = [text[i : i + step] for i in range(0, size, step)]
    async with serving(message_bytes=100, farewell=5) as server, tcp(server) as stream:
        await shake_hands(stream)
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            await stream.send_all(frame(piece, 0 if index else 1, fin=last))

        found = await read_frame(stream)

        assert found is not None
        if good:
            assert json.loads(found[1]) == WELCOME
        else:
            assert found == (8, b"\x03\xf1a message is longer than 100 bytes")


async def test_close_is_answered_with_a_close() -> None:
    """And the server closes the socket, as it should first."""
    async with serving() as server, tcp(server) as stream:
        await shake_hands(stream)
        await stream.send_all(frame(b"\x03\xe8bye", 8))

        assert await read_close(stream) == (1000, "bye")
        assert await stream.receive_some() == b""


async def test_question_reaches_all_and_the_first_answer_wins() -> None:
    """With the same id for all; whoever left is not waited for."""
    async with serving() as server, tcp(server) as one, tcp(server) as two, tcp(server) as three:
        for stream in (one, two, three):
            await shake_hands(stream)
            await stream.send_all(hello())
            await read_frame(stream)
        question = server.connections.questions.open("item/ask", None, scope="thread")
        for connection in server.connections:
            await question.send_to(connection)
        asked = {"method": "item/ask", "id": 0}
        for stream in (one, two, three):
            _, payload = await read_frame(stream) or (0, b"")
            assert json.loads(payload) == asked
        await one.aclose()
        await until(lambda: len(question.asked) == 2)

        await two.send_all(frame(b'{"id":"0","result":"text"}') + frame(b'{"id":0,"result":"two"}'))
        answer = await question.wait_answer()
        await three.send_all(
            frame(b'{"id":0,"result":"three"}') + frame(json.dumps(echo(5)).encode())
        )

        assert answer.result == "two"  # type: ignore[union-attr]
        _, payload = await read_frame(three) or (0, b"")
        assert json.loads(payload) == answered(5)
