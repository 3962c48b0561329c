"""Reads the text of a patch."""

from collections.abc import Sequence
from typing import Final

import attrs

from .errors import PatchInvalid
from .hunks import AddHunk, Chunk, DeleteHunk, Hunk, Mark, PatchLine, UpdateHunk

__all__ = ["BEGIN_PATCH", "parse_patch"]

BEGIN_PATCH: Final = "*** Begin Patch"
_END_PATCH: Final = "*** End Patch"
_ADD: Final = "*** Add File: "
_DELETE: Final = "*** Delete File: "
_UPDATE: Final = "*** Update File: "
_MOVE: Final = "*** Move to: "
_END_OF_FILE: Final = "*** End of File"
_CONTEXT: Final = "@@"

_HEREDOC_STARTS: Final = frozenset({"<<EOF", "<<'EOF'", '<<"EOF"'})
_HEREDOC_END: Final = "EOF"
_HEREDOC_LINES: Final = 4  # the fewest that hold a patch: both its own and both of the heredoc

_MARKS: Final = {mark.value: mark for mark in Mark}


def parse_patch(text: str) -> tuple[Hunk, ...]:
    """
    Read a patch; the result is empty when it has no hunk.

    More is understood than the grammar allows, because models write it: space around
    the whole and around headers, CRLF, a heredoc around the patch, a first chunk
    without ``@@``, and empty lines where a line of context would have one space.

    Raises:
        PatchInvalid: Says where, counting lines from 1 within the patch.

    Source:
        Codex, ``apply-patch/src/parser.rs``, whose error texts these are.
    """
    reader = _Reader(_unwrap(_split(text.strip())), index=1)
    hunks: list[Hunk] = []
    while reader.line is not None:
        hunks.append(_read_hunk(reader))
    return tuple(hunks)


@attrs.define(eq=False)
class _Reader:
    """
    The lines between the first and the last of a patch, one after the other.

    Attributes:
        index: Of the next line; its number is one more.
    """

    lines: Sequence[str]
    index: int

    @property
    def line(self) -> str | None:
        """The next line; None after the last hunk."""
        return self.lines[self.index] if self.index < len(self.lines) - 1 else None

    def skip(self) -> None:
        self.index += 1

    def fail(self, problem: str, *, index: int | None = None) -> PatchInvalid:
        number = (self.index if index is None else index) + 1
        return PatchInvalid(f"invalid hunk at line {number}, {problem}")


def _split(text: str) -> list[str]:
    # Not splitlines(): a form feed or U+2028 is part of its line.
    return [line.removesuffix("\r") for line in text.split("\n")]


def _unwrap(lines: list[str]) -> list[str]:
    """Return the lines from the first to the last of the patch, without a heredoc around."""
    problem = _bounds_problem(lines)
    if problem is None:
        return lines
    if (
        len(lines) >= _HEREDOC_LINES
        and lines[0] in _HEREDOC_STARTS
        and lines[-1].endswith(_HEREDOC_END)
    ):
        lines = lines[1:-1]
        problem = _bounds_problem(lines)
    if problem is not None:
        raise PatchInvalid(f"invalid patch: {problem}")
    return lines


def _bounds_problem(lines: Sequence[str]) -> str | None:
    if lines[0].strip() != BEGIN_PATCH:
        return f"The first line of the patch must be '{BEGIN_PATCH}'"
    if lines[-1].strip() != _END_PATCH:
        return f"The last line of the patch must be '{_END_PATCH}'"
    return None


def _read_hunk(reader: _Reader) -> Hunk:
    line = reader.line
    assert line is not None
    header = line.strip()
    if header.startswith(_ADD):
        reader.skip()
        return AddHunk(path=header.removeprefix(_ADD), content=_read_content(reader))
    if header.startswith(_DELETE):
        reader.skip()
        return DeleteHunk(path=header.removeprefix(_DELETE))
    if header.startswith(_UPDATE):
        return _read_update(reader, header.removeprefix(_UPDATE))
    raise reader.fail(
        f"'{header}' is not a valid hunk header. Valid hunk headers: '{_ADD}{{path}}', "
        f"'{_DELETE}{{path}}', '{_UPDATE}{{path}}'"
    )


def _read_content(reader: _Reader) -> str:
    added: list[str] = []
    while (line := reader.line) is not None and line.startswith("+"):
        added.append(line[1:] + "\n")
        reader.skip()
    return "".join(added)


def _read_update(reader: _Reader, path: str) -> UpdateHunk:
    start = reader.index
    reader.skip()
    move_to: str | None = None
    if (line := reader.line) is not None and line.startswith(_MOVE):
        move_to = line.removeprefix(_MOVE)
        reader.skip()
    chunks: list[Chunk] = []
    while (line := reader.line) is not None and not line.startswith("***"):
        if line.strip():
            chunks.append(_read_chunk(reader, line, first=not chunks))
        else:
            reader.skip()
    if not chunks:
        raise reader.fail(f"Update file hunk for path '{path}' is empty", index=start)
    return UpdateHunk(path=path, move_to=move_to, chunks=tuple(chunks))


def _read_chunk(reader: _Reader, line: str, *, first: bool) -> Chunk:
    context: str | None = None
    if line == _CONTEXT:
        reader.skip()
    elif line.startswith(f"{_CONTEXT} "):
        context = line.removeprefix(f"{_CONTEXT} ")
        reader.skip()
    elif not first:
        raise reader.fail(
            f"Expected update hunk to start with a {_CONTEXT} context marker, got: '{line}'"
        )
    lines, at_end = _read_chunk_lines(reader)
    return Chunk(context=context, lines=lines, at_end=at_end)


def _read_chunk_lines(reader: _Reader) -> tuple[tuple[PatchLine, ...], bool]:
    lines: list[PatchLine] = []
    while (line := reader.line) is not None:
        if line == _END_OF_FILE and lines:
            reader.skip()
            return tuple(lines), True
        mark = _MARKS.get(line[:1], Mark.KEEP if not line else None)
        if mark is None:
            break
        lines.append(PatchLine(mark, line[1:]))
        reader.skip()
    if lines:
        return tuple(lines), False
    if line is None or line == _END_OF_FILE:
        raise reader.fail("Update hunk does not contain any lines")
    raise reader.fail(
        f"Unexpected line found in update hunk: '{line}'. Every line should start with ' ' "
        "(context line), '+' (added line), or '-' (removed line)"
    )
