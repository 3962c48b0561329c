"""The supervisor: owns the registry of threads, and starts, restarts and ends them."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.config import ThreadConfig
from actors.models import ModelProvider, ScriptedProvider
from actors.rollout import (
    Durability,
    Files,
    ForkedHistory,
    InitialHistory,
    NewHistory,
    PersistMode,
    ResumedHistory,
    SessionIndex,
    load_rollout_async,
    new_rollout_path,
    open_journal,
    truncate_before_nth_user_message,
)
from actors.runtime import (
    ChildSpec,
    Crash,
    DuplicateChild,
    DynamicSupervisor,
    EventChannel,
    ExitReason,
    IntensityExceeded,
    Restart,
    StopOutcome,
    Subscription,
    UnknownChild,
    World,
)
from actors.thread import (
    Thread,
    ThreadBlueprint,
    ThreadClosed,
    ThreadError,
    ThreadPorts,
    ThreadServices,
    ThreadState,
    live,
    settings_from_config,
)
from actors.tools import Tool, shell_tools, validate_dynamic_tools
from messages.events import ErrorEvent, SessionConfigured
from messages.ids import SubmissionId, ThreadId
from messages.ops import Op, RefreshMcpServers, Shutdown
from messages.settings import DynamicToolSpec, SessionSource, SourceKind
from messages.value import Json

__all__ = [
    "CloseReport",
    "HomeError",
    "NewThread",
    "Supervisor",
    "ThreadAlreadyLoaded",
    "ThreadCreated",
    "ThreadNotFound",
    "ThreadOrigin",
    "open_supervisor",
]

_log = logging.getLogger("actors")

CREATED_CAPACITY: Final = 1024
"""Announcements kept for slow readers; who falls behind lists the threads instead."""

CAPTURE_CAPACITY: Final = 100_000
"""Captured ops kept; capture is for tests, and a test that needs more has run away."""


class ThreadNotFound(ThreadError):  # noqa: N818 -- a fact about the registry
    """
    No thread with this id is loaded.

    Attributes:
        thread_id: Which one was asked for.
    """

    def __init__(self, thread_id: ThreadId) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return f"no thread with id: {self.thread_id}"


class ThreadAlreadyLoaded(ThreadError):  # noqa: N818 -- a fact about the registry
    """
    The thread is live in this supervisor already; nothing was started (P1).

    Attributes:
        thread_id: Which one.
    """

    def __init__(self, thread_id: ThreadId) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return f"thread {self.thread_id} is already loaded; use get_thread() to reach it"


class HomeError(ThreadError):
    """
    The home folder cannot be used; nothing was started.

    Attributes:
        home: Which folder.
        problem: What is wrong with it.
    """

    def __init__(self, home: Path, problem: str) -> None:
        super().__init__(home, problem)
        self.home = home
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot keep threads in {str(self.home)!r}: {self.problem}; choose another home"


class ThreadOrigin(Enum):
    """How a thread came to be."""

    START = "start"
    RESUME = "resume"
    FORK = "fork"
    AGENT = "agent"


@attrs.frozen(kw_only=True)
class ThreadCreated:
    """A thread is there; announced once, before its first op (P13)."""

    thread_id: ThreadId
    origin: ThreadOrigin


@attrs.frozen(kw_only=True)
class NewThread:
    """
    A thread that was just started, resumed or forked.

    Attributes:
        session_configured: Its first event, which its reader does not see again.
    """

    thread_id: ThreadId
    thread: Thread
    session_configured: SessionConfigured


@attrs.frozen(kw_only=True)
class CloseReport:
    """
    How each thread ended when all were closed.

    Attributes:
        completed: Ended by themselves, with everything saved.
        timed_out: Were cancelled when their grace was over.
        failed: Crashed on the way.
    """

    completed: tuple[ThreadId, ...]
    timed_out: tuple[ThreadId, ...]
    failed: tuple[ThreadId, ...]


@attrs.define(eq=False)
class Supervisor:
    """
    Starts, finds, restarts and ends threads; made by `open_supervisor`.

    A crashed thread comes back under its id from its rollout; one that crashes
    again within five seconds is given up, reported failed and removed, and its
    siblings never notice (P7).
    """

    home: Path
    session_source: SessionSource
    _services: ThreadServices
    _children: DynamicSupervisor
    _captured: list[tuple[ThreadId, Op]] | None
    # Invariant: a thread is in here from before its first event until it has ended.
    _threads: dict[ThreadId, tuple[Thread, ThreadPorts]] = attrs.field(
        factory=dict[ThreadId, tuple[Thread, ThreadPorts]], init=False
    )
    _created: EventChannel[ThreadCreated] = attrs.field(
        factory=lambda: EventChannel[ThreadCreated](capacity=CREATED_CAPACITY), init=False
    )

    async def start_thread(
        self,
        config: ThreadConfig,
        *,
        dynamic_tools: Iterable[DynamicToolSpec] = (),
        persist_extended_history: bool = False,
    ) -> NewThread:
        """
        Start a new conversation; touches no disk, network or process (P14).

        Args:
            dynamic_tools: Tools that the client runs itself.
            persist_extended_history: Whether tool results and errors are recorded too.

        Raises:
            DynamicToolError: A tool's name or schema is not possible.

        Cancellation:
            No thread was started.
        """
        mode = _mode(extended=persist_extended_history)
        tools = tuple(dynamic_tools)
        return await self._spawn(config, NewHistory(), tools, mode, ThreadOrigin.START)

    async def resume_thread_from_rollout(
        self, config: ThreadConfig, path: str | Path, *, persist_extended_history: bool = False
    ) -> NewThread:
        """
        Go on with a recorded conversation, under its own id and in its own file.

        Raises:
            RolloutError: The rollout cannot be read, or somebody else writes it.
            ThreadAlreadyLoaded: It is live in this supervisor.

        Cancellation:
            No thread was started, and the rollout is free.
        """
        loaded = await load_rollout_async(Path(path))
        history = ResumedHistory.of(loaded)
        return await self.resume_thread_with_history(
            config, history, persist_extended_history=persist_extended_history
        )

    async def resume_thread_with_history(
        self,
        config: ThreadConfig,
        history: InitialHistory,
        *,
        persist_extended_history: bool = False,
    ) -> NewThread:
        """Start a thread from any history: new, resumed or forked; raises as the others do."""
        origin = _ORIGINS[type(history)]
        mode = _mode(extended=persist_extended_history)
        return await self._spawn(config, history, (), mode, origin)

    async def fork_thread(
        self,
        nth_user_message: int | None,
        config: ThreadConfig,
        path: str | Path,
        *,
        persist_extended_history: bool = False,
    ) -> NewThread:
        """
        Start a new conversation with the beginning of a recorded one.

        Args:
            nth_user_message:
                Keep what comes before this user message, counted from 0; None
                keeps everything.  A number past the end keeps nothing but the
                link to the parent.

        Raises:
            RolloutError: The rollout cannot be read, or the fork not written.

        Cancellation:
            No thread was started; a file may have been written.
        """
        loaded = await load_rollout_async(Path(path))
        items = truncate_before_nth_user_message(loaded.items, nth_user_message)
        history = ForkedHistory(items=tuple(items), source=loaded)
        mode = _mode(extended=persist_extended_history)
        return await self._spawn(config, history, (), mode, ThreadOrigin.FORK)

    def get_thread(self, thread_id: ThreadId) -> Thread:
        """
        Find a live thread.

        Raises:
            ThreadNotFound: None has this id.
        """
        try:
            return self._threads[thread_id][0]
        except KeyError:
            raise ThreadNotFound(thread_id) from None

    def list_thread_ids(self) -> tuple[ThreadId, ...]:
        """List the live threads, oldest first."""
        return tuple(self._threads)

    async def send_op(self, thread_id: ThreadId, op: Op) -> SubmissionId:
        """
        Submit an op to a thread by its id; see `Thread.submit`.

        Raises:
            ThreadNotFound: None has this id.
        """
        return await self.get_thread(thread_id).submit(op)

    async def remove_thread(
        self, thread_id: ThreadId, *, grace: float | None = None
    ) -> Thread | None:
        """
        End a thread and take it out of the registry.

        Args:
            grace: Seconds it gets to end by itself; 5 by default.

        Returns:
            The thread, which has ended; None when there is none with this id.

        Cancellation:
            The thread was told to end and will.
        """
        found = self._threads.get(thread_id)
        if found is None:
            return None
        with suppress(UnknownChild):  # it ended by itself meanwhile
            await self._children.stop_child(thread_id, grace=grace)
        return found[0]

    async def close_all_threads(self, *, grace: float = 5.0) -> CloseReport:
        """
        Tell every thread to end, all at once, and wait for them (P8).

        Args:
            grace: Seconds they get together before those still running are cancelled.

        Cancellation:
            All were told to end and will.
        """
        outcomes = await self._children.stop_all(grace=grace)

        def ids(wanted: StopOutcome) -> tuple[ThreadId, ...]:
            return tuple(ThreadId(i) for i, outcome in outcomes.items() if outcome is wanted)

        return CloseReport(
            completed=ids(StopOutcome.COMPLETED),
            timed_out=ids(StopOutcome.TIMED_OUT),
            failed=ids(StopOutcome.FAILED),
        )

    async def refresh_mcp_servers(self, config: Json) -> None:
        """
        Tell every thread to use another configuration of MCP servers.

        Waits for room in full queues; a thread that ends meanwhile is left out.

        Cancellation:
            Some threads were told.
        """
        async with trio.open_nursery() as nursery:
            for thread, _ in tuple(self._threads.values()):
                nursery.start_soon(_submit_if_open, thread, RefreshMcpServers(config=config))

    def subscribe_thread_created(self) -> Subscription[ThreadCreated]:
        """Hear of every thread that is created from now on."""
        return self._created.subscribe()

    def captured_ops(self) -> tuple[tuple[ThreadId, Op], ...]:
        """
        List every op submitted so far, in order.

        Raises:
            RuntimeError: The supervisor was opened without ``capture_ops=True``.
        """
        if self._captured is None:
            raise RuntimeError("ops are not captured; open the supervisor with capture_ops=True")
        return tuple(self._captured)

    async def _spawn(
        self,
        config: ThreadConfig,
        history: InitialHistory,
        dynamic_tools: tuple[DynamicToolSpec, ...],
        mode: PersistMode,
        origin: ThreadOrigin,
    ) -> NewThread:
        blueprint = self._blueprint(config, history, dynamic_tools, mode)
        thread_id = blueprint.thread_id
        if thread_id in self._threads:
            raise ThreadAlreadyLoaded(thread_id)
        path = blueprint.rollout_path
        ports = ThreadPorts.open(thread_id, None if path is None else str(path), blueprint.settings)
        capture = None if self._captured is None else self._capture
        thread = Thread(ports, self._services.world.new_id, capture)
        self._threads[thread_id] = (thread, ports)
        try:
            configured = await self._children.start_child(self._spec(blueprint, ports, thread))
        except BaseException:
            self._forget(thread_id, ports, ThreadState.FAILED)
            raise
        # The reader of the thread itself goes on behind what the caller gets here.
        ports.reader.receive_nowait()
        self._created.publish(ThreadCreated(thread_id=thread_id, origin=origin))
        return NewThread(thread_id=thread_id, thread=thread, session_configured=configured)

    def _blueprint(
        self,
        config: ThreadConfig,
        history: InitialHistory,
        dynamic_tools: tuple[DynamicToolSpec, ...],
        mode: PersistMode,
    ) -> ThreadBlueprint:
        services = self._services
        world = services.world
        tools = dynamic_tools or history.dynamic_tools
        recorded = history.base_instructions
        validate_dynamic_tools(tools, [tool.name for tool in services.make_tools()])
        if isinstance(history, ResumedHistory):
            thread_id, path = history.thread_id, history.path
        else:
            thread_id = ThreadId(world.new_id())
            path = new_rollout_path(self.home, world.now(), thread_id)
        return ThreadBlueprint(
            thread_id=thread_id,
            settings=settings_from_config(
                config,
                provider=services.provider,
                source=self.session_source,
                recorded_instructions=recorded.text if recorded else None,
            ),
            history=history,
            mode=mode,
            originator=config.originator,
            cli_version=config.cli_version,
            dynamic_tools=tools,
            rollout_path=None if config.ephemeral else path,
        )

    def _spec(self, blueprint: ThreadBlueprint, ports: ThreadPorts, thread: Thread) -> ChildSpec:
        recorded = blueprint.rollout_path is not None
        return ChildSpec(
            id=blueprint.thread_id,
            run=partial(live, ports, blueprint, self._services),
            restart=Restart.TRANSIENT if recorded else Restart.TEMPORARY,
            stop=partial(_tell_shutdown, thread),
        )

    def _capture(self, thread_id: ThreadId, op: Op) -> None:
        assert self._captured is not None  # else nobody calls this
        if len(self._captured) >= CAPTURE_CAPACITY:
            raise RuntimeError(f"more than {CAPTURE_CAPACITY} ops captured; capture is for tests")
        self._captured.append((thread_id, op))

    def _forget(self, thread_id: ThreadId, ports: ThreadPorts, state: ThreadState) -> None:
        del self._threads[thread_id]
        ports.end(state)

    def on_restarting(self, child_id: str, _reason: ExitReason, _delay: float) -> None:
        """Hear that a thread crashed and will come back."""
        self._threads[ThreadId(child_id)][1].become(ThreadState.RESTARTING)

    def on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        """Hear that a thread crashed too often."""
        ports = self._threads[ThreadId(child_id)][1]
        ports.tell(SubmissionId(""), ErrorEvent(message=f"the thread failed for good: {error}"))
        ports.end(ThreadState.FAILED)

    def on_exit(self, child_id: str, reason: ExitReason) -> None:
        """Hear that a thread has ended, in whatever way."""
        thread_id = ThreadId(child_id)
        state = ThreadState.FAILED if isinstance(reason, Crash) else ThreadState.CLOSED
        self._forget(thread_id, self._threads[thread_id][1], state)

    def close(self) -> None:
        """End the announcements; the threads have ended before."""
        self._created.close()


_ORIGINS: Final = {
    NewHistory: ThreadOrigin.START,
    ResumedHistory: ThreadOrigin.RESUME,
    ForkedHistory: ThreadOrigin.FORK,
}


@asynccontextmanager
async def open_supervisor(
    *,
    home: str | Path,
    provider: ModelProvider | None = None,
    session_source: SessionSource = SourceKind.EXEC,
    durability: Durability = Durability.WRITE,
    capture_ops: bool = False,
    make_tools: Callable[[], Sequence[Tool]] | None = None,
    world: World | None = None,
    files: Files | None = None,
) -> AsyncIterator[Supervisor]:
    """
    Run a supervisor for as long as the block lasts.

    At the end of the block all threads are told to end and get five seconds; when
    the block raises or is cancelled they are cancelled.  Either way their rollouts
    are written first.

    Args:
        home: Where rollouts are kept; made when the first one is written.
        provider: Who answers model requests, closed by whoever made it; None for
            the scripted model, which needs no key and no network.
        session_source: Noted in new rollouts.
        durability: When a record counts as written.
        capture_ops: Whether to keep every op for `Supervisor.captured_ops`.
        make_tools: Builds the tools of one thread; None for the shell.
        world: Clock, ids and randomness; the real ones by default.
        files: The file system of the journal; the real one by default.

    Raises:
        HomeError: *home* is something other than a folder.
    """
    home = Path(home).absolute()
    world = world or World.system()
    await trio.to_thread.run_sync(_check_home, home)
    async with open_journal(world=world, durability=durability, files=files) as journal:
        services = ThreadServices(
            world=world,
            journal=journal,
            index=SessionIndex(home, world),
            provider=provider or ScriptedProvider(),
            make_tools=make_tools or partial(shell_tools, dict(os.environ)),
        )
        children = DynamicSupervisor("threads", jitter=world.random)
        supervisor = Supervisor(
            home, session_source, services, children, [] if capture_ops else None
        )
        children.on_exit = supervisor.on_exit
        children.on_restarting = supervisor.on_restarting
        children.on_gave_up = supervisor.on_gave_up
        try:
            async with children:
                yield supervisor
        finally:
            supervisor.close()


def _check_home(home: Path) -> None:
    if not home.exists():
        return
    if not home.is_dir():
        raise HomeError(home, "it is not a folder")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise HomeError(home, "permission denied")


def _mode(*, extended: bool) -> PersistMode:
    return PersistMode.EXTENDED if extended else PersistMode.LIMITED


def _tell_shutdown(thread: Thread) -> None:
    with suppress(ThreadClosed):  # it is ending already
        thread.submit_nowait(Shutdown())


async def _submit_if_open(thread: Thread, op: Op) -> None:
    with suppress(ThreadClosed):  # it ended meanwhile: nobody to tell
        await thread.submit(op)
