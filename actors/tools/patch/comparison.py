"""Finds which lines differ between two texts, in bounded time."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

__all__ = ["Change", "changed_lines"]

_MOST_EDITS: Final = 400
"""Up to so many edits in one region, the smallest set of them is looked for."""

_WORK_PER_LINE: Final = 40
_LEAST_WORK: Final = 2_000_000
"""Steps that a comparison may take before it takes whole regions for changed."""


@attrs.frozen
class Change:
    """Lines *start* to *end* of the old text became lines *new_start* to *new_end*."""

    start: int
    end: int
    new_start: int
    new_end: int


_Region: TypeAlias = Change


def changed_lines(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """
    Return what differs, in order; neither empty changes nor neighbours that touch.

    Few edits are found by Myers' method.  Where there are many, lines that are
    unique in both texts divide the work, as in patience diffs; and where even that
    does not end soon, a whole region counts as changed.  The result is always right,
    and for texts made to be hard only longer than need be.  `difflib` would be short
    and nice, but takes quadratic time for many kinds of long texts.
    """
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(line, len(numbers)) for line in old]
    b = [numbers.setdefault(line, len(numbers)) for line in new]
    work = _LEAST_WORK + _WORK_PER_LINE * (len(a) + len(b))
    return list(_joined(_Comparison(a, b, work).changes()))


def _joined(changes: Iterator[Change]) -> Iterator[Change]:
    last: Change | None = None
    for change in changes:
        if last is None:
            last = change
        elif (last.end, last.new_end) == (change.start, change.new_start):
            last = Change(last.start, change.end, last.new_start, change.new_end)
        else:
            yield last
            last = change
    if last is not None:
        yield last


@attrs.define(eq=False)
class _Comparison:
    """One comparison of two sequences of numbers; *work* is what it may still do."""

    a: Sequence[int]
    b: Sequence[int]
    work: int

    def changes(self) -> Iterator[Change]:
        # A stack, not recursion: regions may be nested deeply.
        regions = [Change(0, len(self.a), 0, len(self.b))]
        while regions:
            region = self._trimmed(regions.pop())
            if region.start == region.end or region.new_start == region.new_end:
                if region.end - region.start or region.new_end - region.new_start:
                    yield region
                continue
            parts = self._few_edits(region)
            if parts is not None:
                yield from parts
                continue
            divided = self._divided(region)
            if divided is None:
                yield region
            else:
                regions.extend(reversed(divided))

    def _trimmed(self, region: _Region) -> _Region:
        """Take equal lines off both ends."""
        a, b = self.a, self.b
        start, end, new_start, new_end = attrs.astuple(region)
        while start < end and new_start < new_end and a[start] == b[new_start]:
            start += 1
            new_start += 1
        while start < end and new_start < new_end and a[end - 1] == b[new_end - 1]:
            end -= 1
            new_end -= 1
        return Change(start, end, new_start, new_end)

    def _few_edits(self, region: _Region) -> list[Change] | None:
        """Find the fewest edits; None when there are too many, or no time is left."""
        a, b = self.a, self.b
        size, new_size = region.end - region.start, region.new_end - region.new_start
        # Myers 1986: how far one comes on each diagonal with so many edits.
        reach = {1: 0}
        steps: list[dict[int, int]] = []
        for edits in range(min(_MOST_EDITS, size + new_size) + 1):
            steps.append(dict(reach))
            for diagonal in range(-edits, edits + 1, 2):
                down = diagonal == -edits or (
                    diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1]
                )
                x = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
                y = x - diagonal
                begun = x
                while x < size and y < new_size and a[region.start + x] == b[region.new_start + y]:
                    x += 1
                    y += 1
                self.work -= x - begun + 2
                reach[diagonal] = x
                if x >= size and y >= new_size:
                    return _retrace(steps, region)
            if self.work < 0:
                return None
        return None

    def _divided(self, region: _Region) -> list[_Region] | None:
        """Divide at lines unique on both sides; None when there are none, or no time."""
        self.work -= region.end - region.start + region.new_end - region.new_start
        if self.work < 0:
            return None
        anchors = _longest_rising(self._unique_pairs(region))
        if not anchors:
            return None
        regions: list[_Region] = []
        start, new_start = region.start, region.new_start
        for x, y in anchors:
            regions.append(Change(start, x, new_start, y))
            start, new_start = x + 1, y + 1
        regions.append(Change(start, region.end, new_start, region.new_end))
        return regions

    def _unique_pairs(self, region: _Region) -> list[tuple[int, int]]:
        places = _unique(self.a, region.start, region.end)
        new_places = _unique(self.b, region.new_start, region.new_end)
        return [(place, new_places[n]) for n, place in places.items() if n in new_places]


def _retrace(steps: list[dict[int, int]], region: _Region) -> list[Change]:
    """Walk back from the end, one edit at a time."""
    x, y = region.end - region.start, region.new_end - region.new_start
    changes: list[Change] = []
    for edits in range(len(steps) - 1, 0, -1):
        reach = steps[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1]
        )
        before = diagonal + 1 if down else diagonal - 1
        x = reach[before]
        y = x - before
        at, new_at = region.start + x, region.new_start + y
        changes.append(Change(at, at + (not down), new_at, new_at + down))
    return changes[::-1]


def _unique(numbers: Sequence[int], start: int, end: int) -> dict[int, int]:
    """Map each number that occurs once to where it is, in order."""
    places: dict[int, int] = {}
    repeated: set[int] = set()
    for index in range(start, end):
        number = numbers[index]
        if number in places:
            repeated.add(number)
        places[number] = index
    return {number: place for number, place in places.items() if number not in repeated}


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Choose the most pairs whose second members rise; the first ones do already."""
    ends: list[int] = []
    tops: list[int] = []
    before: list[int | None] = []
    for index, (_, y) in enumerate(pairs):
        length = bisect_left(ends, y)
        before.append(tops[length - 1] if length else None)
        ends[length : length + 1] = [y]
        tops[length : length + 1] = [index]
    chosen: list[tuple[int, int]] = []
    last = tops[-1] if tops else None
    while last is not None:
        chosen.append(pairs[last])
        last = before[last]
    return chosen[::-1]
