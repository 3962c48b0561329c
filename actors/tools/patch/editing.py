"""Applies the chunks of an update to the text of a file."""

from collections.abc import Sequence
from typing import Final, Self

import attrs

from .errors import PatchMismatch
from .hunks import Chunk, Mark, PatchLine
from .matching import LineSearch

__all__ = ["LINE_LIMIT", "edit_text"]

LINE_LIMIT: Final = 2_000_000
"""How many lines a file may have; each costs a hundred bytes and more while it is edited."""

_BOM: Final = "\ufeff"


def edit_text(text: str, chunks: Sequence[Chunk], path: str) -> str:
    r"""
    Return *text* with all chunks applied, in order.

    Only lines that the patch adds come from the patch: a line of context that matched
    loosely stays as the file has it.  Each line keeps its own line end; new lines end
    as the line before them, or after them at the top of the file.  The patch cannot
    say that a last line has no line end, so the result always ends with one, unless
    it is empty.  A byte order mark stays, and belongs to no line.

    Args:
        path: For error texts.

    Raises:
        PatchMismatch: A chunk is nowhere, or the file has too many lines.

    Source:
        Codex, ``apply-patch/src/lib.rs``, ``compute_replacements``.  There lines of
        context become those of the patch, new lines in CRLF files end with LF, and chunks
        that only add go to the end of the file, wherever their ``@@`` is (L40).
    """
    mark = _BOM if text.startswith(_BOM) else ""
    document = _Document.read(text.removeprefix(_BOM), path)
    cursor = 0
    for chunk in chunks:
        cursor = document.apply(chunk, cursor)
    return mark + document.render()


@attrs.define(eq=False)
class _Document:
    """
    The lines of a file, and what happens to them.

    Edits are kept by line, not by range, so that none can damage its neighbour.

    Attributes:
        texts: Lines without their ends.
        ends: The line end of each; empty for a last line without one.
    """

    path: str
    texts: list[str]
    ends: list[str]
    _search: LineSearch = attrs.field(init=False)
    _removed: set[int] = attrs.field(factory=set[int], init=False)
    # Lines to write before the line of that index; the key behind the last is the end.
    _added: dict[int, list[str]] = attrs.field(factory=dict[int, list[str]], init=False)

    def __attrs_post_init__(self) -> None:
        self._search = LineSearch(self.texts)

    @classmethod
    def read(cls, text: str, path: str) -> Self:
        count = text.count("\n")
        if count > LINE_LIMIT:
            raise PatchMismatch(
                f"Failed to read file to update {path}: it has {count} lines, and a patch may "
                f"change files of up to {LINE_LIMIT}"
            )
        pieces = text.split("\n")
        last = pieces.pop()
        ends = ["\r\n" if piece.endswith("\r") else "\n" for piece in pieces]
        texts = [piece.removesuffix("\r") for piece in pieces]
        if last:
            texts.append(last)
            ends.append("")
        return cls(path, texts, ends)

    def apply(self, chunk: Chunk, cursor: int) -> int:
        """Note the edits of a chunk; return where the next one may begin."""
        if chunk.context is not None:
            found = self._search.find((chunk.context,), cursor)
            if found is None:
                raise PatchMismatch(f"Failed to find context '{chunk.context}' in {self.path}")
            cursor = found + 1
        if not _old(chunk.lines):
            self._insert(chunk, cursor)
            return cursor
        start, lines = self._locate(chunk, cursor)
        return self._edit(lines, start)

    def render(self) -> str:
        """Return the text with all edits."""
        out: list[str] = []
        for index in range(len(self.texts) + 1):
            if index in self._added:
                end = self._end_near(index)
                out.extend(line + end for line in self._added[index])
            if index < len(self.texts) and index not in self._removed:
                out.append(self.texts[index] + (self.ends[index] or self._end_near(index)))
        return "".join(out)

    def _insert(self, chunk: Chunk, cursor: int) -> None:
        """Add lines below the context, or at the end of the file when that says nothing."""
        index = cursor
        if chunk.context is None or chunk.at_end:
            index = len(self.texts)
            if index and not self.texts[-1]:
                index -= 1  # stay before an empty last line
        self._edit(chunk.lines, index)

    def _locate(self, chunk: Chunk, cursor: int) -> tuple[int, Sequence[PatchLine]]:
        lines: Sequence[PatchLine] = chunk.lines
        old = _old(lines)
        start = self._search.find(old, cursor, at_end=chunk.at_end)
        if start is None and old[-1] == "":
            # Models write an empty line for the end of the last line.
            lines = _without_last_old(lines)
            shorter = _old(lines)
            if not shorter:
                return min(cursor, len(self.texts)), lines
            start = self._search.find(shorter, cursor, at_end=chunk.at_end)
        if start is None:
            wanted = "\n".join(old)
            raise PatchMismatch(f"Failed to find expected lines in {self.path}:\n{wanted}")
        return start, lines

    def _edit(self, lines: Sequence[PatchLine], index: int) -> int:
        for line in lines:
            if line.mark is Mark.ADD:
                self._added.setdefault(index, []).append(line.text)
                continue
            if line.mark is Mark.REMOVE:
                self._removed.add(index)
            index += 1
        return index

    def _end_near(self, index: int) -> str:
        # The line before has none when it was the last; then the one before that tells.
        for neighbour in (index - 1, index, index - 2):
            if 0 <= neighbour < len(self.ends) and self.ends[neighbour]:
                return self.ends[neighbour]
        return "\n"


def _old(lines: Sequence[PatchLine]) -> list[str]:
    return [line.text for line in lines if line.mark is not Mark.ADD]


def _without_last_old(lines: Sequence[PatchLine]) -> list[PatchLine]:
    """Take the last old line away, which is empty, and an empty last new line with it."""
    rest = list(lines)
    index = max(i for i, line in enumerate(rest) if line.mark is not Mark.ADD)
    last = rest.pop(index)
    new = [i for i, line in enumerate(rest) if line.mark is not Mark.REMOVE]
    if last.mark is Mark.KEEP:
        if index < len(rest):
            rest.insert(index, PatchLine(Mark.ADD, last.text))
        else:
            return rest  # it was the last new line, too
        new = [i for i, line in enumerate(rest) if line.mark is not Mark.REMOVE]
    if new and rest[new[-1]] == PatchLine(Mark.ADD, ""):
        del rest[new[-1]]
    return rest
