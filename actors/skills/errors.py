"""What can go wrong in this room, one class per fact."""

__all__ = ["BadSkillFile", "SkillUnreadable", "SkillsError"]


class SkillsError(Exception):
    """Base of every error of this room."""


class BadSkillFile(SkillsError):  # noqa: N818 -- never leaves this room
    """
    A file was read, but is not what it should be; becomes an entry of the outcome's errors.

    Attributes:
        problem: What is wrong, and the way out.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class SkillUnreadable(SkillsError, OSError):  # noqa: N818 -- a condition the caller handles
    """
    A skill was there when its folder was read, and cannot be read now; nothing was injected.

    Attributes:
        name: The skill's.
        path: Of its file.
        problem: Why; mostly the words of the operating system.
    """

    def __init__(self, name: str, path: str, problem: str) -> None:
        super().__init__(name, path, problem)
        self.name = name
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        # The words that clients of Codex get as a warning.
        return f"Failed to load skill {self.name} at {self.path}: {self.problem}"
