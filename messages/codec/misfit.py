"""How readers say that JSON does not fit, and where."""

import json
from typing import cast

from ..errors import DecodeError

__all__ = ["Misfit", "misfit", "missing"]

_SHOWN_CHARACTERS = 40


class Misfit(Exception):  # noqa: N818 -- never leaves this room: it becomes a DecodeError
    """
    JSON does not have the expected shape; collects the path on its way up.

    Attributes:
        problem: What is wrong.
        steps: Path to it, innermost step first.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str] = []

    def within(self, member: str | None, place: object) -> None:
        """
        Add where this happened: the member, and the place in its list or object.

        Args:
            member: Name of the member that was being read; None before the first.
            place: The elements already read, or the key being read, or None.
        """
        if isinstance(place, list):
            self.steps.append(f"[{len(cast('list[object]', place))}]")
        elif isinstance(place, str):
            self.steps.append(_step(place))
        if member is not None:
            self.steps.append(_step(member))

    def as_error(self) -> DecodeError:
        """The same as an error for callers."""
        return DecodeError("$" + "".join(reversed(self.steps)), self.problem)


def misfit(expected: str, got: object) -> Misfit:
    """A `Misfit` that says what was expected and what came instead."""
    return Misfit(f"expected {expected}, got {_described(got)}")


def missing() -> Misfit:
    """A `Misfit` for a required member that is not there."""
    return Misfit("required member is missing")


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"


def _described(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{type(value).__name__} {value}"
        case str() if len(value) <= _SHOWN_CHARACTERS:
            return f"text {value!r}"
        case str():
            return f"text {value[:_SHOWN_CHARACTERS]!r}... of {len(value)} characters"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a Python {type(value).__name__}"
