"""Unified diffs of texts."""

from collections.abc import Iterator, Sequence

from .comparison import Change, changed_lines

__all__ = ["split_lines", "unified_diff"]

_NO_LINE_END = "\\ No newline at end of file\n"


def unified_diff(old: str, new: str, *, context: int) -> str:
    """
    Return the hunks that make *new* of *old*, without a header; empty when they are equal.

    Args:
        context: How many unchanged lines to show around a change.
    """
    if not old or not new:
        return _whole("+" if new else "-", old or new)
    a, b = split_lines(old), split_lines(new)
    groups = _grouped(changed_lines(a, b), context)
    return "".join(piece for group in groups for piece in _hunk(a, b, group, context))


def _whole(mark: str, text: str) -> str:
    """
    Return the one hunk in which a whole text comes or goes.

    There is nothing to compare and may be much to say: line by line, a deleted file of
    30 MB takes a quarter of a minute.
    """
    if not text:
        return ""
    lines = text.removesuffix("\n")
    there = _range(0, lines.count("\n") + 1)
    ranges = f"-{there} +0,0" if mark == "-" else f"-0,0 +{there}"
    end = "\n" if text.endswith("\n") else "\n" + _NO_LINE_END
    return f"@@ {ranges} @@\n{mark}" + lines.replace("\n", f"\n{mark}") + end


def split_lines(text: str) -> list[str]:
    """Split after each line feed, and nowhere else."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _grouped(changes: Sequence[Change], context: int) -> Iterator[list[Change]]:
    """Put changes together whose surroundings touch."""
    group: list[Change] = []
    for change in changes:
        if group and change.start - group[-1].end > 2 * context:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(
    a: Sequence[str], b: Sequence[str], group: Sequence[Change], context: int
) -> Iterator[str]:
    first, last = group[0], group[-1]
    before = min(context, first.start)
    after = min(context, len(a) - last.end)
    start, end = first.start - before, last.end + after
    new_start, new_end = first.new_start - before, last.new_end + after
    yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n"
    position = start
    for change in group:
        yield from _marked(" ", a[position : change.start])
        yield from _marked("-", a[change.start : change.end])
        yield from _marked("+", b[change.new_start : change.new_end])
        position = change.end
    yield from _marked(" ", a[position:end])


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    # An empty range is said to follow the line before it.
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line
        if not line.endswith("\n"):
            yield "\n" + _NO_LINE_END
