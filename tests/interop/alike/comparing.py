"""Comparing two transcripts, with a table of what may differ."""

from __future__ import annotations

import copy
import difflib
import enum
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeAlias

import attrs

from tests.interop.alike.transcript import Entry, head_of

__all__ = [
    "ABSENT",
    "ANYTHING",
    "Difference",
    "Finding",
    "Left",
    "Member",
    "Place",
    "Reordered",
    "Rewritten",
    "Side",
    "compare",
]

Side: TypeAlias = Literal["theirs", "ours"]

_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class _Nothing:
    def __repr__(self) -> str:
        return "<absent>"


class _Anything:
    def __repr__(self) -> str:
        return "<anything>"


ABSENT: Final = _Nothing()
"""Stands for a member that is not there."""

ANYTHING: Final = _Anything()
"""Stands for every value, also for none."""


@attrs.frozen(kw_only=True)
class Difference:
    """
    Something that is different on purpose.

    Attributes:
        what: The difference, in one sentence.
        why: Which rule of the protocol's dossier or which promise wants it.
        cases: Patterns of names; in one case of each the difference must be seen.
        races: More of them, where it is seen or not as Codex goes about it.
    """

    what: str
    why: str
    cases: tuple[str, ...] = ("*",)
    races: tuple[str, ...] = ()

    def patterns(self, case: str) -> list[str]:
        """The patterns that fit a case."""
        return [each for each in (*self.cases, *self.races) if fnmatchcase(case, each)]


@attrs.frozen(kw_only=True)
class Left(Difference):
    """
    Entries that are left out, on one side or both.

    Attributes:
        head: Expression for the whole head of the entry.
        side: Whose; None for both.
        when: Given the entry and all before it that were kept.
    """

    head: str
    side: Side | None = None
    when: Callable[[Entry, Sequence[Entry]], bool] = lambda _, __: True

    def apply(self, side: Side, entries: list[Entry]) -> tuple[list[Entry], bool]:
        """Leave them out; and say whether there were any."""
        if self.side not in (None, side):
            return entries, False
        kept: list[Entry] = []
        for entry in entries:
            if not (re.fullmatch(self.head, head_of(entry)) and self.when(entry, kept)):
                kept.append(entry)
        return kept, len(kept) < len(entries)


class Place(enum.Enum):
    """Where an entry is put."""

    BEHIND_LAST = "behind the last one before it"
    BEFORE_LAST = "before the last one before it"
    BEFORE_NEXT = "before the first one behind it"
    BEFORE_ROW = "before all those that are right before it, one after the other"


@attrs.frozen(kw_only=True)
class Reordered(Difference):
    """
    Entries whose place is not fixed, and the place that they are given.

    Attributes:
        head: Expression for the whole head of the entry.
        place: Where it is put, as seen from an entry of which *anchor* is the head.
        anchor: Expression for the whole head of that entry.
        side: Whose; None for both.
    """

    head: str
    place: Place
    anchor: str
    side: Side | None = None

    def apply(self, side: Side, entries: list[Entry]) -> tuple[list[Entry], bool]:
        """Put them in their place; and say whether there were any."""
        if self.side not in (None, side):
            return entries, False
        moved, meant = list(entries), [e for e in entries if re.fullmatch(self.head, head_of(e))]
        for entry in meant:
            self._move(moved, entry)
        return moved, bool(meant)

    def _move(self, entries: list[Entry], entry: Entry) -> None:
        start = next(i for i, each in enumerate(entries) if each is entry)
        anchors = [i for i, each in enumerate(entries) if re.fullmatch(self.anchor, head_of(each))]
        last, following = [i for i in anchors if i < start], [i for i in anchors if i > start]
        match self.place:
            case Place.BEHIND_LAST:
                places = [i + 1 for i in last[-1:]]
            case Place.BEFORE_LAST:
                places = last[-1:]
            case Place.BEFORE_NEXT:
                places = [i - 1 for i in following[:1]]
            case Place.BEFORE_ROW:
                row = start
                while row - 1 in last:
                    row -= 1
                places = [row]
        for place in places:
            entries.insert(place, entries.pop(start))


@attrs.frozen(kw_only=True)
class Rewritten(Difference):
    """
    Something inside of entries that is brought into one form.

    Attributes:
        head: Expression for the whole head of the entry.
        rewrite: Given what was said, returns it in that form.
        side: Whose; None for both.
    """

    head: str
    rewrite: Callable[[Any], Any]
    side: Side | None = None

    def apply(self, side: Side, entries: list[Entry]) -> tuple[list[Entry], bool]:
        """Bring all into the form; and say whether any was not."""
        if self.side not in (None, side):
            return entries, False
        rewritten = [self._one(entry) for entry in entries]
        return rewritten, rewritten != entries

    def _one(self, entry: Entry) -> Entry:
        if re.fullmatch(self.head, head_of(entry)) is None:
            return entry
        name = "params" if "params" in entry else "said"
        return {**entry, name: self.rewrite(copy.deepcopy(entry[name]))}


@attrs.frozen(kw_only=True)
class Member(Difference):
    """
    A value inside of an entry.

    Attributes:
        at: Expression for the whole place, for example ``answer thread/start: .*``.
        theirs: The value there, `ABSENT` or `ANYTHING`.
        ours: The same for ours.
    """

    at: str
    theirs: Any = ANYTHING
    ours: Any = ANYTHING

    def fits(self, finding: Finding) -> bool:
        """Tell whether this is the difference."""
        return (
            re.fullmatch(self.at, finding.at) is not None
            and _fits(self.theirs, finding.theirs)
            and _fits(self.ours, finding.ours)
        )


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.fullmatch(value) is not None
    return wanted is ANYTHING or (type(wanted) is type(value) and wanted == value)


@attrs.frozen
class Finding:
    """A value that differs, and where."""

    at: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.at}\n    theirs: {self.theirs!r}\n    ours:   {self.ours!r}"


@attrs.define
class _Ids:
    """Ids of the two sides belong together in pairs."""

    _ours: dict[str, str] = attrs.field(factory=dict)
    _theirs: dict[str, str] = attrs.field(factory=dict)

    def pair(self, theirs: str, ours: str) -> bool:
        known = self._ours.get(theirs), self._theirs.get(ours)
        if known == (None, None):
            self._ours[theirs], self._theirs[ours] = ours, theirs
            return True
        return known == (ours, theirs)


def compare(
    case: str,
    theirs: Sequence[Entry],
    ours: Sequence[Entry],
    table: Sequence[Difference],
) -> tuple[list[str], set[tuple[int, str]]]:
    """
    Compare whole transcripts.

    Returns:
        What differs and is not in the table; and the rows that were needed, each with the
        pattern of the case.
    """
    used: set[tuple[int, str]] = set()
    sides: dict[Side, list[Entry]] = {"theirs": list(theirs), "ours": list(ours)}
    for number, row in enumerate(table):
        if isinstance(row, Left | Reordered | Rewritten) and (patterns := row.patterns(case)):
            for side, entries in sides.items():
                sides[side], changed = row.apply(side, entries)
                if changed:
                    used.update((number, pattern) for pattern in patterns)
    problems = _sequence(sides["theirs"], sides["ours"])
    if problems:
        return problems, used
    ids = _Ids()
    for their, our in zip(sides["theirs"], sides["ours"], strict=True):
        said = their.get("params", their.get("said")), our.get("params", our.get("said"))
        for finding in _findings(head_of(their), "", *said, ids):
            rows = [
                (number, pattern)
                for number, row in enumerate(table)
                if isinstance(row, Member)
                for pattern in row.patterns(case)
                if row.fits(finding)
            ]
            used.update(rows)
            if not rows:
                problems.append(str(finding))
    return problems, used


def _sequence(theirs: Sequence[Entry], ours: Sequence[Entry]) -> list[str]:
    heads = [list(map(head_of, side)) for side in (theirs, ours)]
    if heads[0] == heads[1]:
        return []
    lines = difflib.unified_diff(*heads, "theirs", "ours", n=99, lineterm="")
    return ["the order is not the same:\n  " + "\n  ".join(lines)]


def _findings(head: str, path: str, theirs: Any, ours: Any, ids: _Ids) -> Iterator[Finding]:
    match theirs, ours:
        case dict(), dict():
            for name in (*theirs, *(name for name in ours if name not in theirs)):
                inner = ".".join(filter(None, (path, name)))
                pair = theirs.get(name, ABSENT), ours.get(name, ABSENT)
                yield from _findings(head, inner, *pair, ids)
        case list(), list() if len(theirs) == len(ours):
            for number, pair in enumerate(zip(theirs, ours, strict=True)):
                yield from _findings(head, f"{path}[{number}]", *pair, ids)
        case str(), str():
            if not _same_text(theirs, ours, ids):
                yield Finding(f"{head}: {path}", theirs, ours)
        case _:
            if type(theirs) is not type(ours) or theirs != ours:
                yield Finding(f"{head}: {path}", theirs, ours)


def _same_text(theirs: str, ours: str, ids: _Ids) -> bool:
    if _ID.split(theirs) != _ID.split(ours):
        return False
    pairs = zip(_ID.findall(theirs), _ID.findall(ours), strict=True)
    return all(ids.pair(*pair) for pair in pairs)
