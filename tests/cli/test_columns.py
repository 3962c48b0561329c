"""Tables for a person."""

import pytest

from actors.cli.columns import Row, laid_out
from actors.cli.pieces import Look

ROWS = [Row(("a", "x" * 30, "/very/long/path/to/a/file")), Row(("bb", "y", "z"), Look.FAINT)]


def lines(width: int | None) -> list[str]:
    pieces = laid_out(("K", "V", "W"), ROWS, elastic=(1, 2), width=width, tails=(2,))
    return [piece.text.rstrip("\n") for piece in pieces]


def test_columns_are_as_wide_as_their_cells() -> None:
    """Nothing is cut where nobody says how wide it may be."""
    assert lines(None) == [
        "K   V                               W",
        f"a   {'x' * 30}  /very/long/path/to/a/file",
        f"bb  y{' ' * 29}  z",
    ]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (61, f"a   {'x' * 30}  /very/long/path/to/a/file"),
        (60, f"a   {'x' * 26}...  /very/long/path/to/a/file"),
        (43, f"a   {'x' * 9}...  /very/long/path/to/a/file"),
        (42, f"a   {'x' * 9}...  ...y/long/path/to/a/file"),
        (5, f"a   {'x' * 9}...  ...to/a/file"),
    ],
)
def test_columns_give_way_in_order(width: int, line: str) -> None:
    """Each keeps a little; of a path the end is kept."""
    assert lines(width)[1] == line


def test_heads_and_rows_have_their_looks() -> None:
    """The heading is one of its own; cells are of one line, without control characters."""
    pieces = laid_out(("K",), [Row(("a\nb\x1b[1mc",), Look.GOOD)], elastic=(), width=None)

    assert [(piece.text, piece.look) for piece in pieces] == [
        ("K\n", Look.HEAD),
        ("a bc\n", Look.GOOD),
    ]
