"""The registry of threads: starts, finds, restarts and ends them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.config import CollaborationModeMask, ThreadConfig, list_collaboration_modes
from actors.models import ModelCatalog, ModelPreset, RefreshStrategy
from actors.rollout import (
    ForkedHistory,
    InitialHistory,
    NewHistory,
    PersistMode,
    ResumedHistory,
    load_rollout_async,
    parse_thread_id,
    read_aside,
    truncate_before_nth_user_message,
)
from actors.runtime import (
    ChildSpec,
    Crash,
    DynamicSupervisor,
    EventChannel,
    ExitReason,
    IntensityExceeded,
    MailboxClosed,
    MailboxFull,
    NotStarted,
    Restart,
    StopOutcome,
    Subscription,
    UnknownChild,
)
from actors.thread import (
    SkillsChanged,
    Thread,
    ThreadBlueprint,
    ThreadClosed,
    ThreadPorts,
    ThreadServices,
    ThreadState,
    live,
)
from actors.watcher import FileWatcherEvent
from messages.events import ErrorEvent, Event
from messages.ids import SubmissionId, ThreadId
from messages.ops import Op, RefreshMcpServers, Shutdown
from messages.settings import DynamicToolSpec, SessionSource
from messages.value import Json

from .agents import AgentGround, Agents
from .errors import ThreadAlreadyLoaded, ThreadNotFound
from .members import CHILD_GRACE, Member, check_room, live_tied, tell_to_end
from .start import ThreadStart, blueprint_of
from .values import (
    CloseReport,
    NewThread,
    RegistryStatistics,
    ThreadCreated,
    ThreadOrigin,
)

__all__ = [
    "Supervisor",
]

CREATED_CAPACITY: Final = 1024
"""Announcements kept for slow readers; who falls behind lists the threads instead."""

CAPTURE_CAPACITY: Final = 100_000
"""Captured ops kept; capture is for tests, and a test that needs more has run away."""


@attrs.define(eq=False, repr=False)
class Supervisor:
    """
    Starts, finds, restarts and ends threads; made by `open_supervisor`.

    A crashed thread comes back under its id from its rollout; one that crashes
    again within five seconds is given up, reported failed and removed, and its
    siblings never notice (P7).

    Attributes:
        home: Where rollouts are kept.
        session_source: Noted in new rollouts.
    """

    home: Path
    session_source: SessionSource
    _services: ThreadServices
    _children: DynamicSupervisor
    _captured: list[tuple[ThreadId, Op]] | None
    _catalog: ModelCatalog
    _agents: Agents = attrs.field(factory=Agents)
    # Invariant: a thread is in here from before its first event until it has ended.
    # Bounded by the embedder only, as is the number of threads.
    _threads: dict[ThreadId, Member] = attrs.field(factory=dict[ThreadId, Member], init=False)
    _created: EventChannel[ThreadCreated] = attrs.field(
        factory=lambda: EventChannel[ThreadCreated](capacity=CREATED_CAPACITY), init=False
    )

    def __attrs_post_init__(self) -> None:
        self._agents.bind(
            AgentGround(home=self.home, find=self._find, start=self._start, end=self.remove_thread)
        )

    async def start_thread(
        self,
        config: ThreadConfig,
        *,
        dynamic_tools: Iterable[DynamicToolSpec] = (),
        persist_extended_history: bool = False,
        thread_id: ThreadId | None = None,
    ) -> NewThread:
        """
        Start a new conversation; touches no disk, network or process (P14).

        Args:
            dynamic_tools: Tools that the client runs itself.
            persist_extended_history: Whether tool results and errors are recorded too.
            thread_id:
                The id of a thread that had begun elsewhere, and of which nothing was
                recorded; the caller knows that.  None for a new one.

        Raises:
            ValueError: The given id is none.
            ThreadAlreadyLoaded: The given id is that of a live thread.
            DynamicToolInvalid: A tool's name or schema is not possible.
            SupervisorStopped: The block of `open_supervisor` was left.
            ThreadClosed: It was told to end while it was starting.

        Cancellation:
            No thread was started.
        """
        if thread_id is not None and parse_thread_id(thread_id) != thread_id:
            raise ValueError(f"expected a UUID in lower case with hyphens, got {thread_id!r}")
        return await self._start(
            ThreadStart(
                config=config,
                history=NewHistory(),
                origin=ThreadOrigin.START,
                dynamic_tools=tuple(dynamic_tools),
                mode=_mode(extended=persist_extended_history),
                thread_id=thread_id,
            )
        )

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
        return await self._start(
            ThreadStart(
                config=config,
                history=history,
                origin=_ORIGINS[type(history)],
                mode=_mode(extended=persist_extended_history),
            )
        )

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
            ValueError: *nth_user_message* is negative.

        Cancellation:
            No thread was started; a file may have been written.
        """
        if nth_user_message is not None and nth_user_message < 0:
            raise ValueError(f"user messages are counted from 0, not {nth_user_message}")
        loaded = await load_rollout_async(Path(path))
        items = await read_aside(
            loaded.items, lambda: truncate_before_nth_user_message(loaded.items, nth_user_message)
        )
        history = ForkedHistory(items=items, source=loaded)
        return await self.resume_thread_with_history(
            config, history, persist_extended_history=persist_extended_history
        )

    def get_thread(self, thread_id: ThreadId) -> Thread:
        """
        Find a live thread.

        Raises:
            ThreadNotFound: None has this id.
        """
        return self._found(thread_id).thread

    def list_thread_ids(self) -> tuple[ThreadId, ...]:
        """List the live threads, oldest first."""
        return tuple(i for i, found in self._threads.items() if found.announced)

    def children_of(self, thread_id: ThreadId) -> tuple[ThreadId, ...]:
        """
        List the live threads that end with this one, oldest first: its agents and reviews.

        Those below its children are not among them.

        Raises:
            ThreadNotFound: None has this id.
        """
        children = self._found(thread_id).children
        return tuple(c.thread.thread_id for c in children if c.announced and not c.has_ended)

    def parent_of(self, thread_id: ThreadId) -> ThreadId | None:
        """
        Tell with which thread a live thread ends; None for one that a client started.

        Raises:
            ThreadNotFound: None has this id.
        """
        tie = self._found(thread_id).tie
        return None if tie is None else tie.parent.thread.thread_id

    def lead_events(self, thread_id: ThreadId) -> Subscription[Event]:
        """
        Read the events of a live thread from the first on, to tell others what comes.

        For a server, which has many threads: the thread keeps no event any more that all
        have read who read.  `Thread.next_event`, if nobody has called it yet, begins with
        what comes when it is called.

        Raises:
            ThreadNotFound: None has this id.
        """
        return self._found(thread_id).ports.lead()

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
        End a thread and those below it, and take them out of the registry.

        All are told at once.

        Args:
            grace: Seconds they get to end by themselves; 5 by default.

        Returns:
            The thread; None when there is none with this id.  It has ended, or was
            cancelled and has a tool that does not stop; and so have those below it.

        Cancellation:
            They were told to end and will.
        """
        found = self._threads.get(thread_id)
        if found is None:
            return None
        grace = CHILD_GRACE if grace is None else grace
        deadline = trio.current_time() + grace + self._children.cancel_grace
        below = tuple(found.below())
        for member in (found, *below):
            tell_to_end(member, grace)
        with suppress(UnknownChild):  # it ended by itself meanwhile
            await self._children.stop_child(thread_id, grace=grace)
        with trio.move_on_at(deadline):
            await _wait_ended(below)
        return found.thread

    async def close_all_threads(self, *, grace: float = 5.0) -> CloseReport:
        """
        Tell every thread to end, all at once, and wait for them (P8).

        Threads that are just starting do not start.

        Args:
            grace: Seconds they get together before those still running are cancelled.

        Cancellation:
            All were told to end and will.
        """
        threads = dict(self._threads)
        outcomes = await self._children.stop_all(grace=grace)
        ended: dict[StopOutcome, list[ThreadId]] = {outcome: [] for outcome in StopOutcome}
        for child_id, outcome in outcomes.items():
            thread_id = ThreadId(child_id)
            if threads[thread_id].ports.state is ThreadState.FAILED:
                outcome = StopOutcome.FAILED  # noqa: PLW2901 -- a crash the thread dealt with
            ended[outcome].append(thread_id)
        return CloseReport(
            completed=tuple(ended[StopOutcome.COMPLETED]),
            timed_out=tuple(ended[StopOutcome.TIMED_OUT]),
            failed=tuple(ended[StopOutcome.FAILED]),
        )

    async def refresh_mcp_servers(self, config: Json) -> None:
        """
        Tell every thread to use another configuration of MCP servers.

        Waits for room in full queues; a thread that ends meanwhile is left out.

        Cancellation:
            Some threads were told.
        """
        async with trio.open_nursery() as nursery:
            for thread_id in self.list_thread_ids():
                op = RefreshMcpServers(config=config)
                nursery.start_soon(_submit_if_open, self._threads[thread_id].thread, op)

    def subscribe_file_watcher(self) -> Subscription[FileWatcherEvent]:
        """Hear of every change of skills from now on; see `Watcher.subscribe`."""
        return self._services.watcher.subscribe()

    async def relay_changes(self, events: Subscription[FileWatcherEvent]) -> None:
        """Tell threads that skills changed, until the watcher ends; for `open_supervisor`."""
        async for _ in events:  # also a lag: then everything may have changed
            for member in self._threads.values():
                if member.config.skill_roots:
                    # Full: it will be told by the one that is waiting there, or is stuck.
                    with suppress(MailboxClosed, MailboxFull):
                        member.ports.mailbox.send_control_nowait(SkillsChanged())

    def subscribe_thread_created(self) -> Subscription[ThreadCreated]:
        """Hear of every thread that is created from now on."""
        return self._created.subscribe()

    async def list_models(
        self, refresh: RefreshStrategy = RefreshStrategy.ONLINE_IF_UNCACHED
    ) -> tuple[ModelPreset, ...]:
        """
        List the provider's models, best first, hidden ones included.

        What cannot be fetched is logged, and the list is what is known.

        Cancellation:
            A fetch that others wait for goes on.
        """
        return await self._catalog.list_models(refresh)

    def list_collaboration_modes(self) -> tuple[CollaborationModeMask, ...]:
        """List the modes that a client can offer."""
        return list_collaboration_modes()

    def captured_ops(self) -> tuple[tuple[ThreadId, Op], ...]:
        """
        List every op submitted so far, in order.

        Raises:
            RuntimeError: The supervisor was opened without ``capture_ops=True``.
        """
        if self._captured is None:
            raise RuntimeError("ops are not captured; open the supervisor with capture_ops=True")
        return tuple(self._captured)

    def statistics(self) -> RegistryStatistics:
        """Return how many threads there are, in what state, and how the disk does."""
        journal = self._services.journal.statistics()
        return RegistryStatistics(
            threads=Counter(found.ports.state for found in self._threads.values()),
            failing_rollouts=journal.failing,
            pending_bytes=journal.pending_bytes,
        )

    def _find(self, thread_id: ThreadId) -> Member | None:
        found = self._threads.get(thread_id)
        return found if found is not None and found.announced else None

    def _found(self, thread_id: ThreadId) -> Member:
        found = self._find(thread_id)
        if found is None:
            raise ThreadNotFound(thread_id)
        return found

    async def _start(self, start: ThreadStart) -> NewThread:
        blueprint = blueprint_of(start, self._services, self.home, self.session_source)
        thread_id = blueprint.thread_id
        if thread_id in self._threads:
            raise ThreadAlreadyLoaded(thread_id)
        path = blueprint.rollout_path
        path_text = None if path is None else str(path)
        ports = ThreadPorts.open(thread_id, path_text, blueprint.settings, start.history)
        capture = None if self._captured is None else self._capture
        thread = Thread(ports, self._services.world.new_id, capture)
        member = Member(thread, ports, start.config, start.tie)
        # From the check to the entry, which takes the slot, nothing waits.
        check_room(start.tie)
        self._threads[thread_id] = member
        member.link()
        try:
            configured = await self._children.start_child(self._spec(blueprint, member))
        except BaseException as error:
            self._forget(thread_id, ThreadState.FAILED)
            if isinstance(error, NotStarted):
                raise ThreadClosed(thread_id) from None
            raise
        # The reader of the thread itself goes on behind what the caller gets here.
        ports.reader.receive_nowait()
        member.announced = True
        self._created.publish(ThreadCreated(thread_id=thread_id, origin=start.origin))
        return NewThread(thread_id=thread_id, thread=thread, session_configured=configured)

    def _spec(self, blueprint: ThreadBlueprint, member: Member) -> ChildSpec:
        recorded = blueprint.rollout_path is not None
        run: Callable[..., Awaitable[None]]
        run = partial(live, member.ports, blueprint, self._services)
        if member.tie is not None:
            run = partial(live_tied, member.tie, run)
        return ChildSpec(
            id=blueprint.thread_id,
            run=run,
            restart=Restart.TRANSIENT if recorded else Restart.TEMPORARY,
            stop=partial(_tell_shutdown, member),
        )

    def _capture(self, thread_id: ThreadId, op: Op) -> None:
        assert self._captured is not None  # else nobody calls this
        if len(self._captured) >= CAPTURE_CAPACITY:
            raise RuntimeError(f"more than {CAPTURE_CAPACITY} ops captured; capture is for tests")
        self._captured.append((thread_id, op))

    def _forget(self, thread_id: ThreadId, state: ThreadState) -> None:
        member = self._threads.pop(thread_id)
        member.ports.end(state)
        for below in tuple(member.below()):
            tell_to_end(below, CHILD_GRACE)
        member.unlink()
        if member.tie is not None:
            member.tie.ended.set()

    def on_restarting(self, child_id: str, _reason: ExitReason, _delay: float) -> None:
        """Hear that a thread crashed and will come back."""
        self._threads[ThreadId(child_id)].ports.become(ThreadState.RESTARTING)

    def on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        """Hear that a thread crashed too often."""
        ports = self._threads[ThreadId(child_id)].ports
        ports.tell(SubmissionId(""), ErrorEvent(message=f"the thread failed for good: {error}"))
        ports.end(ThreadState.FAILED)

    def on_exit(self, child_id: str, reason: ExitReason) -> None:
        """Hear that a thread has ended, in whatever way."""
        state = ThreadState.FAILED if isinstance(reason, Crash) else ThreadState.CLOSED
        self._forget(ThreadId(child_id), state)

    def close(self) -> None:
        """End the announcements, and the work of agents; the threads have ended before."""
        self._created.close()
        self._agents.unbind()

    def __repr__(self) -> str:
        return f"<Supervisor {str(self.home)!r}: {len(self._threads)} threads>"


_ORIGINS: Final = {
    NewHistory: ThreadOrigin.START,
    ResumedHistory: ThreadOrigin.RESUME,
    ForkedHistory: ThreadOrigin.FORK,
}


def _mode(*, extended: bool) -> PersistMode:
    return PersistMode.EXTENDED if extended else PersistMode.LIMITED


def _tell_shutdown(member: Member) -> None:
    if member.tie is not None:
        if member.tie.told:
            return
        member.tie.told = True
    with suppress(ThreadClosed):  # it is ending already
        member.thread.submit_nowait(Shutdown())


async def _wait_ended(members: Iterable[Member]) -> None:
    for member in members:
        if member.tie is not None:
            await member.tie.ended.wait()


async def _submit_if_open(thread: Thread, op: Op) -> None:
    with suppress(ThreadClosed):  # it ended meanwhile: nobody to tell
        await thread.submit(op)
