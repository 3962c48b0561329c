"""
A client of an app-server over pipes or a socket that costs next to nothing.

It blocks, looks at the first bytes of a line only, and parses no more than it is asked
for, so that what is measured is the server.  Both servers put the method first in what
they say unasked, and the id first in answers.
"""

import os
import select
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final, Protocol

import attrs
import orjson

__all__ = ["Answer", "Client", "Refused", "ServerGone", "Silent"]

_READ_BYTES: Final = 64 * 1024  # what a pipe holds; room for more takes time to make
_NOTIFICATION: Final = b'{"method":"'
_ANSWER: Final = b'{"id":'


class Descriptor(Protocol):
    """What can be read from by its number."""

    def fileno(self) -> int: ...


class Refused(Exception):  # noqa: N818 -- what the server said
    """The server answered with an error."""


class ServerGone(Exception):  # noqa: N818 -- a condition
    """The server said no more."""


class Silent(Exception):  # noqa: N818 -- a condition
    """The server said nothing for longer than anything takes."""


@attrs.frozen
class Answer:
    """
    An answer as it came.

    Attributes:
        line: The whole of it.
        seconds: From sending the request to its last byte.
    """

    line: bytes
    seconds: float

    @property
    def result(self) -> Any:
        """
        What was answered.

        Raises:
            Refused: An error was.
        """
        message = orjson.loads(self.line)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]


@attrs.define(eq=False)
class Client:
    """
    One client of the server at the other end.

    Args:
        says: What it writes to; flushed after each message.
        hears: What it reads from, by its descriptor: anything with a `fileno`.

    Attributes:
        heard: How often each method was said.
        patience: Seconds without a byte after which it gives up.
    """

    _says: IO[bytes]
    _hears: Descriptor
    heard: Counter[str] = attrs.field(factory=Counter[str], init=False)
    patience: float = attrs.field(default=60.0, init=False)
    _next_id: int = attrs.field(default=1, init=False)
    _sent_at: dict[int, float] = attrs.field(factory=dict[int, float], init=False)
    _answers: dict[int, Answer] = attrs.field(factory=dict[int, Answer], init=False)
    _unread: deque[tuple[str, bytes]] = attrs.field(factory=deque[tuple[str, bytes]], init=False)
    # A line that has not ended, in the pieces it came in.
    _partial: list[bytes] = attrs.field(factory=list[bytes], init=False)

    def initialize(self, opted_out: Sequence[str] = ()) -> None:
        """Shake hands, with experimental fields and all notifications but those."""
        client = {"name": "treadle_bench", "title": None, "version": "1"}
        wanted = {"experimentalApi": True, "optOutNotificationMethods": list(opted_out)}
        self.request("initialize", {"clientInfo": client, "capabilities": wanted})
        self._write({"method": "initialized"})

    def send(self, method: str, params: Mapping[str, object]) -> int:
        """Send a request and return its id."""
        number = self._next_id
        self._next_id += 1
        self._sent_at[number] = time.perf_counter()
        self._write({"method": method, "id": number, "params": params})
        return number

    def ask(self, method: str, params: Mapping[str, object] | None = None) -> Answer:
        """Send a request and wait for its answer, without reading it."""
        number = self.send(method, params or {})
        while number not in self._answers:
            self._read(self.patience)
        return self._answers.pop(number)

    def request(self, method: str, params: Mapping[str, object] | None = None) -> Any:
        """Send a request and return its result."""
        return self.ask(method, params).result

    def take(self, number: int) -> Answer | None:
        """Return the answer to a request that was sent, if it is there, and forget it."""
        return self._answers.pop(number, None)

    def drop(self, number: int) -> None:
        """Forget an answer that nobody reads."""
        self._answers.pop(number, None)

    def receive(self, patience: float | None = None) -> list[tuple[str, bytes]]:
        """
        Return what the server said unasked and nobody has read; wait if that is nothing.

        Returns:
            Methods and whole lines, oldest first; perhaps none, when an answer came.

        Raises:
            ServerGone: It said no more.
            Silent: It said nothing for *patience*, `Client.patience` by default.
        """
        if not self._unread:
            self._read(self.patience if patience is None else patience)
        said = list(self._unread)
        self._unread.clear()
        return said

    def wait(self, method: str) -> Any:
        """Read up to the next notification of a kind, and return its params."""
        while True:
            while self._unread:
                said, line = self._unread.popleft()
                if said == method:
                    return orjson.loads(line)["params"]
            self._read(self.patience)

    def _read(self, patience: float) -> None:
        fd = self._hears.fileno()
        if not select.select([fd], [], [], patience)[0]:
            raise Silent(f"nothing for {patience:g} s")
        chunk = os.read(fd, _READ_BYTES)
        if not chunk:
            raise ServerGone
        *lines, tail = chunk.split(b"\n")
        if lines and self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
        if tail:
            self._partial.append(tail)
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        if line.startswith(_NOTIFICATION):
            method = line[len(_NOTIFICATION) : line.index(b'"', len(_NOTIFICATION))].decode()
            self.heard[method] += 1
            self._unread.append((method, line))
            return
        if line.startswith(_ANSWER):
            number = int(line[len(_ANSWER) : line.index(b",")])
        else:
            number = orjson.loads(line)["id"]
        self._answers[number] = Answer(line, time.perf_counter() - self._sent_at.pop(number))

    def _write(self, message: Mapping[str, object]) -> None:
        self._says.write(orjson.dumps(message) + b"\n")
        self._says.flush()
