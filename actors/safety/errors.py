"""What can go wrong in this room, one class per fact."""

from pathlib import Path

__all__ = ["RulesNotSaved", "SafetyError"]


class SafetyError(Exception):
    """Base of every error of this room."""


class RulesNotSaved(SafetyError):  # noqa: N818 -- a condition the caller handles
    """
    A rule was not added to its file, which is as it was.

    Attributes:
        path: The file.
        problem: Why; mostly the words of the operating system.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"no rule was added to {str(self.path)!r}: {self.problem}"
