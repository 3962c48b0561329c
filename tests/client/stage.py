"""The same threads in four places: here, behind two kinds of sockets, and in a child process."""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from actors import ThreadConfig, open_supervisor
from actors.client import RemoteSupervisor, ThreadManager, connect, connect_process
from actors.server.app import AppServer
from actors.server.serving import ServeRecipe, open_serving
from actors.server.transports.bearer import Token
from actors.server.transports.listening import open_listener
from messages.settings import AskForApproval, DangerFullAccess, SourceKind

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef"
PLACES = ("here", "unix", "websocket", "process")


def folders(tmp_path: Path) -> tuple[Path, Path]:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    return home, work


def environment(home: Path) -> dict[str, str]:
    """Nothing of the machine's that could find its way into a thread."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TREADLE_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }


def careful(work: Path) -> ThreadConfig:
    """Ask before each command, and let it do what it wants then."""
    return ThreadConfig(
        cwd=str(work),
        approval_policy=AskForApproval.UNTRUSTED,
        sandbox_policy=DangerFullAccess(),
    )


@asynccontextmanager
async def open_server(tmp_path: Path) -> AsyncGenerator[AppServer]:
    home, work = folders(tmp_path)
    async with open_serving(ServeRecipe(home=str(home), cwd=str(work)), environment(home)) as app:
        yield app


@asynccontextmanager
async def serving_unix(tmp_path: Path) -> AsyncGenerator[tuple[AppServer, str]]:
    url = f"unix://{tmp_path}/s"
    async with open_server(tmp_path) as app, open_listener(url, app.connections):
        yield app, url


@asynccontextmanager
async def open_place(place: str, tmp_path: Path) -> AsyncGenerator[ThreadManager]:
    """Have a manager of threads in one of the `PLACES`."""
    home, work = folders(tmp_path)
    with trio.fail_after(60):
        match place:
            case "here":
                async with open_supervisor(
                    home=home, session_source=SourceKind.VSCODE
                ) as supervisor:
                    yield supervisor
            case "unix":
                async with serving_unix(tmp_path) as (_, url), connect(url) as remote:
                    yield remote
            case "websocket":
                listen, token = "ws://127.0.0.1:0", Token(SECRET)
                async with (
                    open_server(tmp_path) as app,
                    open_listener(listen, app.connections, token=token) as listener,
                    connect(listener.url, token=SECRET) as remote,
                ):
                    yield remote
            case _:
                command = [sys.executable, "-m", "actors.cli", "app-server"]
                async with connect_process(command, cwd=work, env=environment(home)) as remote:
                    yield remote


@asynccontextmanager
async def open_remote(tmp_path: Path) -> AsyncGenerator[RemoteSupervisor]:
    """Connect to a server in this process."""
    async with serving_unix(tmp_path) as (_, url), connect(url) as remote:
        yield remote
