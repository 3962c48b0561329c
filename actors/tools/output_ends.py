"""Pipes and terminals that commands write to: our ends, and theirs."""

import contextlib
import errno
import os
import termios
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import attrs
import trio

__all__ = [
    "OpenOutputs",
    "OutputEnd",
    "Outputs",
    "open_one_pipe",
    "open_terminal",
    "open_two_pipes",
]

_READ_BYTES: Final = 8192
"""Most bytes of one piece of output.  Source: Codex, ``READ_CHUNK_SIZE``."""

_DRAIN_READS: Final = 16
_DRAIN_READ_BYTES: Final = 64 * 1024
"""Together 1 MiB, the most that a pipe holds unless the administrator says otherwise."""

_SIZE: Final = (24, 80)
"""Rows and columns of a terminal.  Source: Codex, ``utils/pty``."""


@attrs.define(eq=False)
class OutputEnd:
    """
    Our end of a pipe or terminal that a command writes to.

    Attributes:
        stream: Of a terminal it takes input, too.
    """

    stream: trio.lowlevel.FdStream

    async def receive(self) -> bytes:
        """Wait for the next piece; empty when nobody can write any more."""
        try:
            return await self.stream.receive_some(_READ_BYTES)
        except trio.BrokenResourceError as error:
            if _says_end(error.__cause__):
                return b""
            raise

    def receive_rest(self) -> Iterator[bytes]:
        """
        Take what is there already.

        The drain ends by the clock, and on a busy machine the clock may win although the
        output is there.  Bounded, because somebody may be writing as fast as we read.
        """
        with contextlib.suppress(BlockingIOError):
            for _ in range(_DRAIN_READS):
                piece = self._read_nowait()
                if not piece:
                    return
                yield piece

    def close(self) -> None:
        """Close our end."""
        self.stream.close()

    def _read_nowait(self) -> bytes:
        try:
            return os.read(self.stream.fileno(), _DRAIN_READ_BYTES)
        except OSError as error:
            if _says_end(error):
                return b""
            raise


@attrs.frozen
class Outputs:
    """
    What one command writes to.

    Attributes:
        ours: To read from; close them.
        theirs:
            File descriptors for the command: standard output and standard error, which
            may be the same, or one terminal.  Close them when they were handed over.
    """

    ours: tuple[OutputEnd, ...]
    theirs: tuple[int, ...]


OpenOutputs: TypeAlias = Callable[[], Outputs]
"""One of the functions below; it raises `OSError` when there are no file descriptors left."""


def open_two_pipes() -> Outputs:
    """Open a pipe for standard output and one for standard error."""
    first = os.pipe()
    try:
        second = os.pipe()
    except OSError:
        for descriptor in first:
            os.close(descriptor)
        raise
    return Outputs((_end(first[0]), _end(second[0])), (first[1], second[1]))


def open_one_pipe() -> Outputs:
    """Open one pipe for both, so that the order between them is kept."""
    ours, theirs = os.pipe()
    return Outputs((_end(ours),), (theirs, theirs))


def open_terminal() -> Outputs:
    """Open a terminal of 80 columns and 24 rows."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, _SIZE)
    return Outputs((_end(ours),), (theirs,))


def _end(descriptor: int) -> OutputEnd:
    return OutputEnd(trio.lowlevel.FdStream(descriptor))


def _says_end(error: BaseException | None) -> bool:
    """Whether this is how a terminal says that nobody is at its other end."""
    return isinstance(error, OSError) and error.errno == errno.EIO
