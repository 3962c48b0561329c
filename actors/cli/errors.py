"""Errors of the command line, and the exit codes."""

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "HUNG_UP",
    "INTERRUPTED",
    "CliError",
    "NoSuchThread",
    "OutputUnusable",
    "PoolUnusable",
    "UsageError",
]

FAILED = 1
"""The turn failed, or something could not be written."""

BAD_INPUT = 2
"""The user asked for something that cannot be; nothing was done."""

INTERRUPTED = 130
"""Ctrl-C: 128 and the signal's number, as shells have it."""

HUNG_UP = 141
"""Nobody reads the output any more; the same for SIGPIPE."""


class CliError(Exception):
    """
    Base of what the command tells in one line before it ends.

    Attributes:
        exit_code: With which code it ends.
    """

    exit_code = BAD_INPUT


class UsageError(CliError):
    """
    Arguments, options or input are not as they should be; nothing was done.

    Attributes:
        problem: What is wrong and what would be right.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class NoSuchThread(CliError):  # noqa: N818 -- a condition, not a failure
    """
    No thread is meant by what the user wrote; nothing was done.

    Attributes:
        wanted: What the user wrote.
        problem: Why no thread is meant by it, and the way out.
    """

    def __init__(self, wanted: str, problem: str) -> None:
        super().__init__(wanted, problem)
        self.wanted = wanted
        self.problem = problem

    def __str__(self) -> str:
        return f"no thread {self.wanted!r}: {self.problem}"


class OutputUnusable(CliError):  # noqa: N818 -- as NoSuchThread
    """
    A file that was to be written at the end cannot be; the turn itself is done.

    Attributes:
        path: The file.
        problem: What the system said.
    """

    exit_code = FAILED

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot write {self.path!r}: {self.problem}"


class PoolUnusable(CliError):  # noqa: N818 -- as NoSuchThread
    """
    A pool has failed, or could not be asked.

    Attributes:
        problem: What is wrong with it.
    """

    exit_code = FAILED

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem
