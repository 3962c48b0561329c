"""Notes about a command itself, on standard error."""

from collections.abc import Iterable

from .output import STDERR, Output
from .pieces import shortened
from .screen import encoded

__all__ = ["show_notes"]

_LIMIT = 1000


def show_notes(output: Output, warnings: Iterable[str], notice: str | None = None) -> None:
    """Write a line for each warning, and one for the notice if there is one."""
    lines = [f"warning: {warning}" for warning in warnings]
    if notice is not None:
        lines.append(notice)
    for line in lines:
        output.put(STDERR, encoded(f"treadle: {shortened(line, _LIMIT)}\n", STDERR))
