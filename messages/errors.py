"""Errors of this package."""

__all__ = ["DecodeError", "EncodeError", "MessageError"]


class MessageError(Exception):
    """Base of all errors of this package."""


class DecodeError(MessageError, ValueError):
    """
    Bytes or JSON did not have the expected shape; nothing was built.

    Attributes:
        path: Where, from the top, for example ``$.items[2].text``.
        problem: What is wrong there, for example ``expected text, got int 5``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem} at {self.path}"


class EncodeError(MessageError, ValueError):
    """
    A value cannot be written as JSON, such as text with a lone surrogate.

    Attributes:
        kind: Class name of the value.
        problem: What is wrong with it.
    """

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(kind, problem)
        self.kind = kind
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.kind} cannot be written as JSON: {self.problem}"
