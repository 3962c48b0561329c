"""What programs may rely on, whether the threads are in this process or in another."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from actors.config import CollaborationModeMask, ThreadConfig
from actors.models import ModelPreset, RefreshStrategy
from actors.rollout import InitialHistory
from actors.runtime import Lagged, Watch
from actors.safety import ApprovalKey
from actors.supervisor import CloseReport, ThreadCreated
from actors.thread import SessionSettings, ThreadSnapshot, ThreadState
from messages.content import UserInputItem
from messages.events import AgentStatus, Event, SessionConfigured
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Op
from messages.settings import DynamicToolSpec
from messages.value import Json

__all__ = ["EventReader", "OpenedThread", "ThreadHandle", "ThreadManager"]

T_co = TypeVar("T_co", covariant=True)


class EventReader(Protocol[T_co]):
    """One reader, for one task at a time; see `Subscription`."""

    @property
    def next_seq(self) -> int:
        """The seq of the next event to read, if it is not lost by then."""
        ...

    async def receive(self) -> T_co | Lagged:
        """Return the next event, or a `Lagged`."""
        ...

    def receive_nowait(self) -> T_co | Lagged:
        """Return the next event, if there is one, or a `Lagged`."""
        ...

    def __aiter__(self) -> Self:
        """Iterate until everything was read that there will be."""
        ...

    async def __anext__(self) -> T_co | Lagged:
        """Return the next event, or a `Lagged`."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class ThreadHandle(Protocol):
    """One conversation; see `Thread`."""

    @property
    def thread_id(self) -> ThreadId:
        """Which thread this is."""
        ...

    @property
    def rollout_path(self) -> str | None:
        """Where the rollout is, where the thread runs; None if ephemeral."""
        ...

    @property
    def state(self) -> ThreadState:
        """Where the thread is in its life."""
        ...

    @property
    def config_snapshot(self) -> SessionSettings:
        """The settings in force for the next turn."""
        ...

    def snapshot(self) -> ThreadSnapshot:
        """Look at the thread."""
        ...

    def agent_status(self) -> AgentStatus:
        """Tell what the agent is doing, or how its last turn went."""
        ...

    def watch_status(self) -> Watch[AgentStatus]:
        """Watch the status; only the latest value can be seen."""
        ...

    async def submit(self, op: Op) -> SubmissionId:
        """Queue an op; its effects come as events."""
        ...

    def submit_nowait(self, op: Op) -> SubmissionId:
        """Queue an op without waiting for room."""
        ...

    async def steer_input(
        self, items: tuple[UserInputItem, ...], *, expected_turn_id: TurnId | None = None
    ) -> TurnId:
        """Let input join the running turn at its next model request."""
        ...

    async def revoke_approval(self, approval: ApprovalKey) -> bool:
        """Take back something that the user allowed for the session."""
        ...

    async def next_event(self) -> Event | Lagged:
        """Wait for the next event of the thread's own reader."""
        ...

    def events(self, *, from_seq: int | None = None) -> EventReader[Event]:
        """Iterate over the events, until the thread ends."""
        ...

    def subscribe(self, *, from_seq: int | None = None) -> EventReader[Event]:
        """Read events at a pace of one's own."""
        ...


class OpenedThread(Protocol):
    """A thread that was just started, resumed or forked; see `NewThread`."""

    @property
    def thread_id(self) -> ThreadId:
        """Which thread."""
        ...

    @property
    def thread(self) -> ThreadHandle:
        """Its handle."""
        ...

    @property
    def session_configured(self) -> SessionConfigured:
        """Its first event, which its reader does not see again."""
        ...


class ThreadManager(Protocol):
    """Starts, finds and ends threads; see `Supervisor`."""

    async def start_thread(
        self,
        config: ThreadConfig,
        *,
        dynamic_tools: Iterable[DynamicToolSpec] = (),
        persist_extended_history: bool = False,
    ) -> OpenedThread:
        """Start a new conversation."""
        ...

    async def resume_thread_from_rollout(
        self, config: ThreadConfig, path: str | Path, *, persist_extended_history: bool = False
    ) -> OpenedThread:
        """Go on with a recorded conversation."""
        ...

    async def resume_thread_with_history(
        self,
        config: ThreadConfig,
        history: InitialHistory,
        *,
        persist_extended_history: bool = False,
    ) -> OpenedThread:
        """Start a thread from a history."""
        ...

    async def fork_thread(
        self,
        nth_user_message: int | None,
        config: ThreadConfig,
        path: str | Path,
        *,
        persist_extended_history: bool = False,
    ) -> OpenedThread:
        """Start a new conversation with the beginning of a recorded one."""
        ...

    def get_thread(self, thread_id: ThreadId) -> ThreadHandle:
        """Find a live thread."""
        ...

    def list_thread_ids(self) -> tuple[ThreadId, ...]:
        """List the live threads, oldest first."""
        ...

    def children_of(self, thread_id: ThreadId) -> tuple[ThreadId, ...]:
        """List the live threads that end with this one."""
        ...

    def parent_of(self, thread_id: ThreadId) -> ThreadId | None:
        """Tell with which thread a live thread ends."""
        ...

    async def send_op(self, thread_id: ThreadId, op: Op) -> SubmissionId:
        """Submit an op to a thread by its id."""
        ...

    async def remove_thread(
        self, thread_id: ThreadId, *, grace: float | None = None
    ) -> ThreadHandle | None:
        """End a thread and those below it."""
        ...

    async def close_all_threads(self, *, grace: float = 5.0) -> CloseReport:
        """Tell threads to end, all at once, and wait for them."""
        ...

    async def refresh_mcp_servers(self, config: Json) -> None:
        """Tell every thread to use another configuration of MCP servers."""
        ...

    def subscribe_thread_created(self) -> EventReader[ThreadCreated]:
        """Hear of every thread that is created from now on."""
        ...

    async def list_models(
        self, refresh: RefreshStrategy = RefreshStrategy.ONLINE_IF_UNCACHED
    ) -> tuple[ModelPreset, ...]:
        """List the provider's models."""
        ...

    def list_collaboration_modes(self) -> tuple[CollaborationModeMask, ...]:
        """List the modes that a client can offer."""
        ...

    def captured_ops(self) -> tuple[tuple[ThreadId, Op], ...]:
        """List every op submitted so far."""
        ...
