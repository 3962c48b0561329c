"""Lines of which the last one must have its end, too."""

import attrs
import trio

from actors.server.transports.lines import LineSplitter

__all__ = ["WholeLines"]


@attrs.define(eq=False)
class WholeLines(LineSplitter):
    """
    Cuts what a worker says into lines.

    A line without its end is what a worker left that was killed while it wrote.  Even if it
    reads like a message, it may be the beginning of another one.
    """

    def finish(self) -> bytes:
        """
        Say that no more bytes come.

        Raises:
            trio.BrokenResourceError: They ended in the middle of a line.
        """
        if super().finish():
            raise trio.BrokenResourceError("the last line has no end")
        return b""
