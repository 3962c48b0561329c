"""Patches in a few words: which files, and how many lines came and went."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from messages.events import AddFile, DeleteFile, FileChange, UpdateFile

from .pieces import head

__all__ = ["FileWords", "files_of_patch", "files_of_text", "patch_heading", "patch_lines"]

_MOST_FILES: Final = 20

_MARKS: Final[Mapping[str, str]] = {
    "*** Add File: ": "A",
    "*** Delete File: ": "D",
    "*** Update File: ": "M",
}
_MOVE: Final = "*** Move to: "


@attrs.frozen(kw_only=True)
class FileWords:
    """
    One file of a patch.

    Attributes:
        kind: A for a new one, D for one that goes, M for one that changes.
        moved_to: Its new place; None if it stays.
        added: Lines that came.
        removed: Lines that went; not known of a deletion that nobody has run.
    """

    kind: str
    path: str
    moved_to: str | None = None
    added: int = 0
    removed: int = 0


def files_of_patch(changes: Mapping[str, FileChange], cwd: str) -> list[FileWords]:
    """Count the changes of a patch; paths below *cwd* are shown from there."""
    return [_file_words(_below(path, cwd), changes[path], cwd) for path in changes]


def files_of_text(patch: str) -> list[FileWords]:
    """Count what a model wrote to change; empty when it is no patch."""
    files: list[FileWords] = []
    for line in patch.splitlines():
        mark = next((mark for mark in _MARKS if line.startswith(mark)), None)
        if mark is not None:
            files.append(FileWords(kind=_MARKS[mark], path=line[len(mark) :].strip()))
        elif files and line.startswith(_MOVE):
            files[-1] = attrs.evolve(files[-1], moved_to=line[len(_MOVE) :].strip())
        elif files and line.startswith("+"):
            files[-1] = attrs.evolve(files[-1], added=files[-1].added + 1)
        elif files and line.startswith("-"):
            files[-1] = attrs.evolve(files[-1], removed=files[-1].removed + 1)
    return files


def patch_heading(files: Iterable[FileWords]) -> str:
    """Say how large a patch is."""
    files = list(files)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    counts = _counts(sum(file.added for file in files), sum(file.removed for file in files))
    return f"patch: {count}{counts}"


def patch_lines(files: Iterable[FileWords]) -> str:
    """Write one line for each file."""
    return head("\n".join(map(_line, files)), _MOST_FILES)


def _line(file: FileWords) -> str:
    # A line feed in a name would look like another file.
    path = file.path if file.moved_to is None else f"{file.path} -> {file.moved_to}"
    return f"{file.kind} {' '.join(path.splitlines())}{_counts(file.added, file.removed)}"


def _counts(added: int, removed: int) -> str:
    return (f" +{added}" if added else "") + (f" -{removed}" if removed else "")


def _file_words(path: str, change: FileChange, cwd: str) -> FileWords:
    match change:
        case AddFile(content=content):
            return FileWords(kind="A", path=path, added=len(content.splitlines()))
        case DeleteFile(content=content):
            return FileWords(kind="D", path=path, removed=len(content.splitlines()))
        case UpdateFile(unified_diff=diff, move_path=move_path):
            added, removed = _changed_lines(diff)
            return FileWords(
                kind="M",
                path=path,
                moved_to=None if move_path is None else _below(move_path, cwd),
                added=added,
                removed=removed,
            )
        case _:
            return FileWords(kind="?", path=path)


def _changed_lines(diff: str) -> tuple[int, int]:
    lines = diff.splitlines()
    # Names of files, which begin like changes, come before the first hunk.
    first = next((i for i, line in enumerate(lines) if line.startswith("@@")), len(lines))
    hunks = lines[first:]
    return (
        sum(line.startswith("+") for line in hunks),
        sum(line.startswith("-") for line in hunks),
    )


def _below(path: str, cwd: str) -> str:
    return path.removeprefix(f"{cwd.rstrip('/')}/") if cwd else path
