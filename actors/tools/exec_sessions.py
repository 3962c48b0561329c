"""The processes that the model left running, and how many of them there may be."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from random import Random
from typing import Final

import attrs

from messages.ids import CallId

from .exec_session import ExecSession

__all__ = ["ExecSessions", "ExecStatistics", "SessionInfo", "choose_victim"]

_PROTECTED: Final = 8
"""So many of those used last are never ended to make room.  Source: Codex, ``unified_exec``."""

_HEADROOM: Final = 4
"""The model is warned when so many or fewer places are left."""

_IDS: Final = (1000, 100_000)
"""From, and below.  Source: Codex, ``allocate_process_id``."""

_PRUNED: Final = "ended to make room for newer processes"


@attrs.frozen(kw_only=True)
class SessionInfo:
    """
    A process that runs.

    Attributes:
        id: What the model calls it by.
        command: As it was shown and approved.
        cwd: Where it runs.
        call_id: Of the call that started it.
        started: In seconds since the Unix epoch.
    """

    id: int
    command: tuple[str, ...]
    cwd: str
    call_id: CallId
    started: float


@attrs.frozen(kw_only=True)
class ExecStatistics:
    """
    What the sessions of a thread hold.

    Attributes:
        running: Processes that run, those included whose call still waits for them.
        unread: Processes that ended, whose end the model has not read.
        capacity: Of processes that outlive their calls, ended ones included.
    """

    running: int
    unread: int
    capacity: int


@attrs.define(eq=False, kw_only=True)
class ExecSessions:
    """
    The processes of one life of a thread, by the ids that the model knows.

    A call reserves an id.  A process that outlives its call is kept under it until the
    model has read its end, or room is needed for another: then the one that was used
    longest ago is ended, one that ended by itself before one that runs.

    Attributes:
        capacity: Processes that are kept at a time.

    Source:
        Codex, ``unified_exec/process_manager.rs``.  There the id of a call that was
        cancelled stays taken for ever.
    """

    capacity: int = attrs.field(default=64, validator=attrs.validators.ge(1))
    # None until the process starts; then until its call ends.
    _in_calls: dict[int, ExecSession | None] = attrs.field(
        factory=dict[int, ExecSession | None], init=False
    )
    # The one used longest ago comes first.
    _kept: dict[int, ExecSession] = attrs.field(factory=dict[int, ExecSession], init=False)

    @property
    def any(self) -> bool:
        """Whether a process runs."""
        return any(True for _ in self._running())

    def list(self) -> tuple[SessionInfo, ...]:
        """List the processes that run, the one used longest ago first."""
        return tuple(
            SessionInfo(
                id=session.id,
                command=session.report.command,
                cwd=session.report.cwd,
                call_id=session.report.call_id,
                started=session.started,
            )
            for session in self._running()
        )

    def statistics(self) -> ExecStatistics:
        """Count."""
        return ExecStatistics(
            running=sum(1 for _ in self._running()),
            unread=sum(session.ended for session in self._kept.values()),
            capacity=self.capacity,
        )

    @contextlib.contextmanager
    def reserved(self, random: Random) -> Generator[int]:
        """Hold an id that no other process has, for one call."""
        number = random.randrange(*_IDS)
        while number in self._in_calls or number in self._kept:
            number = random.randrange(*_IDS)
        self._in_calls[number] = None
        try:
            yield number
        finally:
            del self._in_calls[number]

    def attach(self, session: ExecSession) -> None:
        """Note the process of a call that waits for it; its id is reserved."""
        self._in_calls[session.id] = session

    def keep(self, session: ExecSession) -> str | None:
        """
        Keep a process that outlives its call; make room for it first.

        Returns:
            A warning for the model when there are many.
        """
        while len(self._kept) >= self.capacity:
            entries = tuple(self._kept.values())
            victim = entries[choose_victim([entry.ended for entry in entries])]
            self.forget(victim)
            victim.stop(_PRUNED)
        self._in_calls[session.id] = None
        self._kept[session.id] = session
        session.go_on_alone()
        return self._warning()

    def find(self, number: int) -> ExecSession | None:
        """Find a kept process, which thereby is used."""
        session = self._kept.pop(number, None)
        if session is not None:
            self._kept[number] = session
        return session

    def forget(self, session: ExecSession) -> None:
        """Let go of a kept process; its id is free."""
        self._kept.pop(session.id, None)

    def stop_all(self) -> None:
        """
        End every process soon, also those whose calls still wait for them; never waits.

        Their ends are told as they come; their ids are unknown at once.
        """
        for session in tuple(self._running()):
            session.stop()
        self._kept.clear()

    def _running(self) -> Iterator[ExecSession]:
        for session in (*self._kept.values(), *self._in_calls.values()):
            if session is not None and not session.ended:
                yield session

    def _warning(self) -> str | None:
        count = sum(not session.ended for session in self._kept.values())
        if count < self.capacity - _HEADROOM:
            return None
        return (
            f"Warning: {count} processes are open, and {self.capacity} are the most there can "
            "be: beyond that, the ones used longest ago are ended. Use those you have, or end "
            "what you no longer need"
        )


def choose_victim(ended: Sequence[bool]) -> int:
    """
    Choose which of the kept processes has to go.

    Args:
        ended: Whether each of them has ended, the one used longest ago first; not empty.

    Returns:
        Its place: the first that ended, else the first; the last 8 are spared as long as
        there are others.
    """
    candidates = ended[:-_PROTECTED] or ended
    return next((place for place, over in enumerate(candidates) if over), 0)
