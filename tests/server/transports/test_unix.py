"""Clients at a Unix socket."""

# ruff: noqa: ASYNC220, ASYNC240 -- files of a test are read at once

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.server.rpc_errors import AddressInUse, ListenError
from actors.server.transports import unix as unix_module
from actors.server.transports.bearer import Token
from actors.server.transports.socket_file import socket_file
from tests.waiting import until

from ..rpc_stage import INITIALIZE, WELCOME, answered, echo, request
from .clients import frame, get, read_frame, read_until, serving, shake_hands, unix


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


async def test_clients_talk_in_lines_as_long_as_they_like(path: Path) -> None:
    """Several at once, each with ids of its own."""
    text = "ä" * 500_000
    async with serving(f"unix://{path}") as server, unix(path) as one, unix(path) as two:
        assert server.listener.url == f"unix://{path}"
        for client in (one, two):
            await client.initialize()
            await client.say(b"\r\n", b"   \n", echo(1, text=text))
        for client in (one, two):
            assert await client.hear() == answered(1, text=text)


async def test_client_that_sends_its_all_and_reads_until_the_end_gets_its_answers(
    path: Path,
) -> None:
    """The last line needs no end."""
    last = json.dumps(echo(2)).encode()
    async with serving(f"unix://{path}"), unix(path) as client:
        await client.say(INITIALIZE, echo(1), last)
        await client.stream.send_eof()

        assert await client.hear_all() == [WELCOME, answered(1), answered(2)]


async def test_client_may_talk_websocket(path: Path) -> None:
    """Without a token, which the listener does not ask for here; probes are answered, too."""
    token = Token("x" * 16)
    async with serving(f"unix://{path}", token), await trio.open_unix_socket(path) as stream:
        await stream.send_all(b"GE")
        await wait_all_tasks_blocked()
        await stream.send_all(get("/readyz")[2:])
        assert (await read_until(stream, lambda _: False)).startswith(b"HTTP/1.1 200 ")
        async with await trio.open_unix_socket(path) as second:
            await shake_hands(second)
            await second.send_all(frame(json.dumps(INITIALIZE).encode()))
            _, payload = await read_frame(second) or (0, b"")
            assert json.loads(payload) == WELCOME


async def test_line_that_begins_like_a_request_is_no_message_only(path: Path) -> None:
    """Nearly HTTP is not HTTP."""
    async with serving(f"unix://{path}"), unix(path) as client:
        await client.say(b"GETTING\n")
        await client.initialize()


async def test_socket_is_for_its_owner_only_and_removed_in_the_end(path: Path) -> None:
    """From its first moment, whatever the umask is."""
    before = os.umask(0)
    try:
        async with serving(f"unix://{path}"):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    finally:
        os.umask(before)

    assert not path.exists()


async def test_client_of_another_user_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever became of the mode of the socket."""
    async with serving(f"unix://{path}") as server:
        monkeypatch.setattr(unix_module.os, "geteuid", lambda: os.getuid() + 1)
        async with unix(path) as client:
            assert await client.hear() is None
        assert server.connections.statistics().accepted == 0
    assert f"user {os.getuid()} may not use" in caplog.text


async def test_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    """Nobody listens there."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()

    async with serving(f"unix://{path}"), unix(path) as client:
        await client.initialize()


async def test_socket_of_a_living_process_is_left_alone(path: Path) -> None:
    """Also of one that does not accept, with a queue that is full."""
    async with serving(f"unix://{path}"):
        with pytest.raises(AddressInUse, match="another process listens there"):
            async with serving(f"unix://{path}"):
                pass
        async with unix(path) as client:
            await client.initialize()
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(AddressInUse):
            async with serving(f"unix://{path}"):
                pass
        assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_what_is_no_socket_is_left_alone(kind: str, path: Path) -> None:
    """It may be somebody's work."""
    if kind == "file":
        path.write_text("work")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.parent / "elsewhere")

    with pytest.raises(ListenError, match="no socket; remove it yourself"):
        async with serving(f"unix://{path}"):
            pass

    assert path.exists(follow_symlinks=False) if sys.version_info >= (3, 12) else path.lstat()


async def test_folder_must_be_there(path: Path) -> None:
    """The words of the system say so."""
    with pytest.raises(ListenError, match="No such file or directory"):
        async with serving(f"unix://{path}/deep"):
            pass


async def test_file_that_is_not_ours_any_more_is_not_removed(path: Path) -> None:
    """Somebody replaced it by force; it is theirs now."""
    async with serving(f"unix://{path}"):
        path.unlink()
        path.write_text("theirs")

    assert path.read_text() == "theirs"


async def test_only_one_of_many_who_start_at_once_listens(path: Path) -> None:
    """Even where each finds the socket of a dead process."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    outcomes: list[str] = []

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            async with socket_file(path):
                outcomes.append("listens")
                task_status.started()
                await trio.sleep_forever()
        except AddressInUse:
            outcomes.append("in use")
            task_status.started()

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as starting:
            for _ in range(8):
                starting.start_soon(nursery.start, start)
        nursery.cancel_scope.cancel()

    assert sorted(outcomes) == ["in use"] * 7 + ["listens"]


@pytest.mark.slow
async def test_socket_of_a_killed_server_is_replaced(path: Path) -> None:
    """It could not remove it."""
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen(); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        await trio.to_thread.run_sync(process.stdout.readline)
        with pytest.raises(AddressInUse):
            async with serving(f"unix://{path}"):
                pass
        process.kill()
        process.wait()

    async with serving(f"unix://{path}"), unix(path) as client:
        await client.initialize()


@pytest.mark.parametrize(("size", "good"), [(200, True), (201, False)])
async def test_line_may_have_its_limit(size: int, good: bool, path: Path) -> None:
    """A longer one is told, and ends the connection."""
    line = json.dumps(INITIALIZE).encode().ljust(size) + b"\n"
    async with serving(f"unix://{path}", message_bytes=200), unix(path) as client:
        await client.say(line)

        heard = await client.hear()

        if good:
            assert heard == WELCOME
            return
        assert heard["method"] == "warning"
        assert heard["params"] == {
            "threadId": None,
            "message": "connection closed: a message is longer than 200 bytes",
        }
        assert await client.hear() is None


async def test_silent_clients_are_bounded(path: Path) -> None:
    """And others are served when one of them has left or said something."""
    async with serving(f"unix://{path}", connections=2) as server, unix(path) as one:
        async with unix(path), unix(path) as third:
            assert await third.hear() is None
        await one.initialize()
        async with unix(path) as fourth:
            await fourth.initialize()
        assert server.connections.statistics().accepted == 2


async def test_requests_in_flight_end_when_the_server_does(path: Path) -> None:
    """Soon, and the client sees the end."""
    async with serving(f"unix://{path}") as server:
        client = await trio.open_unix_socket(path)
        await client.send_all(json.dumps(INITIALIZE).encode() + b"\n")
        await client.send_all(json.dumps(request(1, "wait")).encode() + b"\n")
        await until(lambda: server.handler.log == ["begin 1"])
    async with client:
        assert b'"userAgent"' in await client.receive_some()
        assert await client.receive_some() == b""
    assert server.handler.log == ["begin 1", "end 1", "disconnected 0"]
