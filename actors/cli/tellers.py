"""Who tells what happens: to a program as JSON, to a person as text."""

from typing import Final, Protocol

import attrs
import trio

from actors.runtime import Lagged
from actors.supervisor import NewThread
from messages.events import Event, SessionConfigured, TokenCount, TokenUsage

from .json_events import Line, ThreadEvents, encoded_line, thread_started
from .narrator import Narrator
from .output import STDOUT, Output
from .pieces import Look, Piece, Stream
from .screen import Screen

__all__ = ["JsonTeller", "PersonTeller", "Teller"]

_SPIN_EVERY: Final = 0.1
_SPIN_AFTER: Final = 0.3
"""Seconds of silence after which there is a spinner; quick answers flicker otherwise."""


class Teller(Protocol):
    """Tells what happens, to a person or to a program."""

    def begin(self, new: NewThread) -> None:
        """Tell that the thread is there."""
        ...

    def tell(self, event: Event | Lagged) -> None:
        """Tell one event."""
        ...

    async def keep_alive(self) -> None:
        """Show that something is going on, until cancelled."""
        ...

    def finish(self, hint: str | None) -> None:
        """Tell how it was, and the user how to go on."""
        ...


@attrs.define(eq=False)
class JsonTeller:
    """
    Tells a program: one JSON object to a line, and nothing else.

    Notes about the command come behind the thread's id, as items.
    """

    _output: Output
    _notes: tuple[str, ...] = ()
    _events: ThreadEvents = attrs.field(factory=ThreadEvents, init=False)

    def begin(self, new: NewThread) -> None:
        """Tell the thread's id, and the notes."""
        self._events.usage = _used_before(new.session_configured)
        self._write(thread_started(new.thread_id))
        for note in self._notes:
            self._write(self._events.note(note))

    def tell(self, event: Event | Lagged) -> None:
        """Tell what the event means, if anything."""
        for line in self._events.take(event):
            self._write(line)

    async def keep_alive(self) -> None:
        """Do nothing: a program can wait."""
        await trio.sleep_forever()

    def finish(self, hint: str | None) -> None:
        """Do nothing: a program has the thread's id from the first line."""

    def _write(self, line: Line) -> None:
        self._output.put(STDOUT, encoded_line(line))


@attrs.define(eq=False)
class PersonTeller:
    """Tells a person, with a spinner where there is a terminal."""

    _screen: Screen
    narrator: Narrator = attrs.field(factory=Narrator, init=False)
    _silent_since: float = attrs.field(factory=trio.current_time, init=False)
    _waiting_since: float = attrs.field(factory=trio.current_time, init=False)

    def begin(self, new: NewThread) -> None:
        """Remember where the thread works, and what it had used before."""
        self.narrator.before = _used_before(new.session_configured)
        self.narrator.cwd = new.session_configured.cwd

    def tell(self, event: Event | Lagged) -> None:
        """Tell what a person wants to know of the event."""
        waited_for = self.narrator.waiting_for
        pieces = self.narrator.take(event)
        self._screen.show(pieces)
        if pieces:
            self._silent_since = trio.current_time()
        if self.narrator.waiting_for != waited_for:
            self._waiting_since = trio.current_time()

    def finish(self, hint: str | None) -> None:
        """Tell what the turn has used, and how to go on."""
        notes = (self.narrator.usage_line(), hint)
        self._screen.show(
            tuple(Piece(f"{note}\n", Look.FAINT, Stream.ERR) for note in notes if note)
        )

    async def keep_alive(self) -> None:
        """Move the spinner while there is something to wait for."""
        if not self._screen.has_spinner:
            await trio.sleep_forever()
        while True:
            await trio.sleep(_SPIN_EVERY)
            now = trio.current_time()
            label = self.narrator.waiting_for
            if (
                label is not None
                and self.narrator.at_line_start
                and now - self._silent_since >= _SPIN_AFTER
            ):
                self._screen.spin(label, now - self._waiting_since)


def _used_before(configured: SessionConfigured) -> TokenUsage:
    counts = (msg for msg in reversed(configured.initial_messages or ()))
    infos = (msg.info for msg in counts if isinstance(msg, TokenCount) and msg.info)
    return next((info.total_token_usage for info in infos), TokenUsage())
