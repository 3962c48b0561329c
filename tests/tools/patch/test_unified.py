"""Diffs are right, always, and short where that is cheap."""

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.patch.comparison import Change, changed_lines
from actors.tools.patch.unified import split_lines, unified_diff


def rebuilt(old: list[str], new: list[str]) -> list[str]:
    """Apply the changes to the old lines."""
    out: list[str] = []
    position = 0
    for change in changed_lines(old, new):
        out += old[position : change.start] + new[change.new_start : change.new_end]
        position = change.end
    return out + old[position:]


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
@settings(deadline=None)
def test_changes_lead_from_old_to_new_and_never_touch(old: list[str], new: list[str]) -> None:
    changes = changed_lines(old, new)

    assert rebuilt(old, new) == new
    assert all(
        one.end < two.start or one.new_end < two.new_start
        for one, two in itertools.pairwise(changes)
    )
    assert all(c.start < c.end or c.new_start < c.new_end for c in changes)


def test_few_edits_are_found_exactly() -> None:
    old = [str(n) for n in range(1000)]
    new = [*old[:10], "x", *old[11:500], *old[502:]]

    assert changed_lines(old, new) == [Change(10, 11, 10, 11), Change(500, 502, 500, 500)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["every other line", "repeats", "noise"])
def test_large_texts_take_bounded_time(kind: str) -> None:
    """Whatever is in them; a diff that is longer than need be is right, too."""
    chance = random.Random(1)
    size = 20_000
    match kind:
        case "every other line":
            old = [str(n) for n in range(size)]
            new = [line if n % 2 else f"x{n}" for n, line in enumerate(old)]
        case "repeats":
            old, new = ["a", "b"] * size, ["b", "a", "a"] * size
        case _:
            old, new = ([chance.choice("abcdefgh") for _ in range(size)] for _ in range(2))
    began = time.process_time()

    assert rebuilt(old, new) == new
    assert time.process_time() - began < 10


def test_hunks_read_like_those_of_diff() -> None:
    old = "".join(f"{n}\n" for n in range(1, 10))
    new = old.replace("2\n", "two\n").replace("9\n", "9")

    assert unified_diff(old, new, context=1) == (
        "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
        "@@ -8,2 +8,2 @@\n 8\n-9\n+9\n\\ No newline at end of file\n"
    )
    assert unified_diff("", "a\n", context=3) == "@@ -0,0 +1 @@\n+a\n"
    assert unified_diff("a\nb\n", "", context=3) == "@@ -1,2 +0,0 @@\n-a\n-b\n"
    assert unified_diff("a\n", "a\n", context=3) == ""
    assert unified_diff("x\u2028y\n", "x\n", context=3) == "@@ -1 +1 @@\n-x\u2028y\n+x\n"


@given(st.text("a\n\r\u2028"))
@settings(deadline=None)
def test_whole_text_comes_and_goes_as_line_by_line(text: str) -> None:
    """The short way for it says what the long way would."""
    lines = split_lines(text)
    for mark, diff in (
        ("+", unified_diff("", text, context=3)),
        ("-", unified_diff(text, "", context=3)),
    ):
        head, _, body = diff.partition("\n")
        there = "1" if len(lines) == 1 else f"1,{len(lines)}"
        expected = f"@@ -0,0 +{there} @@" if mark == "+" else f"@@ -{there} +0,0 @@"
        assert head == (expected if text else "")
        end = "" if not text or text.endswith("\n") else "\n\\ No newline at end of file\n"
        assert body == "".join(mark + line for line in lines) + end
