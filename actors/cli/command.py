"""
Runs a command from its words to its exit code.

The runtime is imported when there is something to run, and not for help or for a
complaint about the words.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from .app import read_command_line
from .errors import HUNG_UP, CliError

__all__ = ["run_command"]

_STDOUT, _STDERR = 1, 2


def run_command(words: Sequence[str] | None) -> int:
    """Run the command that *words* say; see `cli.main`."""
    _fill_standard_streams()
    try:
        request = read_command_line(sys.argv[1:] if words is None else words)
        if request is None:
            sys.stdout.flush()
            return 0
        from .running import run_request  # noqa: PLC0415 -- see above

        return run_request(request, dict(os.environ))
    except CliError as error:
        line, code = str(error), error.exit_code
    except (Exception, BaseExceptionGroup) as error:  # a group may hold a KeyboardInterrupt
        from .explaining import explained  # noqa: PLC0415 -- see above

        known = explained(error)
        if known is None:
            raise
        line, code = known
    _tell(" ".join(line.split()), code)
    return code


def _tell(line: str, code: int) -> None:
    if line:
        with suppress(OSError):  # nobody is left to tell
            os.write(_STDERR, f"treadle: {line}\n".encode(errors="backslashreplace"))
    if code == HUNG_UP:
        # Help goes through sys.stdout, which the interpreter flushes at its end.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDOUT)
        os.close(null)


def _fill_standard_streams() -> None:
    """
    Make sure that the numbers of the standard streams are taken.

    Else the next file that is opened gets one of them, and what was meant for the
    terminal is written into it.
    """
    for fd in (0, _STDOUT, _STDERR):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
