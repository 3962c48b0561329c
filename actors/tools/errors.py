"""What can go wrong with tools, one class per fact."""

import errno
import os

__all__ = ["DynamicToolInvalid", "FatalToolError", "SpawnError", "ToolError", "ToolsError"]


class ToolsError(Exception):
    """Base of every error of this room."""


class ToolError(ToolsError):
    """
    A tool cannot do what the model asked; the model reads why and goes on.

    Attributes:
        text: What the model reads, word for word.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class FatalToolError(ToolsError):
    """
    A tool call that ends the turn: the model cannot make up for it.

    Attributes:
        problem: What is wrong, without the ``Fatal error:`` that clients see before it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"Fatal error: {self.problem}"


class SpawnError(ToolsError):
    """
    A command could not be started; nothing of it runs.

    Attributes:
        program: The first word of the command.
        cwd: Where it was to run.
        stage:
            What failed: ``words`` (something in them no command can be given), ``pipe``,
            ``launcher``, ``fork``, ``setup``, ``cwd`` or ``exec``.
        code: The operating system's error number; 0 when it has none.
    """

    def __init__(self, program: str, cwd: str, stage: str, code: int) -> None:
        super().__init__(program, cwd, stage, code)
        self.program = program
        self.cwd = cwd
        self.stage = stage
        self.code = code

    def __str__(self) -> str:
        match self.stage, self.code:
            case "exec", errno.ENOENT:
                return f"command not found: {self.program!r}"
            case "exec", errno.EACCES:
                return f"no permission to run {self.program!r}"
            case "cwd", errno.ENOENT:
                return f"working directory {self.cwd!r} does not exist"
            case "cwd", errno.ENOTDIR:
                return f"working directory {self.cwd!r} is not a directory"
            case "cwd", errno.EACCES:
                return f"no permission to enter working directory {self.cwd!r}"
            case "words", _:
                return f"{self.program!r} cannot run: a word or variable has a forbidden character"
            case "launcher", 0:
                return f"{self.program!r} did not start: the process that starts commands ended"
            case _:
                problem = os.strerror(self.code) if self.code else "unknown reason"
                return f"{self.program!r} did not start ({self.stage}): {problem}"


class DynamicToolInvalid(ToolsError, ValueError):  # noqa: N818 -- named after the fact
    """
    A tool that the client offers cannot be used; the thread was not started.

    Attributes:
        name: What the tool is called.
        problem: What is wrong with it, and the way out.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"dynamic tool {self.name!r} {self.problem}"
