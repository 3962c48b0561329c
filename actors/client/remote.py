"""A supervisor elsewhere, as if it were here."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.config import CollaborationModeMask, ThreadConfig, list_collaboration_modes
from actors.models import ModelPreset, RefreshStrategy
from actors.rollout import (
    ForkedHistory,
    InitialHistory,
    NewHistory,
    ResumedHistory,
)
from actors.runtime import MailboxFull, World
from actors.supervisor import CloseReport, ThreadAlreadyLoaded, ThreadCreated, ThreadNotFound
from actors.thread import ThreadClosed
from messages.codec import from_json
from messages.events import SessionConfigured
from messages.ids import SubmissionId, ThreadId
from messages.ops import Op, RefreshMcpServers
from messages.rpc.catalogue import ModelListParams, ModelListResponse
from messages.rpc.thread import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from messages.rpc.treadle import TreadleCloseParams, TreadleSubmitParams
from messages.settings import DynamicToolSpec
from messages.value import Json

from .errors import ClientError, ConnectionLost, NotOverTheWire, ThreadNotFollowed
from .forking import fork_point, id_in_path
from .hearing import Hearing
from .refusals import opening_refusals, thread_refusals
from .remote_reader import RemoteReader
from .remote_thread import RemoteThread
from .rpc_client import RpcClient
from .wire_config import open_params, refuse_for, wire_tools
from .wire_models import core_preset
from .work_lane import SUBMIT

if TYPE_CHECKING:
    from actors.supervisor import Supervisor
    from actors.thread import Thread

    from .protocols import ThreadHandle, ThreadManager

__all__ = ["RemoteNewThread", "RemoteSupervisor"]

_GRACE: Final = 5.0
"""Seconds that a thread gets to end by itself when nobody says otherwise."""

_PERSONALITY: Final = "leave it out, and submit OverrideTurnContext(personality=...) to the fork"
_EPHEMERAL: Final = "leave it out; a thread that is resumed goes on in its own file"


@attrs.frozen(kw_only=True)
class RemoteNewThread:
    """A thread that was just started, resumed or forked on a server; see `NewThread`."""

    thread_id: ThreadId
    thread: RemoteThread
    session_configured: SessionConfigured


@attrs.define(eq=False, repr=False)
class RemoteSupervisor:
    """
    Starts, finds and ends threads on a server; made by `connect`.

    It has the methods of `Supervisor`, with the same events and errors, so that a
    program need not know where its threads run.  What is different:

    - The threads are the server's: they go on when the connection ends, and other
      clients may use them.
    - `list_thread_ids` lists all of them.  Events are heard of the threads that this
      client opened, of their agents, and of those that it asked for with `follow_thread`.
    - `close_all_threads` closes what this client opened.
    - What a `ThreadConfig` leaves at its default is the server's configuration's to say,
      but for approvals and the sandbox.  Paths are those of the server's machine.
    - Everything is recorded, as ``persist_extended_history`` asks for.
    - What cannot be asked over a connection raises `NotOverTheWire`.

    Attributes:
        rpc: The connection; for requests of the app-server protocol itself.
        home: Where the server keeps rollouts, on its machine.
    """

    rpc: RpcClient
    _hearing: Hearing
    _world: World
    # The live threads that this client opened, oldest first.
    _opened: dict[ThreadId, None] = attrs.field(factory=dict[ThreadId, None], init=False)

    @property
    def home(self) -> Path:
        """Where the server keeps rollouts, on its machine."""
        return Path(self.rpc.welcome.codex_home)

    # Opening -------------------------------------------------------------------

    async def start_thread(
        self,
        config: ThreadConfig,
        *,
        dynamic_tools: Iterable[DynamicToolSpec] = (),
        persist_extended_history: bool = False,
    ) -> RemoteNewThread:
        """
        Start a new conversation; see `Supervisor.start_thread`.

        Raises:
            NotOverTheWire: The configuration has something that cannot be said.
            DynamicToolInvalid: A tool's name or schema is not possible.
            RpcCallError: The server refused it.
            ConnectionLost: Nobody knows whether it was started.

        Cancellation:
            It may have been started.
        """
        del persist_extended_history  # the server records as much anyway
        params = ThreadStartParams(
            **open_params(config),
            personality=config.personality,
            ephemeral=config.ephemeral or None,
            dynamic_tools=wire_tools(dynamic_tools),
        )
        return await self._open("thread/start", params, recorded=False)

    async def resume_thread_from_rollout(
        self, config: ThreadConfig, path: str | Path, *, persist_extended_history: bool = False
    ) -> RemoteNewThread:
        """
        Go on with a recorded conversation; see `Supervisor.resume_thread_from_rollout`.

        Args:
            path: On the server's machine.

        Raises:
            RolloutError: The server cannot read the rollout, or somebody else writes it.
            ThreadAlreadyLoaded: The thread is live on the server.
            NotOverTheWire: The configuration has something that cannot be said.
            ConnectionLost: Nobody knows whether it was resumed.

        Cancellation:
            It may have been resumed.
        """
        del persist_extended_history  # the server records as much anyway
        refuse_for(config, "ephemeral", _EPHEMERAL)
        thread_id = id_in_path(path)
        if thread_id in self._hearing.mirror:
            raise ThreadAlreadyLoaded(thread_id)
        params = ThreadResumeParams(
            **open_params(config),
            thread_id=thread_id,
            path=str(path),
            personality=config.personality,
            exclude_turns=True,
        )
        return await self._open("thread/resume", params, recorded=True)

    async def resume_thread_with_history(
        self,
        config: ThreadConfig,
        history: InitialHistory,
        *,
        persist_extended_history: bool = False,
    ) -> RemoteNewThread:
        """
        Start a thread from any history: new, resumed or forked; raises as the others do.

        A history is named to the server by the rollout that it was read from.

        Raises:
            NotOverTheWire: It is not the whole of a rollout.
        """
        extended = persist_extended_history
        match history:
            case NewHistory():
                return await self.start_thread(config, persist_extended_history=extended)
            case ResumedHistory(path=path, loaded=loaded) if (
                loaded is not None and history.items == loaded.items
            ):
                return await self.resume_thread_from_rollout(
                    config, path, persist_extended_history=extended
                )
            case ForkedHistory(source=source) if (
                source is not None and history.items == source.items
            ):
                return await self.fork_thread(
                    None, config, source.path, persist_extended_history=extended
                )
            case _:
                raise NotOverTheWire(
                    f"a {type(history).__name__} that is not the whole of a rollout",
                    "use fork_thread, which takes the beginning of one",
                )

    async def fork_thread(
        self,
        nth_user_message: int | None,
        config: ThreadConfig,
        path: str | Path,
        *,
        persist_extended_history: bool = False,
    ) -> RemoteNewThread:
        """
        Start a new conversation with the beginning of a recorded one.

        See `Supervisor.fork_thread`.

        Args:
            nth_user_message: Keep what comes before it, counted from 0; None for all.
            path: On the server's machine.

        Raises:
            RolloutError: The server cannot read the rollout, or not write the fork.
            ValueError: *nth_user_message* is negative.
            NotOverTheWire: The message joined a running turn, and only whole turns can
                be named; or the configuration has something that cannot be said.
            ConnectionLost: Nobody knows whether it was forked.

        Cancellation:
            It may have been forked.
        """
        del persist_extended_history  # the server records as much anyway
        if nth_user_message is not None and nth_user_message < 0:
            raise ValueError(f"user messages are counted from 0, not {nth_user_message}")
        refuse_for(config, "personality", _PERSONALITY)
        thread_id = id_in_path(path)
        common = open_params(config)
        with opening_refusals(recorded=True):
            before = await fork_point(self.rpc, thread_id, nth_user_message)
        params = ThreadForkParams(
            **common,
            thread_id=thread_id,
            path=str(path),
            before_turn_id=before,
            ephemeral=config.ephemeral,
            exclude_turns=True,
        )
        return await self._open("thread/fork", params, recorded=True)

    async def _open(self, method: str, params: Json, *, recorded: bool) -> RemoteNewThread:
        ended = self._hearing.ended
        with opening_refusals(recorded=recorded):
            answer: Any = await self.rpc.request(method, params)
        thread_id = ThreadId(answer["thread"]["id"])
        thread = await self._hearing.wait_thread(thread_id, since=ended)
        configured = await thread.take_configured()
        if configured is None:
            raise ThreadAlreadyLoaded(thread_id)
        self._opened[thread_id] = None
        return RemoteNewThread(thread_id=thread_id, thread=thread, session_configured=configured)

    # Finding -------------------------------------------------------------------

    def get_thread(self, thread_id: ThreadId) -> RemoteThread:
        """
        Find a live thread that this client follows.

        Raises:
            ThreadNotFollowed: Another client opened it; see `follow_thread`.
            ThreadNotFound: The server has none of this id.
        """
        found = self._hearing.threads.get(thread_id)
        if found is not None:
            return found
        if thread_id in self._hearing.mirror:
            raise ThreadNotFollowed(thread_id)
        raise ThreadNotFound(thread_id)

    async def follow_thread(self, thread_id: ThreadId) -> RemoteThread:
        """
        Hear of a thread that another client opened, from now on; nothing when heard already.

        Raises:
            ThreadNotFound: The server has none of this id.
            ConnectionLost: The connection has ended.

        Cancellation:
            It may be followed.
        """
        found = self._hearing.threads.get(thread_id)
        if found is not None:
            return found
        if thread_id not in self._hearing.mirror:
            raise ThreadNotFound(thread_id)
        ended = self._hearing.ended
        params = ThreadResumeParams(thread_id=thread_id, exclude_turns=True)
        with opening_refusals(recorded=True):
            await self.rpc.request("thread/resume", params)
        return await self._hearing.wait_thread(thread_id, since=ended)

    def list_thread_ids(self) -> tuple[ThreadId, ...]:
        """List the live threads of the server, whoever opened them, oldest first."""
        return self._hearing.mirror.ids()

    def parent_of(self, thread_id: ThreadId) -> ThreadId | None:
        """
        Tell with which thread a live thread ends; None for one that a client started.

        Raises:
            ThreadNotFound: This client follows none of this id.
        """
        return self.get_thread(thread_id).parent_id

    def children_of(self, thread_id: ThreadId) -> tuple[ThreadId, ...]:
        """
        List the live threads that end with this one, oldest first: its agents.

        Raises:
            ThreadNotFound: This client follows none of this id.
        """
        self.get_thread(thread_id)
        threads = self._hearing.threads.values()
        return tuple(thread.thread_id for thread in threads if thread.parent_id == thread_id)

    async def send_op(self, thread_id: ThreadId, op: Op) -> SubmissionId:
        """
        Submit an op to a thread of the server by its id; see `Thread.submit`.

        Raises:
            ThreadNotFound: The server has none of this id.
        """
        found = self._hearing.threads.get(thread_id)
        if found is not None:
            return await found.submit(op)
        submission_id = self._world.new_id()
        params = TreadleSubmitParams(thread_id=thread_id, op=op, submission_id=submission_id)
        with thread_refusals(thread_id, handle=False):
            await self.rpc.request(SUBMIT, params)
        return SubmissionId(submission_id)

    # Ending --------------------------------------------------------------------

    async def remove_thread(
        self, thread_id: ThreadId, *, grace: float | None = None
    ) -> RemoteThread | None:
        """
        End a thread and those below it, whoever opened it; see `Supervisor.remove_thread`.

        Returns:
            The thread; None when there is none with this id.

        Raises:
            ConnectionLost: Nobody knows whether it has ended.

        Cancellation:
            They were told to end and will.
        """
        try:
            thread = await self.follow_thread(thread_id)
        except ThreadNotFound:
            return None
        await self._close(thread_id, _GRACE if grace is None else grace)
        return thread

    async def close_all_threads(self, *, grace: float = 5.0) -> CloseReport:
        """
        End the threads that this client opened, all at once, and wait for them.

        Their agents end with them.  Threads of other clients go on, and so do those that
        this client only follows.

        Args:
            grace: Seconds each gets before it is cancelled.

        Raises:
            ConnectionLost: Nobody knows which have ended.

        Cancellation:
            All were told to end and will.
        """
        ended: dict[str, list[ThreadId]] = {}
        failure: ClientError | None = None

        async def close(thread_id: ThreadId) -> None:
            nonlocal failure
            try:
                outcome = await self._close(thread_id, grace)
            except ClientError as error:
                failure = error
            else:
                ended.setdefault(outcome, []).append(thread_id)

        async with trio.open_nursery() as nursery:
            for thread_id in tuple(self._opened):
                nursery.start_soon(close, thread_id)
        if failure is not None:
            raise failure
        return CloseReport(
            completed=tuple(ended.get("completed", ())),
            timed_out=tuple(ended.get("timed_out", ())),
            failed=tuple(ended.get("failed", ())),
        )

    async def _close(self, thread_id: ThreadId, grace: float) -> str:
        params = TreadleCloseParams(thread_id=thread_id, grace=grace)
        answer: Any = await self.rpc.request("treadle/close", params)
        self._opened.pop(thread_id, None)
        return str(answer["outcome"])

    # What there is ---------------------------------------------------------------

    async def refresh_mcp_servers(self, config: Json) -> None:
        """
        Tell every thread of the server to use another configuration of MCP servers.

        Cancellation:
            Some threads were told.
        """

        async def tell(thread_id: ThreadId) -> None:
            # One that ended meanwhile, or lost its server: nobody to tell.
            with suppress(ThreadNotFound, ThreadClosed, MailboxFull, ConnectionLost):
                await self.send_op(thread_id, RefreshMcpServers(config=config))

        async with trio.open_nursery() as nursery:
            for thread_id in self.list_thread_ids():
                nursery.start_soon(tell, thread_id)
        if self.rpc.lost is not None:
            raise self.rpc.lost.again()

    def subscribe_thread_created(self) -> RemoteReader[ThreadCreated]:
        """Hear of every thread that is created on the server from now on."""
        return RemoteReader(self._hearing.mirror.subscribe(), lambda: self.rpc.lost)

    def subscribe_file_watcher(self) -> RemoteReader[Any]:
        """
        Refuse: what changed is not told over a connection.

        Raises:
            NotOverTheWire: Always.
        """
        way_out = "read the SkillsUpdateAvailable events of the threads"
        raise NotOverTheWire("subscribe_file_watcher", way_out)

    async def list_models(
        self, refresh: RefreshStrategy = RefreshStrategy.ONLINE_IF_UNCACHED
    ) -> tuple[ModelPreset, ...]:
        """
        List the models of the server's provider, best first, hidden ones included.

        Raises:
            NotOverTheWire: *refresh* is another than the default, which is the server's.
            ConnectionLost: The connection has ended.
        """
        if refresh is not RefreshStrategy.ONLINE_IF_UNCACHED:
            way_out = "leave it out; the server looks by itself when its list is old"
            raise NotOverTheWire(f"list_models({refresh})", way_out)
        answer = await self.rpc.request("model/list", ModelListParams(include_hidden=True))
        return tuple(map(core_preset, from_json(answer, ModelListResponse).data))

    def list_collaboration_modes(self) -> tuple[CollaborationModeMask, ...]:
        """List the modes that a client can offer: those of this version."""
        return list_collaboration_modes()

    def captured_ops(self) -> tuple[tuple[ThreadId, Op], ...]:
        """
        Refuse: ops are captured where they are carried out.

        Raises:
            NotOverTheWire: Always.
        """
        way_out = "capture them in the server's process, or with an embedded supervisor"
        raise NotOverTheWire("captured_ops", way_out)

    def forget(self, thread_id: ThreadId) -> None:
        """Hear that a thread has ended; for `Hearing`."""
        self._opened.pop(thread_id, None)

    def __repr__(self) -> str:
        state = "connected" if self.rpc.lost is None else "connection lost"
        threads = len(self._hearing.threads)
        return f"<RemoteSupervisor {self.rpc.server}: {state}, {threads} threads followed>"


if TYPE_CHECKING:

    def managers(here: Supervisor, there: RemoteSupervisor) -> tuple[ThreadManager, ...]:
        """Let the type checkers see that both are the same to a program."""
        return here, there

    def handles(here: Thread, there: RemoteThread) -> tuple[ThreadHandle, ...]:
        """Let the type checkers see that both are the same to a program."""
        return here, there
