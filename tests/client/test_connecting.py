"""Ways to a server, and what is said when there is none."""

import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from actors.client import (
    CannotConnect,
    ConnectionLost,
    TokenRejected,
    connect,
    connect_process,
    open_process_client,
    open_rpc_client,
    process_client,
)
from actors.server.rpc_errors import BadToken
from actors.server.transports.bearer import Token
from actors.server.transports.listening import open_listener
from actors.supervisor import ThreadCreated, ThreadOrigin
from messages.ops import Interrupt
from tests.server.rpc_stage import stage_connections
from tests.waiting import PATIENCE

from .journey import said
from .stage import SECRET, careful, environment, folders, open_server
from .wires import Polite


@asynccontextmanager
async def serving(listen: str, token: Token | None = None) -> AsyncGenerator[str]:
    connections = stage_connections(Polite())
    async with open_listener(listen, connections, token=token) as listener:
        yield listener.url


async def failure(url: str, token: str | None = None) -> CannotConnect:
    with trio.fail_after(10), pytest.raises(CannotConnect) as failed:
        async with open_rpc_client(url, token=token):
            pass
    return failed.value


async def test_nobody_at_a_path() -> None:
    """The path may be wrong."""
    assert str(await failure("unix:///nowhere/s")) == (
        "cannot connect to unix:///nowhere/s: "
        "there is no such socket; start the server, or correct the path"
    )


async def test_path_that_is_too_long_for_a_socket() -> None:
    """The system would only say that it is."""
    assert str(await failure(f"unix:///{'x' * 107}")) == (
        f"cannot connect to unix:///{'x' * 107}: "
        "its path has 108 bytes, and that of a socket has at most 107; take a shorter one"
    )


async def test_socket_file_of_a_dead_server(tmp_path: Path) -> None:
    """It is left behind by a server that was killed."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    assert (await failure(f"unix://{path}")).problem == (
        "nobody listens there any more; start the server again"
    )


async def test_nobody_at_a_port() -> None:
    """The system says so."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert (await failure(f"ws://127.0.0.1:{port}")).problem.startswith("nobody listens there")


async def test_token_is_told_where_one_is_wanted() -> None:
    """Without it, or with another one, nothing is to be had."""
    async with serving("ws://127.0.0.1:0", Token(SECRET)) as url:
        async with open_rpc_client(url, token=SECRET) as client:
            assert await client.request("echo", {"a": "ä" * 100_000}) == {"a": "ä" * 100_000}
        wrong, missing = await failure(url, "x" * 16), await failure(url)

    assert isinstance(wrong, TokenRejected)
    assert wrong.problem == "the server wants a token; give the right token"
    assert isinstance(missing, TokenRejected)
    assert missing.problem == "the server wants a token; give its token"


async def test_whoever_speaks_something_else_is_no_server() -> None:
    """It is not believed."""

    async def talk(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"220 mail.example.org ESMTP\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, talk, 0)
        port = listeners[0].socket.getsockname()[1]
        problem = (await failure(f"ws://127.0.0.1:{port}")).problem
        nursery.cancel_scope.cancel()

    assert problem == "whoever listens there speaks no WebSocket"


@pytest.mark.parametrize(
    ("url", "token", "problem"),
    [
        ("http://a", None, "cannot connect to 'http://a'; expected unix://PATH or ws://HOST:PORT"),
        ("unix://", None, "expected unix://PATH"),
        ("ws://127.0.0.1", None, "expected unix://PATH"),
        ("ws://127.0.0.1:x", None, "expected unix://PATH"),
        ("unix:///s", SECRET, "unix:///s needs no token"),
    ],
)
async def test_addresses_that_are_none(url: str, token: str | None, problem: str) -> None:
    """And tokens where there is nobody to read them."""
    with pytest.raises(ValueError, match=problem):
        async with open_rpc_client(url, token=token):
            pass


async def test_token_that_cannot_stand_in_a_header() -> None:
    """Before anybody is asked."""
    with pytest.raises(BadToken):
        async with open_rpc_client("ws://127.0.0.1:1", token="short"):
            pass


async def test_server_that_is_no_treadle(tmp_path: Path) -> None:
    """Its threads cannot be used as if they were here."""
    async with serving(f"unix://{tmp_path}/s") as url:
        with trio.fail_after(10), pytest.raises(CannotConnect, match="is no Treadle"):
            async with connect(url):
                pass


async def test_one_client_too_many_is_told_so(tmp_path: Path) -> None:
    """By the server's last words."""
    connections = stage_connections(Polite(), connections=1)
    async with (
        open_listener(f"unix://{tmp_path}/s", connections) as listener,
        open_rpc_client(listener.url),
    ):
        assert "there are 1 clients" in (await failure(listener.url)).problem


# Child processes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (
            "import sys; print('oh', file=sys.stderr); sys.exit(3)",
            "exit code 3; the last it said: oh",
        ),
        ("print('rubbish', flush=True); input()", "the server sent what is no message"),
        ("import os; os.kill(os.getpid(), 9)", "exit code 137"),
    ],
)
@pytest.mark.slow
async def test_process_that_is_no_server(program: str, problem: str) -> None:
    """How it ended is in the error."""
    with trio.fail_after(20), pytest.raises(CannotConnect, match=problem):
        async with open_process_client([sys.executable, "-c", program]):
            pass


async def test_program_that_is_not_there() -> None:
    """It is looked for first."""
    with pytest.raises(CannotConnect, match="there is no program 'nonesuch'"):
        async with open_process_client(["nonesuch"]):
            pass


async def test_command_that_is_a_text() -> None:
    """Its letters are no words."""
    with pytest.raises(ValueError, match="a command is a list of words, got 'treadle app-server'"):
        async with open_process_client("treadle app-server"):
            pass


@pytest.mark.slow
async def test_process_ends_with_the_block_and_what_it_started_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that does not listen to the end of its input."""
    monkeypatch.setattr(process_client, "_GRACE", 0.1)
    read, write = os.pipe()
    os.set_inheritable(write, True)
    program = (
        "import sys, subprocess, time, json\n"
        "subprocess.Popen(['sleep', '1000'], stdin=subprocess.DEVNULL)\n"
        "id = json.loads(sys.stdin.readline())['id']\n"
        "welcome = dict(userAgent='', codexHome='/', platformFamily='unix', platformOs='linux')\n"
        "print(json.dumps({'id': id, 'result': welcome}), flush=True)\n"
        "time.sleep(1000)\n"
    )
    command = [sys.executable, "-c", program]
    with trio.fail_after(20):
        async with open_process_client(command, stderr=write) as client:
            os.close(write)
            assert client.welcome.codex_home == "/"
        # Nobody holds the other end any more.
        assert await trio.to_thread.run_sync(os.read, read, 1) == b""
    os.close(read)


@pytest.mark.slow
async def test_server_that_is_killed_in_a_turn_ends_everything_with_a_clear_error(
    tmp_path: Path,
) -> None:
    """What came before is read first; what is in flight says what became of it."""
    home, work = folders(tmp_path)
    pid_file = tmp_path / "pid"
    start = f'echo $$ > {pid_file}; exec "$@"'
    command = ["sh", "-c", start, "sh", sys.executable, "-m", "actors.cli", "app-server"]
    with trio.fail_after(30):
        async with connect_process(command, cwd=work, env=environment(home)) as remote:
            new = await remote.start_thread(careful(work))
            created = remote.subscribe_thread_created()
            await new.thread.submit(said("run: touch made"))
            os.kill(int(pid_file.read_text()), 9)

            with pytest.raises(ConnectionLost, match="exit code 137"):
                async for _ in new.thread.events():
                    pass
            with pytest.raises(ConnectionLost):
                await new.thread.next_event()
            with pytest.raises(ConnectionLost, match="is lost"):
                await new.thread.submit(Interrupt())
            with pytest.raises(ConnectionLost):
                new.thread.submit_nowait(said("more"))
            with pytest.raises(ConnectionLost, match="thread/start was not sent"):
                await remote.start_thread(careful(work))
            with pytest.raises(ConnectionLost):
                await created.receive()
            assert "connection lost" in repr(remote)


@pytest.mark.slow
async def test_two_kinds_of_clients_at_one_server(tmp_path: Path) -> None:
    """A socket has room for lines and frames."""
    async with (
        open_server(tmp_path) as app,
        open_listener(f"unix://{tmp_path}/s", app.connections) as first,
        open_listener("ws://127.0.0.1:0", app.connections) as second,
        connect(first.url) as one,
        connect(second.url) as other,
    ):
        created = other.subscribe_thread_created()
        new = await one.start_thread(careful(tmp_path / "work"))
        with trio.fail_after(PATIENCE):
            announced = await created.receive()
        assert announced == ThreadCreated(thread_id=new.thread_id, origin=ThreadOrigin.START)
