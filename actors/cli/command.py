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
from .errors import BAD_INPUT, FAILED, HUNG_UP, CliError
from .requests import ExecRequest, Request

__all__ = ["run_command"]

_STDOUT, _STDERR = 1, 2


def run_command(words: Sequence[str] | None) -> int:
    """Run the command that *words* say; see `cli.main`."""
    _fill_standard_streams()
    request: Request | None = None
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
    code = _as_codex(request, code)
    _tell(" ".join(line.split()), code)
    return code


def _as_codex(request: Request | None, code: int) -> int:
    """
    Give a program that drives us the exit code it knows.

    Codex ends with 2 when the words make no sense, and with 1 for everything that it
    finds out later.
    """
    is_driven = isinstance(request, ExecRequest) and request.options.json
    return FAILED if is_driven and code == BAD_INPUT else code


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
