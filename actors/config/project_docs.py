"""What the user tells the model in files: AGENTS.md of the home and of the project."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import attrs

from .looks import is_file_or_link, real_path
from .plain_file import read_plain_file
from .project import DEFAULT_MARKERS, project_folders

__all__ = [
    "DEFAULT_DOC_LIMIT_BYTES",
    "Docs",
    "joined_instructions",
    "project_docs",
    "read_home_doc",
    "read_project_docs",
]

DEFAULT_DOC_LIMIT_BYTES: Final = 32_768
"""All files of a project together, when nobody says how much; Codex has the same."""

_OVERRIDE: Final = "AGENTS.override.md"
_USUAL: Final = "AGENTS.md"
_LIMIT_KEY: Final = "project_doc_max_bytes"
_HOME_LIMIT_BYTES: Final = 1 << 20
_SEPARATOR: Final = "\n\n--- project-doc ---\n\n"
"""Between the home's and the project's; Codex has the same, and its files show it."""


@attrs.frozen(kw_only=True)
class Docs:
    """
    Instructions found in files.

    Attributes:
        text: None when there are none.
        paths: The files they are from, in order.
        warnings: A line for each file that could not be read, or not as a whole.
    """

    text: str | None = attrs.field(default=None, repr=False)
    paths: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def project_docs(
    cwd: Path,
    *,
    markers: Collection[str] = DEFAULT_MARKERS,
    fallback_names: Sequence[str] = (),
    limit_bytes: int = DEFAULT_DOC_LIMIT_BYTES,
) -> str | None:
    """Read the instructions of a project; see `read_project_docs`."""
    folders = project_folders(cwd, markers)
    return read_project_docs(folders, fallback_names=fallback_names, limit_bytes=limit_bytes).text


def read_project_docs(
    folders: Sequence[Path],
    *,
    fallback_names: Sequence[str],
    limit_bytes: int,
    but_not: str | None = None,
) -> Docs:
    """
    Read one file of each folder: ``AGENTS.override.md``, ``AGENTS.md``, or a fallback.

    The first of these names that is there is taken, even if it cannot be read.  Files
    with nothing but white space are left out.  The text of a file that does not fit
    into what is left of the limit is cut there, between characters; what is no UTF-8 is
    replaced.  A file that cannot be read costs only itself.  Blocks while it reads.

    Args:
        folders: Of the project, the root first.
        fallback_names: Names to look for besides, in order.
        limit_bytes: For all files together; 0 for none at all.
        but_not: Path of a file that was read before.

    Source:
        Codex, ``read_project_docs``; there one unreadable file costs all of them.
    """
    names = dict.fromkeys((_OVERRIDE, _USUAL, *fallback_names))
    texts: list[str] = []
    paths: list[str] = []
    warnings: list[str] = []
    left = limit_bytes
    for folder in folders:
        path = next((folder / name for name in names if is_file_or_link(folder / name)), None)
        if path is None or limit_bytes <= 0 or real_path(path) == but_not:
            continue
        if left <= 0:
            warnings.append(f"{path}: it is not used; {_LIMIT_KEY} has no room left for it")
            continue
        text, used, warning = _read(path, left, _LIMIT_KEY)
        warnings.extend(warning)
        if text.strip():
            texts.append(text)
            paths.append(str(path))
            left -= used
    return Docs(text="\n\n".join(texts) or None, paths=tuple(paths), warnings=tuple(warnings))


def read_home_doc(home: Path) -> Docs:
    """
    Read ``AGENTS.override.md`` of the home, or else its ``AGENTS.md``, without margins.

    One that is blank or cannot be read counts as missing.
    """
    warnings: list[str] = []
    for path in (home / _OVERRIDE, home / _USUAL):
        if not is_file_or_link(path):
            continue
        text, _, warning = _read(path, _HOME_LIMIT_BYTES, None)
        warnings.extend(warning)
        if stripped := text.strip():
            return Docs(text=stripped, paths=(str(path),), warnings=tuple(warnings))
    return Docs(warnings=tuple(warnings))


def joined_instructions(home: Docs, project: Docs) -> str | None:
    """Put the instructions of the home before those of the project."""
    return _SEPARATOR.join(docs.text for docs in (home, project) if docs.text) or None


def _read(path: Path, limit_bytes: int, key: str | None) -> tuple[str, int, tuple[str, ...]]:
    try:
        file = read_plain_file(path, limit_bytes)
    except OSError as exc:
        return "", 0, (f"{path}: it cannot be read: {exc.strerror or exc}",)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    # Half a character at a cut is not shown as a damage.
    text = decoder.decode(file.data, final=file.is_whole)
    if file.is_whole:
        return text, len(file.data), ()
    way_out = "" if key is None else f"; {key} sets the limit"
    return (
        text,
        len(file.data),
        (f"{path}: only its first {len(file.data)} bytes are used{way_out}",),
    )
