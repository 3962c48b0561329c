"""One worker process as the pool sees it: what it is told, what it says, and its end."""

import logging
import math
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final, Protocol, TypeVar, assert_never

import attrs
import trio

from actors.server.rpc_errors import MessageTooLong
from actors.server.transports.lines import LineStream, SocketBytes
from actors.server.transports.message_stream import MessageStream
from messages.control import (
    Adopt,
    Begun,
    Closed,
    Connect,
    Done,
    Failed,
    Opened,
    Overridden,
    Ping,
    Pong,
    PoolCommand,
    Ready,
    Release,
    Report,
    Reported,
    Stop,
    ThreadReport,
    TurnEnded,
    TurnStarted,
    WorkerEvent,
    WorkerMessage,
)
from messages.errors import DecodeError
from messages.ids import ThreadId, TurnId
from messages.value import Json

from ..errors import AdoptFailed, NotSavedYet, ReleaseFailed, WorkerLost, WorkerNotStarted
from .control_link import ControlLink
from .whole_lines import WholeLines

__all__ = ["Worker", "WorkerProcess", "WorkerThread", "ending_in_words"]

_log = logging.getLogger("actors")

_MESSAGE_BYTES: Final = 1 << 30
"""Longest message of a worker to a client: longer than any thread, and not endless."""

_LAST_WORDS: Final = 1.0
"""Seconds beyond its grace that a worker may take to end when it was told to stop."""

_LAST_BREATH: Final = 0.25
"""Seconds that a process may take to end after it has closed everything."""

_Answer = TypeVar("_Answer", Pong, Done, Reported)


@attrs.frozen(kw_only=True)
class WorkerThread:
    """
    A thread that is loaded in a worker.

    Attributes:
        path: Of its rollout, which may not be written yet; None when it has none.
        parent_id: For which thread it works; None for one that a client opened.
        ephemeral: Whether nothing of it is recorded.
        turn_id: The turn that runs; None for none.
    """

    thread_id: ThreadId
    path: str | None = None
    parent_id: ThreadId | None = None
    ephemeral: bool = False
    turn_id: TurnId | None = None


class WorkerProcess(Protocol):
    """The process behind a worker; see `fork_link`."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def kill(self) -> None:
        """Send SIGKILL; nothing when it is gone."""
        ...

    async def wait_gone(self) -> int | None:
        """Wait until it has ended; see `Worker.wait_gone`."""
        ...


@attrs.define(eq=False)
class _Asked:
    """A question that waits for its answer; none comes when the worker has died."""

    answered: trio.Event = attrs.field(factory=trio.Event)
    begun: bool = False
    answer: Pong | Done | Reported | None = None


@attrs.define(eq=False, repr=False)
class Worker:
    """
    One worker process; made by `ForkServer.open_worker`.

    What it says of its threads is kept here, in its order.  What it had said before it was
    killed is still heard, before `died` is set.

    Attributes:
        number: The pool's number for it.
        started_at: When it became ready, in seconds since the Unix epoch.
        accepting: Whether it may be given threads; not while it drains, nor when it has died.
        died: Set when it can say no more, which is as soon as its process ends.
        on_event: Told what happens to its threads, after `threads` has it; must not wait.
    """

    number: int
    _process: WorkerProcess
    _link: ControlLink
    _now: Callable[[], float]
    started_at: float = attrs.field(default=math.inf, init=False)
    accepting: bool = attrs.field(default=False, init=False)
    died: trio.Event = attrs.field(factory=trio.Event, init=False)
    on_event: "Callable[[Worker, WorkerEvent], None] | None" = attrs.field(default=None, init=False)

    _threads: dict[ThreadId, WorkerThread] = attrs.field(
        factory=dict[ThreadId, WorkerThread], init=False
    )
    # By number; as many as there are callers.
    _asked: dict[int, _Asked] = attrs.field(factory=dict[int, _Asked], init=False)
    _last_number: int = attrs.field(default=0, init=False)
    # Set when it is ready, or never will be.
    _begun: trio.Event = attrs.field(factory=trio.Event, init=False)
    _ready: bool = attrs.field(default=False, init=False)
    _problem: str | None = attrs.field(default=None, init=False)

    # What it is ------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def threads(self) -> Mapping[ThreadId, WorkerThread]:
        """Its loaded threads, oldest first; when it has died, those that it had."""
        return MappingProxyType(self._threads)

    @property
    def turns(self) -> int:
        """How many turns run."""
        return sum(thread.turn_id is not None for thread in self._threads.values())

    def __repr__(self) -> str:
        state = "dead" if self.died.is_set() else "accepting" if self.accepting else "draining"
        busy = f"{len(self._threads)} threads, {self.turns} turns"
        return f"<Worker {self.number} (pid {self.pid}): {state}, {busy}>"

    # What it is told ---------------------------------------------------------

    async def connect(self, client: int) -> MessageStream:
        """
        Open a way for one more client, to which the worker is an app-server of its own.

        When the worker dies, all that it had sent is received, and then the end: None, or
        `trio.BrokenResourceError` when there was something that it had not read.

        Args:
            client: The client's number, for logs.

        Raises:
            WorkerLost: It has died.

        Cancellation:
            Nothing was opened.
        """
        ours, theirs = socket.socketpair()
        try:
            await self._tell(Connect(client=client), theirs)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        peer = f"worker {self.number} for client {client}"
        return LineStream(peer, SocketBytes(stream), WholeLines(_MESSAGE_BYTES))

    async def adopt(
        self, thread_id: ThreadId, opening: Json, overridden: tuple[Overridden, ...] = ()
    ) -> None:
        """
        Let it go on with a thread that nobody else has any more.

        Args:
            opening: See `messages.control.Adopt`, as for the next one.
            overridden: Changes of settings that may not be recorded.

        Raises:
            AdoptFailed: It could not; the thread is not in it.
            WorkerLost: It has died; ``begun`` says whether it can be of this thread.

        Cancellation:
            It may adopt the thread all the same.
        """
        number = self._number()
        message = Adopt(number=number, thread_id=thread_id, opening=opening, overridden=overridden)
        done = await self._ask(message, number, Done)
        if done.problem is not None:
            raise AdoptFailed(self.number, thread_id, done.problem)

    async def release(self, thread_id: ThreadId, *, grace: float) -> None:
        """
        Let it close a thread, of which those who follow it hear nothing.

        Args:
            grace: Seconds that the running turn has to end by itself; then it is interrupted.

        Raises:
            NotSavedYet: It keeps the thread for now, because the disk takes nothing.
            ReleaseFailed: It could not, for example because it does not have the thread.
            WorkerLost: It has died.

        Cancellation:
            It closes the thread all the same.
        """
        number = self._number()
        message = Release(number=number, thread_id=thread_id, grace=grace)
        done = await self._ask(message, number, Done)
        if done.problem is not None:
            failure = NotSavedYet if done.later else ReleaseFailed
            raise failure(self.number, thread_id, done.problem)

    async def report(self) -> tuple[ThreadReport, ...]:
        """
        Let it list its threads, oldest first.

        Raises:
            WorkerLost: It has died.
        """
        number = self._number()
        return (await self._ask(Report(number=number), number, Reported)).threads

    async def ping(self) -> Pong:
        """
        Let it say that it lives; a process that was stopped or hangs does not answer.

        Raises:
            WorkerLost: It has died.
        """
        number = self._number()
        return await self._ask(Ping(number=number), number, Pong)

    # Its end -------------------------------------------------------------------

    def kill(self) -> None:
        """Send SIGKILL, which ends a stopped process as well; nothing when it is gone."""
        self._process.kill()

    async def wait_gone(self) -> int | None:
        """
        Wait until the process has ended, and its locks are free.

        Returns:
            The exit status, negative for a signal; None when nobody can say it any more.
        """
        return await self._process.wait_gone()

    async def stop(self, *, grace: float) -> None:
        """
        Let it close its threads and end; return when the process is gone.

        It accepts nothing more.  It is killed when it has not ended a second after *grace*.

        Cancellation:
            It may have been told, and end later.
        """
        self.accepting = False
        with suppress(WorkerLost), trio.move_on_after(grace + _LAST_WORDS):
            await self._tell(Stop(grace=grace))
            await self.wait_gone()
        self.kill()
        await self.wait_gone()

    # For who made it ---------------------------------------------------------------

    async def run(self) -> None:
        """Hear what it says, to the end; for `ForkServer`."""
        try:
            await self._link.run(self._heard)
        except* (DecodeError, MessageTooLong, _Rubbish) as group:
            # What it says cannot be believed any more, so it must not go on.
            _log.error("%r says what no worker says, and is killed: %s", self, group.exceptions[0])
            self.kill()
        finally:
            self.accepting = False
            self.died.set()
            self._begun.set()
            for asked in self._asked.values():
                asked.answered.set()

    async def wait_begun(self) -> None:
        """
        Wait until it can serve clients; for `ForkServer`.

        Raises:
            WorkerNotStarted: It never will.
        """
        await self._begun.wait()
        if not self._ready:
            raise WorkerNotStarted(self.number, self._problem or await self._last_words())

    async def _last_words(self) -> str:
        how = "closed its connection"
        with trio.move_on_after(_LAST_BREATH):
            how = ending_in_words(await self.wait_gone())
        return f"it {how} before it was ready; see the log for its last words"

    # Telling and hearing --------------------------------------------------------------

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    async def _tell(self, command: PoolCommand, client: socket.socket | None = None) -> None:
        try:
            await self._link.tell(command, client)
        except trio.BrokenResourceError:
            raise WorkerLost(self.number, self.pid) from None

    async def _ask(self, command: PoolCommand, number: int, kind: type[_Answer]) -> _Answer:
        asked = self._asked[number] = _Asked()
        try:
            await self._tell(command)
            await asked.answered.wait()
        finally:
            del self._asked[number]
        if not isinstance(asked.answer, kind):
            # It died, at the latest of having answered something else.
            raise WorkerLost(self.number, self.pid, begun=asked.begun)
        return asked.answer

    def _heard(self, message: WorkerMessage) -> None:
        match message:
            case Ready():
                self._ready = True
                self.started_at = self._now()
                self.accepting = True
                self._begun.set()
            case Failed(problem=problem):
                self._problem = problem
                self._begun.set()
            case Begun(number=number):
                if number in self._asked:
                    self._asked[number].begun = True
            case Pong() | Done() | Reported():
                self._answered(message)
            case Opened() | Closed() | TurnStarted() | TurnEnded():
                self._happened(message)
            case _:
                assert_never(message)

    def _answered(self, message: Pong | Done | Reported) -> None:
        asked = self._asked.get(message.number)
        if asked is not None:  # else nobody waits for it any more
            asked.answer = message
            asked.answered.set()

    def _happened(self, event: WorkerEvent) -> None:
        self._note(event)
        if self.on_event is not None:
            self.on_event(self, event)

    def _note(self, event: WorkerEvent) -> None:
        thread_id = event.thread_id
        match event:
            case Opened():
                self._threads[thread_id] = WorkerThread(
                    thread_id=thread_id,
                    path=event.path,
                    parent_id=event.parent_id,
                    ephemeral=event.ephemeral,
                )
            case Closed():
                self._threads.pop(thread_id, None)
            case TurnStarted(turn_id=turn_id):
                self._turn(thread_id, turn_id)
            case TurnEnded():
                self._turn(thread_id, None)
            case _:
                assert_never(event)

    def _turn(self, thread_id: ThreadId, turn_id: TurnId | None) -> None:
        thread = self._threads.get(thread_id)
        if thread is None:
            raise _Rubbish(f"a turn of thread {thread_id!r}, which it does not have")
        self._threads[thread_id] = attrs.evolve(thread, turn_id=turn_id)


def ending_in_words(status: int | None) -> str:
    """Say how a process ended; see `Worker.wait_gone`."""
    if status is None:
        return "has ended"
    if status >= 0:
        return f"ended by itself with exit code {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


class _Rubbish(Exception):  # noqa: N818 -- as the others
    """A worker said what cannot be."""
