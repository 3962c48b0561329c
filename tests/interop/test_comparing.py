"""The comparer of transcripts passes over nothing that its table does not name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.alike.comparing import (
    ABSENT,
    Difference,
    Left,
    Member,
    Place,
    Reordered,
    Rewritten,
    compare,
)
from tests.interop.alike.transcript import Entry, Scrubber, entries_of, head_of

_ID = "01a1fad3-e9a3-77df-86ee-00000000000"
_ANY: dict[str, Any] = {"what": "something", "why": "a reason"}


def _says(method: str, **params: Any) -> Entry:
    return {"says": method, "params": params}


def _compare(
    theirs: list[Entry], ours: list[Entry], *table: Difference
) -> tuple[list[str], set[tuple[int, str]]]:
    return compare("case", theirs, ours, table)


def test_what_is_the_same_is_no_difference() -> None:
    """Whatever the ids are, as long as they belong together."""
    theirs = [_says("a", id=f"{_ID}1"), _says("b", text=f"of {_ID}1 and {_ID}2")]
    ours = [_says("a", id=f"{_ID}7"), _says("b", text=f"of {_ID}7 and {_ID}8")]

    assert _compare(theirs, ours) == ([], set())


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ([f"{_ID}1", f"{_ID}1"], [f"{_ID}1", f"{_ID}2"]),
        ([f"{_ID}1", f"{_ID}2"], [f"{_ID}1", f"{_ID}1"]),
        ([1], [True]),
        ([0], [None]),
        (["a"], ["b"]),
        ([[1]], [[1, 2]]),
        ([{"x": None}], [{}]),
        ([{}], [{"x": None}]),
        (["x"], [f"{_ID}1"]),
    ],
)
def test_values_that_differ_are_found(theirs: list[Any], ours: list[Any]) -> None:
    """Also by their types, their lengths, and by being there."""
    problems, _ = _compare([_says("a", values=theirs)], [_says("a", values=ours)])

    assert len(problems) == 1
    assert problems[0].startswith("says a: values[")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("ab", "ba"), ("a", "ab"), ("aa", "a"), ("", "a"), ("ab", "ac")]
)
def test_entries_that_differ_are_found(theirs: str, ours: str) -> None:
    """By their order and their number."""
    problems, _ = _compare([_says(each) for each in theirs], [_says(each) for each in ours])

    assert len(problems) == 1
    assert problems[0].startswith("the order is not the same")


def test_row_counts_as_needed_only_where_it_makes_a_difference() -> None:
    """By its number and the pattern of the case."""
    theirs, ours = [_says("a", x=1)], [_says("a", x=1, y=2), _says("b")]
    table = (
        Left(**_ANY, head="says b", side="ours", cases=("ca*", "other")),
        Left(**_ANY, head="says c"),
        Member(**_ANY, at="says a: y", theirs=ABSENT),
        Member(**_ANY, at="says a: x"),
        Member(**_ANY, at="says a: y", theirs=ABSENT, ours=3),
        Member(**_ANY, at="says a: y", cases=("other",)),
    )

    assert _compare(theirs, ours, *table) == ([], {(0, "ca*"), (2, "*")})


def test_row_of_another_case_does_not_help() -> None:
    """The difference stays one."""
    row = Left(**_ANY, head="says b", cases=("other",), races=("another",))

    problems, used = _compare([], [_says("b")], row)

    assert len(problems) == 1
    assert used == set()


@pytest.mark.parametrize(
    ("place", "anchor", "given", "wanted"),
    [
        (Place.BEHIND_LAST, "says a", "abx", "axb"),
        (Place.BEFORE_LAST, "says b", "abx", "axb"),
        (Place.BEFORE_NEXT, "says b", "xab", "axb"),
        (Place.BEFORE_ROW, "says [bc]", "abcx", "axbc"),
        (Place.BEFORE_ROW, "says b", "abcx", "abcx"),
        (Place.BEHIND_LAST, "says y", "abx", "abx"),
    ],
)
def test_entry_is_put_in_its_place(place: Place, anchor: str, given: str, wanted: str) -> None:
    """Or stays where it is, when there is none."""
    row = Reordered(**_ANY, head="says x", place=place, anchor=anchor)

    entries, found = row.apply("ours", [_says(each) for each in given])

    assert "".join(entry["says"] for entry in entries) == wanted
    assert found


def test_rewriting_leaves_what_was_given_alone() -> None:
    """Rows are applied again for the count of those that are needed."""
    entry = _says("a", items=[1, 2])

    def shorten(said: Any) -> Any:
        said["items"].pop()
        return said

    rewritten, changed = Rewritten(**_ANY, head="says a", rewrite=shorten).apply("ours", [entry])

    assert (rewritten, changed) == ([_says("a", items=[1])], True)
    assert entry == _says("a", items=[1, 2])


def test_pieces_of_one_item_become_one() -> None:
    """In the place of the first; those of another item, or another part of it, do not."""
    log: list[tuple[str, Any]] = [
        ("sent", {"id": 1, "method": "turn/start", "params": {}}),
        ("came", {"method": "d", "params": {"itemId": "i", "delta": "Hel"}}),
        ("came", {"method": "d", "params": {"itemId": "j", "delta": "x"}}),
        ("came", {"method": "d", "params": {"itemId": "i", "delta": "lo"}}),
        ("came", {"id": 1, "result": {}}),
        ("came", {"id": 2, "error": {"code": 1, "message": "?"}}),
    ]

    assert entries_of(log, {}) == [
        _says("d", itemId="i", delta="Hello"),
        _says("d", itemId="j", delta="x"),
        {"answer": "turn/start", "said": {}},
        {"error": "<unknown 2>", "said": {"code": 1, "message": "?"}},
    ]


def test_what_no_two_runs_have_in_common_is_scrubbed() -> None:
    """Times, versions, folders; a time that is missing stays so."""
    scrubber = Scrubber({"/tmp/x/project": "<project>"})
    raw = {"createdAt": 7, "startedAt": None, "cliVersion": "1", "cwd": "/tmp/x/project/a", "n": 7}

    assert scrubber.scrub([raw]) == [
        {"createdAt": "<time>", "startedAt": None, "cliVersion": "<version>",
         "cwd": "<project>/a", "n": 7}
    ]  # fmt: skip


def test_entries_are_matched_by_kind_item_and_call() -> None:
    """Ids that each run makes up do not count."""
    item = {"type": "fileChange", "id": "c1"}

    assert head_of(_says("item/started", item=item)) == "says item/started fileChange c1"
    assert head_of(_says("item/started", item={**item, "id": f"{_ID}1"})) == (
        "says item/started fileChange"
    )
    assert head_of({"asks": "ask", "params": {"itemId": "c2"}}) == "asks ask c2"
    assert head_of({"answer": "thread/list", "said": {}}) == "answer thread/list"
