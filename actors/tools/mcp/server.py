"""The owner of one server: a task that starts it, holds its session, and ends it."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar, cast

import attrs
import trio

from actors.runtime import Reply, Watch

from .connection import Connection, open_connection
from .elicitation import Elicitations
from .errors import McpServerLost, McpStartError, StartProblem
from .launch import Launch
from .listing import TOOLS_AT_MOST, ListedTool, read_listing
from .sdk import load_sdk

__all__ = ["Failed", "McpServer", "Ready", "ServerState", "Starting", "is_settled"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_BETWEEN_LISTINGS: Final = 1.0
"""Seconds between two lists of tools: a server that changes them all the time is not asked
all the time."""


@attrs.frozen
class Starting:
    """It is not there yet, or not there again."""


@attrs.frozen
class Ready:
    """
    It takes calls.

    Attributes:
        tools: What it offers, in its own order.
    """

    tools: tuple[ListedTool, ...]


@attrs.frozen
class Failed:
    """It did not start, or ended too often; nothing of it runs."""

    error: McpStartError


ServerState: TypeAlias = Starting | Ready | Failed


def is_settled(state: ServerState) -> bool:
    """Whether a server is not on its way to be ready."""
    return not isinstance(state, Starting)


@attrs.define(eq=False, repr=False)
class McpServer:
    """
    One server, shared by all threads whose configurations say the same.

    `run` is the child of a supervisor, which runs it again when it crashes: that is when
    a server ends that had been ready.  A server that cannot start in the first place is
    no crash; `run` returns, and `state` says why.

    Attributes:
        id: Among the servers of the pool.
        state: Where it stands; watched by whoever waits for it.
        listeners: Told of each new state, in the owner's task; must not wait.
        attempted: When it was last started, on trio's clock.
    """

    id: str
    _prepare: Callable[[], Launch]
    state: Watch[ServerState] = attrs.field(
        factory=lambda: Watch[ServerState](Starting()), init=False
    )
    listeners: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]], init=False)
    elicitations: Elicitations = attrs.field(factory=Elicitations, init=False)
    attempted: float = attrs.field(default=-math.inf, init=False)

    _was_ready: bool = attrs.field(default=False, init=False)
    # The open session and the nursery of its calls, while there is one.
    _open: tuple[Connection, trio.Nursery] | None = attrs.field(default=None, init=False)
    # Around the start, so that it can be called off.
    _patience: trio.CancelScope | None = attrs.field(default=None, init=False)
    _stop: trio.Event = attrs.field(factory=trio.Event, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    # Living -------------------------------------------------------------

    @property
    def unborn(self) -> bool:
        """Whether nobody has started it yet."""
        return self.attempted == -math.inf

    def prepare_start(self) -> None:
        """Look as if started: whoever waits for it waits from now on."""
        self.attempted = trio.current_time()
        self._was_ready = False
        self.tell(Starting())

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """
        Be the owner of the server until it ends or is told to stop.

        Raises:
            McpServerLost: The server ended by itself.
            McpStartError: It had been ready before, and did not start again.

        Cancellation:
            The server is ended before `trio.Cancelled` goes on.
        """
        task_status.started()
        try:
            await self._live()
        except McpStartError as error:
            if self._was_ready:
                raise
            _logger.info("MCP server %s did not start", self.id)
            self.tell(Failed(error))

    def stop(self) -> None:
        """Tell the owner to let the server end; one that still starts is cancelled."""
        self._stop.set()
        if self._open is not None:
            self._open[0].ended.set()
        elif self._patience is not None:
            self._patience.cancel()

    def tell(self, state: ServerState) -> None:
        """Take a new state, and tell everybody, unless it is the same."""
        if state == self.state.value and self.state.version:
            return
        self.state.set(state)
        for listener in tuple(self.listeners):
            listener()

    async def _live(self) -> None:
        launch = self._prepare()
        await load_sdk()
        # Around everything, and without a deadline once the server is ready: scopes inside
        # would have to end before the session, which they are to watch.
        with trio.CancelScope(deadline=trio.current_time() + launch.startup_timeout) as patience:
            self._patience = patience
            try:
                await self._connect(launch, patience)
            except Exception as error:  # noqa: BLE001 -- a transport may break in any way
                raise self._end_of(error) from None
            except BaseExceptionGroup as group:
                # Cancelled while it broke: the cancellation goes on, the rest is the same.
                _, rest = group.split(Exception)
                raise rest or group from None
        if patience.cancelled_caught and not self._stop.is_set():
            raise McpStartError(
                f"timed out after {launch.startup_timeout:g} seconds", StartProblem.TIMED_OUT
            )

    async def _connect(self, launch: Launch, patience: trio.CancelScope) -> None:
        async with open_connection(
            launch, elicit=self.elicitations.ask, on_tools_changed=self._note_change
        ) as connection:
            patience.deadline = trio.current_time() + launch.startup_timeout
            try:
                tools = read_listing(await connection.list_tools(TOOLS_AT_MOST))
            except Exception as error:
                raise connection.start_error(error) from error
            patience.deadline = math.inf
            await self._serve(connection, tools)
        if not self._stop.is_set():
            raise McpServerLost(connection.farewell.text())

    async def _serve(self, connection: Connection, tools: tuple[ListedTool, ...]) -> None:
        if self._stop.is_set():
            return
        async with trio.open_nursery() as nursery:
            self._open = (connection, nursery)
            self._was_ready = True
            self.tell(Ready(tools))
            nursery.start_soon(self._follow, connection)
            try:
                await connection.ended.wait()
            finally:
                self._open = None
                if not self._stop.is_set():
                    self.tell(Starting())
                nursery.cancel_scope.cancel()

    def _end_of(self, crashes: Exception) -> McpStartError | McpServerLost:
        """Find the one thing to say about a connection that broke."""
        error = _first(crashes)
        if isinstance(error, McpStartError | McpServerLost):
            return error
        text = f"the server could not be reached ({type(error).__name__})"
        return McpServerLost(text) if self._was_ready else McpStartError(text)

    # Tools that change ----------------------------------------------------

    async def _follow(self, connection: Connection) -> None:
        """List the tools again whenever the server says so."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_notices, connection)
            while True:
                await self._changed.wait()
                self._changed = trio.Event()
                try:
                    entries = await connection.list_tools(TOOLS_AT_MOST)
                except Exception as error:  # noqa: BLE001 -- a request may fail in any way
                    text = connection.explain(error).text
                    _logger.warning("MCP server %s lists no tools: %s", self.id, text)
                else:
                    self.tell(Ready(read_listing(entries)))
                await trio.sleep(_BETWEEN_LISTINGS)

    def _note_change(self) -> None:
        self._changed.set()

    async def _hear_notices(self, connection: Connection) -> None:
        try:
            await connection.follow_tools(self._note_change)
        except Exception:  # noqa: BLE001 -- a service that the server need not give
            _logger.debug("MCP server %s will not tell of changes", self.id)

    # Calls ----------------------------------------------------------------

    async def request(self, send: Callable[[Connection], Awaitable[T]]) -> T:
        """
        Have the owner send a request; waits while the server starts.

        Args:
            send: What to do with the session; runs in the owner's nursery.

        Raises:
            McpCallError: The server did not do it.
            McpServerLost: It ended meanwhile.

        Cancellation:
            At once; the owner tells the server to give it up.
        """
        state = await self.state.wait_for(is_settled)
        if isinstance(state, Failed):
            raise McpServerLost(state.error.text)
        if self._open is None:
            raise McpServerLost("the server is not ready")
        connection, nursery = self._open
        # Not in the caller's own task: a server that does not read would hold it back when
        # it is cancelled, because the notice of that is shielded by the SDK.
        reply: Reply[T] = Reply()
        scope = trio.CancelScope()
        nursery.start_soon(_carry, send, connection, reply, scope)
        try:
            return await reply.wait()
        finally:
            scope.cancel()

    def __repr__(self) -> str:
        return f"<McpServer {self.id!r}: {type(self.state.value).__name__.lower()}>"


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        error = group.exceptions[0]
    return error


async def _carry(
    send: Callable[[Connection], Awaitable[T]],
    connection: Connection,
    reply: Reply[T],
    scope: trio.CancelScope,
) -> None:
    try:
        with scope:
            reply.answer(await send(connection))
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is the answer
        reply.fail(connection.explain(error))
    finally:
        if not reply.answered:
            reply.fail(McpServerLost(connection.farewell.text()))
