"""
The command line: ``treadle exec``, ``threads``, ``app-server``, ``pool`` and the others.

Its modules are imported when `main` runs, and not before.
"""

import gc
import signal
from collections.abc import Sequence

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        words: The arguments; those of the process if None.

    Returns:
        The exit code.  Whatever the user can do something about was told in one
        line on standard error.
    """
    try:
        # Inside, so that Ctrl-C while Python reads modules ends without a traceback.
        from .command import run_command  # noqa: PLC0415

        code = run_command(words)
    except KeyboardInterrupt:
        code = 130
    if words is None:
        # The process ends now; one more Ctrl-C must not change how.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Python would look at every object of a thousand modules for cycles, several times,
        # before it gives all memory back, which the system does anyway.  What is registered
        # with atexit runs as ever, and so does what ends by losing its last reference.
        gc.freeze()
    return code
