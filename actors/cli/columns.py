"""Tables for a person."""

from collections.abc import Sequence

import attrs

from .pieces import Look, Piece, shortened

__all__ = ["Row", "laid_out"]

_GAP = "  "
_LEAST = 12
"""Columns of the terminal that a cell keeps, however narrow that is."""

_LONGEST = 400
"""Characters of a cell where there is room for all of them, as in a file."""


@attrs.frozen
class Row:
    """Some cells, and how they look together."""

    cells: tuple[str, ...]
    look: Look = Look.PLAIN


def laid_out(
    headings: Sequence[str],
    rows: Sequence[Row],
    *,
    elastic: Sequence[int],
    width: int | None,
    tails: Sequence[int] = (),
) -> tuple[Piece, ...]:
    """
    Lay rows out in columns, a line each.

    Args:
        headings: Of the columns, as many as each row has cells.
        rows: In the order to show.
        elastic: The columns that are cut where the terminal has no room for all, in
            the order in which they give way.
        width: Columns of the terminal; None for a pipe, where hardly anything is cut.
        tails: The columns of which the end says more than the beginning, such as paths.
    """
    table = [Row(tuple(headings), Look.HEAD), *rows]
    cells = [[shortened(cell, _LONGEST) for cell in row.cells] for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        missing = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        for column in elastic:
            given = min(max(missing, 0), max(widths[column] - _LEAST, 0))
            widths[column] -= given
            missing -= given
    return tuple(
        Piece(_line(shown, widths, tails), row.look)
        for shown, row in zip(cells, table, strict=True)
    )


def _line(cells: Sequence[str], widths: Sequence[int], tails: Sequence[int]) -> str:
    shown = [
        _cut(cell, width, tail=column in tails).ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return _GAP.join(shown).rstrip() + "\n"


def _cut(cell: str, width: int, *, tail: bool) -> str:
    if len(cell) <= width or not tail:
        return shortened(cell, width)
    return f"...{cell[len(cell) - width + 3 :]}"
