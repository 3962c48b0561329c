"""Source text in the making."""

from collections.abc import Callable
from typing import Any, cast

__all__ = ["Source"]


class Source:
    """
    The text of one generated function, and the values it uses by name.

    Args:
        filename: Shown in tracebacks.
        names: Values that the text uses under their own names.
    """

    def __init__(self, filename: str, **names: object) -> None:
        self._filename = filename
        self._lines: list[str] = []
        self._names: dict[str, Any] = dict(names)

    def add(self, depth: int, *lines: str) -> None:
        """Append lines, indented by *depth* steps."""
        self._lines.extend("    " * depth + line for line in lines)

    def name(self, value: object, hint: str) -> str:
        """A fresh name by which the text can use a value."""
        name = f"{hint}_{len(self._names)}"
        self._names[name] = value
        return name

    def function(self, name: str) -> Callable[..., Any]:
        """Compile the text, and give the function it defines."""
        code = compile("\n".join(self._lines), self._filename, "exec")
        # The text is made of names of fields and members, all written in this package.
        exec(code, self._names)  # noqa: S102
        return cast("Callable[..., Any]", self._names[name])
