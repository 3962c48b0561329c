"""Where lines are found: four passes, each over the whole file before the next."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.patch.matching import LineSearch


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        (["a", "b"], ["b"]),
        (["a", "b \t"], ["b"]),
        (["a", "b"], ["b  "]),
        (["a", "   b "], ["b"]),
        (["a", "b"], ["\tb"]),
        (["a", "x \u2013 \u201cy\u201d"], ['x - "y"']),
        (["a", "it - \"is'"], ["it \u2212 \u201eis\u2019"]),
        (["a", "x\u00a0y\u3000z"], ["x y z"]),
    ],
)
def test_line_is_found_however_loosely_it_was_written(file: list[str], pattern: list[str]) -> None:
    """Trailing space, surrounding space and typographic characters do not count."""
    assert LineSearch(file).find(pattern, 0) == 1


def test_stricter_match_wins_wherever_it_is() -> None:
    """A loose match earlier in the file does not hide an exact one."""
    search = LineSearch(["  b", "b ", "b"])

    assert search.find(["b"], 0) == 2
    assert search.find(["b "], 0) == 1
    assert search.find(["  b  "], 0) == 0
    assert search.find(["\tb"], 0) == 0


def test_search_begins_at_start_and_never_goes_back() -> None:
    search = LineSearch(["a", "b", "a"])

    assert search.find(["a"], 1) == 2
    assert search.find(["b"], 2) is None
    assert search.find(["a", "b", "a", "c"], 0) is None
    assert search.find(["a"], 3) is None


def test_end_is_looked_at_first_and_then_the_rest() -> None:
    """L40: what is not at the end, as was said, is still found."""
    search = LineSearch(["x", "y", "x", "z"])

    assert LineSearch(["x", "y", "x"]).find(["x"], 0, at_end=True) == 2
    assert search.find(["x"], 0, at_end=True) == 0
    assert search.find(["x"], 1, at_end=True) == 2
    assert search.find(["q"], 0, at_end=True) is None
    assert LineSearch(["x ", "y", " x"]).find(["x"], 0, at_end=True) == 2


def test_nothing_is_found_in_nothing() -> None:
    assert LineSearch([]).find(["a"], 0) is None


@given(
    st.lists(st.sampled_from("ab")), st.lists(st.sampled_from("ab"), min_size=1), st.integers(0, 5)
)
@settings(deadline=None)
def test_find_agrees_with_trying_every_place(
    file: list[str], pattern: list[str], start: int
) -> None:
    """The clever search finds what the plain one does."""
    places = range(start, len(file) - len(pattern) + 1)
    expected = next((at for at in places if file[at : at + len(pattern)] == pattern), None)

    assert LineSearch(file).find(pattern, start) == expected


@pytest.mark.slow
def test_repetitive_file_costs_time_in_proportion() -> None:
    """A hundred thousand equal lines, and a pattern that nearly fits everywhere."""
    search = LineSearch(["a"] * 100_000)
    began = time.process_time()

    assert search.find([*["a"] * 5_000, "b"], 0) is None

    assert time.process_time() - began < 10  # trying every place takes hours
