"""Connecting to a server whose threads are to be used as if they were here."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from actors.runtime import World
from actors.server.rpc_limits import Limits
from actors.server.transports.message_stream import MessageStream
from messages.codec import from_json
from messages.ids import ThreadId
from messages.rpc.handshake import ClientInfo, InitializeCapabilities
from messages.rpc.thread_pages import ThreadLoadedListParams, ThreadLoadedListResponse
from messages.rpc.treadle import TreadleCloseParams

from .ending import open_ending_nursery
from .errors import CannotConnect, ConnectionLost, RpcCallError
from .hearing import Hearing
from .process_client import open_process_stream
from .remote import RemoteSupervisor
from .rpc_client import RpcClient, open_rpc_client

__all__ = ["connect", "connect_process"]

_CAPABILITIES: Final = InitializeCapabilities(experimental_api=True, treadle_events=True)

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"

_NO_TREADLE: Final = (
    "it speaks the app-server protocol but is no Treadle that gives events of threads; "
    "use open_rpc_client, or a server of this version"
)


@asynccontextmanager
async def connect(
    where: str | MessageStream,
    *,
    token: str | None = None,
    client_info: ClientInfo | None = None,
    limits: Limits | None = None,
    world: World | None = None,
) -> AsyncGenerator[RemoteSupervisor]:
    """
    Use the threads of a server, for as long as the block lasts; then they go on there.

    A connection that is lost is not made again.  Whoever waits for an answer, or reads
    events, gets a `ConnectionLost`, after the last event that came.

    Args:
        where: ``unix://PATH``, ``ws://HOST:PORT``, or a stream, which is closed in the end.
        token: What a server at a TCP port wants to know.
        client_info: Who we are; the server notes it in new threads.
        limits: `Limits.message_bytes` is the longest message that is read.
        world: Where ids come from; the real one by default.

    Raises:
        CannotConnect: Nobody is there, it does not want us, or it is no Treadle.
        TokenRejected: It wants another token.
        ValueError: The address has none of the forms, or the token cannot be one.
    """
    world = world or World.system()
    hearing = Hearing(world.new_id)
    async with (
        open_rpc_client(
            where,
            token=token,
            client_info=client_info,
            capabilities=_CAPABILITIES,
            limits=limits,
            listener=hearing.take,
            on_lost=hearing.lose,
        ) as rpc,
        open_ending_nursery() as nursery,
    ):
        hearing.bind(rpc, nursery)
        supervisor = RemoteSupervisor(rpc, hearing, world)
        hearing.on_end = supervisor.forget
        await _look_around(rpc, hearing)
        yield supervisor


async def _look_around(rpc: RpcClient, hearing: Hearing) -> None:
    """Check that the server is one of ours, and list its threads."""
    try:
        await rpc.request("treadle/close", TreadleCloseParams(thread_id=_NOBODY))
        answer = await rpc.request("thread/loaded/list", ThreadLoadedListParams())
    except RpcCallError as exc:
        raise CannotConnect(rpc.server, _NO_TREADLE) from exc
    except ConnectionLost as exc:
        raise CannotConnect(rpc.server, exc.problem) from exc
    for thread_id in from_json(answer, ThreadLoadedListResponse).data:
        hearing.mirror.add(ThreadId(thread_id))


@asynccontextmanager
async def connect_process(
    command: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
    client_info: ClientInfo | None = None,
    limits: Limits | None = None,
    world: World | None = None,
) -> AsyncGenerator[RemoteSupervisor]:
    """
    Start a server and use its threads, for as long as the block lasts; it ends with it.

    See `connect`, and `open_process_stream` for the process.

    Args:
        command: Such as ``["treadle", "app-server"]``.
        cwd: Where it runs; here by default.
        env: Exactly its variables; those of this process by default.
        stderr: Descriptor that gets its standard error; None keeps the end for errors.
        client_info: Who we are; the server notes it in new threads.
        limits: `Limits.message_bytes` is the longest message that is read.
        world: Where ids come from; the real one by default.

    Raises:
        CannotConnect: It could not be started, or is no Treadle.
    """
    async with (
        open_process_stream(command, cwd=cwd, env=env, stderr=stderr, limits=limits) as stream,
        connect(stream, client_info=client_info, limits=limits, world=world) as supervisor,
    ):
        yield supervisor
