"""The list of threads: a table for a person, lines for a program."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from actors.rollout import ListedThread, format_time
from messages.codec import to_json
from messages.ids import ThreadId
from messages.value import Json

from .pieces import Look, Piece, shortened

__all__ = ["listed_line", "listed_table"]

_HEADINGS: Final = ("THREAD", "CHANGED", "FOLDER", "WHAT")
_GAP: Final = "  "
_FOLDER_LIMIT: Final = 32
_WORDS_LIMIT: Final = 72
_LEAST_WORDS: Final = 16
_FOLDER: Final = 2
"""Column that goes first when there is no room for all."""

_SPANS: Final = ((86400 * 60, 86400, "days"), (86400 * 2, 3600, "h"), (3600 * 2, 60, "min"))


def listed_line(thread: ListedThread, name: str | None) -> dict[str, Json]:
    """Make what ``--json`` prints of a thread; times are RFC 3339 in UTC."""
    return {
        "id": thread.thread_id,
        "name": name,
        "preview": thread.first_user_message,
        "cwd": thread.cwd,
        "created_at": format_time(thread.created_at),
        "updated_at": format_time(thread.updated_at),
        "source": to_json(thread.source),
        "model_provider": thread.model_provider,
        "cli_version": thread.cli_version,
        "path": str(thread.path),
    }


def listed_table(
    threads: Sequence[ListedThread],
    names: Mapping[ThreadId, str],
    *,
    now: float,
    width: int | None,
) -> tuple[Piece, ...]:
    """
    Lay the threads out in columns, a line each; nothing for no threads.

    Args:
        threads: In the order to show.
        names: Of those that have one.
        now: Seconds since the Unix epoch; times are told as so long ago.
        width: Columns of the terminal; None for a pipe, where nothing is left out.
    """
    if not threads:
        return ()
    rows = [_row(thread, names.get(thread.thread_id), now) for thread in threads]
    columns = [*range(len(_HEADINGS))]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    words = widths[-1]
    if width is not None:
        room = width - sum(widths[:-1]) - len(_GAP) * (len(columns) - 1)
        if room < _LEAST_WORDS:
            columns.remove(_FOLDER)
            room += widths[_FOLDER] + len(_GAP)
        words = min(words, max(room, _LEAST_WORDS))
    widths[-1] = words
    pieces = [Piece(_laid_out(_HEADINGS, columns, widths), Look.HEAD)]
    pieces += [Piece(_laid_out(row, columns, widths)) for row in rows]
    return tuple(pieces)


def _row(thread: ListedThread, name: str | None, now: float) -> tuple[str, ...]:
    words = name or thread.first_user_message or "[image]"
    return (
        thread.thread_id,
        _ago(now - thread.updated_at, thread.updated_at),
        _folder(thread.cwd),
        shortened(words, _WORDS_LIMIT),
    )


def _laid_out(cells: Sequence[str], columns: Iterable[int], widths: Sequence[int]) -> str:
    shown = [shortened(cells[i], widths[i]).ljust(widths[i]) for i in columns]
    return _GAP.join(shown).rstrip() + "\n"


def _ago(seconds: float, moment: float) -> str:
    if seconds < 120:  # noqa: PLR2004 -- as the spans: two of the unit below
        return "just now"
    for limit, unit, word in reversed(_SPANS):
        if seconds < limit:
            return f"{seconds // unit:.0f} {word} ago"
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def _folder(cwd: str) -> str:
    path = shortened(cwd, 4096)
    home = str(Path.home())
    if path == home or path.startswith(f"{home}/"):
        path = f"~{path[len(home) :]}"
    return path if len(path) <= _FOLDER_LIMIT else f"...{path[3 - _FOLDER_LIMIT :]}"
