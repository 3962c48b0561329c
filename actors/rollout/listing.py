"""Lists threads by their rollouts, page by page, reading only the beginning of each."""

import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import attrs
import trio

from messages.codec import decode_item
from messages.errors import DecodeError
from messages.events import UserMessage
from messages.ids import ThreadId
from messages.rollout import RolloutItem, SessionMeta
from messages.settings import GitInfo, SessionSource, SourceKind

from .folder_names import FolderNames, sorted_names
from .layout import (
    archived_folder,
    format_second,
    new_rollout_path,
    parse_rollout_name,
    parse_thread_id,
    parse_time,
    sessions_folder,
)

__all__ = [
    "INTERACTIVE_SOURCES",
    "MAX_SCAN_FILES",
    "Cursor",
    "ListedThread",
    "SortKey",
    "ThreadFilter",
    "ThreadsPage",
    "latest_thread_path",
    "list_threads",
    "read_threads",
]

MAX_SCAN_FILES = 10_000
"""How many rollouts one call looks at; a page that ends there says so."""

INTERACTIVE_SOURCES: tuple[SessionSource, ...] = (SourceKind.CLI, SourceKind.VSCODE)
"""The programs in which a person talks to a thread."""

_GREATEST = "s"
"""Greater than the names of all rollouts."""

# The session_meta is the first line; what the user said comes soon after.
_HEAD_LINES = 10
_USER_MESSAGE_LINES = 200
_HEAD_BYTES = 32 << 10
_REQUEST_MARKER = "## My request for Codex:"


class SortKey(Enum):
    """Which threads come first: those that began or that changed last."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"


@attrs.frozen
class Cursor:
    """
    Where a page ended; the next one begins with what is strictly older.

    Attributes:
        time: Whole seconds since the Unix epoch, of the page's sort key.
        thread_id: Decides between rollouts of the same second.
    """

    time: int
    thread_id: ThreadId

    @property
    def token(self) -> str:
        """The cursor as text, for clients."""
        return f"{format_second(self.time)}|{self.thread_id}"

    @classmethod
    def parse(cls, token: str) -> "Cursor | None":
        """Read a token, also one of Codex's; None if it is none."""
        time_text, _, id_text = token.partition("|")
        moment, thread_id = parse_time(time_text), parse_thread_id(id_text)
        if moment is None or thread_id is None:
            return None
        return cls(int(moment), thread_id)


@attrs.frozen(kw_only=True)
class ThreadFilter:
    """
    Which threads to list.

    Attributes:
        sources: Only threads of these sources; all if empty.
        model_providers: Only threads of these providers; all if empty.
        default_provider: The provider of threads that do not name one.
        cwd: Only threads of this working directory; all if None.
    """

    sources: Collection[SessionSource] = ()
    model_providers: Collection[str] = ()
    default_provider: str = ""
    cwd: Path | None = None

    def accepts(self, meta: SessionMeta) -> bool:
        """Tell whether a thread is wanted."""
        provider = meta.model_provider or self.default_provider
        return (
            (not self.sources or meta.source in self.sources)
            and (not self.model_providers or provider in self.model_providers)
            and (self.cwd is None or _same_folder(self.cwd, Path(meta.cwd)))
        )


@attrs.frozen(kw_only=True)
class ListedThread:
    """
    What the beginning of a rollout says about its thread.

    Attributes:
        first_user_message: Trimmed; None when it had no text.
        created_at: Seconds since the Unix epoch; the file name's if the meta has none.
        updated_at: Seconds since the Unix epoch: the file's last change.
    """

    path: Path
    thread_id: ThreadId
    cwd: str
    source: SessionSource
    cli_version: str
    created_at: float
    updated_at: float
    first_user_message: str | None = None
    model_provider: str | None = None
    git: GitInfo | None = None


@attrs.frozen(kw_only=True)
class ThreadsPage:
    """
    Some threads, newest first.

    Attributes:
        threads: At most as many as were asked for.
        next_cursor: Where the next page begins; None when nothing follows.
        scanned_files: How many rollouts were looked at.
        reached_scan_cap: Whether the page ends because of `MAX_SCAN_FILES`.
    """

    threads: tuple[ListedThread, ...] = ()
    next_cursor: Cursor | None = None
    scanned_files: int = 0
    reached_scan_cap: bool = False


class _Candidate(NamedTuple):
    """A rollout by its name alone; newest first means largest first."""

    time: int
    thread_id: ThreadId
    path: str


async def list_threads(
    home: Path,
    *,
    page_size: int,
    cursor: Cursor | None = None,
    sort_key: SortKey = SortKey.CREATED_AT,
    wanted: ThreadFilter | None = None,
    archived: bool = False,
    max_scan_files: int = MAX_SCAN_FILES,
) -> ThreadsPage:
    """
    List threads in an OS thread; else as `read_threads`.

    Cancellation:
        Takes effect before the scan begins.
    """
    read = partial(
        read_threads,
        home,
        page_size=page_size,
        cursor=cursor,
        sort_key=sort_key,
        wanted=wanted,
        archived=archived,
        max_scan_files=max_scan_files,
    )
    return await trio.to_thread.run_sync(read)


def read_threads(
    home: Path,
    *,
    page_size: int,
    cursor: Cursor | None = None,
    sort_key: SortKey = SortKey.CREATED_AT,
    wanted: ThreadFilter | None = None,
    archived: bool = False,
    max_scan_files: int = MAX_SCAN_FILES,
    names: FolderNames | None = None,
) -> ThreadsPage:
    """
    List threads that a user said something in, newest first; blocks.

    A page with a cursor is always followed by at least one thread, unless it
    ended at the cap.  A home without rollouts gives an empty page; a rollout
    that cannot be read, or that nothing was written to, is passed over.

    Args:
        home: The home folder.
        page_size: How many at most; at least 1.
        cursor: Where the page before ended.
        sort_key: What newest means.
        wanted: Which threads; all if None.
        archived: List the archive instead of the active threads.
        max_scan_files: How many rollouts to look at, at most.
        names: Knows folders from earlier pages; None to read them anew.

    Raises:
        RolloutUnreadable: The folder of rollouts cannot be read.

    Source:
        Codex, ``rollout/list.rs``; there a cursor may lead to an empty page.
    """
    return _page(
        archived_folder(home) if archived else sessions_folder(home),
        page_size=max(page_size, 1),
        cursor=cursor,
        sort_key=sort_key,
        wanted=wanted or ThreadFilter(),
        archived=archived,
        cap=max_scan_files,
        names_of=sorted_names if names is None else names.of,
    )


async def latest_thread_path(
    home: Path,
    *,
    sort_key: SortKey = SortKey.UPDATED_AT,
    wanted: ThreadFilter | None = None,
) -> Path | None:
    """Find the rollout of the newest thread that is wanted; None if there is none."""
    cursor: Cursor | None = None
    while True:
        page = await list_threads(
            home, page_size=1, cursor=cursor, sort_key=sort_key, wanted=wanted
        )
        if page.threads:
            return page.threads[0].path
        if page.next_cursor is None:
            return None
        cursor = page.next_cursor


def _page(
    root: Path,
    *,
    page_size: int,
    cursor: Cursor | None,
    sort_key: SortKey,
    wanted: ThreadFilter,
    archived: bool,
    cap: int,
    names_of: Callable[[Path], Sequence[str]],
) -> ThreadsPage:
    found: list[tuple[_Candidate, ListedThread]] = []
    scanned = 0
    last: _Candidate | None = None
    candidates = _ordered(root, cursor, sort_key, names_of, archived=archived)
    for candidate in islice(candidates, cap):
        scanned += 1
        last = candidate
        thread = _summary(candidate, wanted)
        if thread is None:
            continue
        if len(found) == page_size:  # the look-ahead: one more follows
            return _filled(found, found[-1][0], scanned)
        found.append((candidate, thread))
    capped = scanned == cap and next(candidates, None) is not None
    return _filled(found, last if capped else None, scanned, capped=capped)


def _filled(
    found: list[tuple[_Candidate, ListedThread]],
    last: _Candidate | None,
    scanned: int,
    *,
    capped: bool = False,
) -> ThreadsPage:
    return ThreadsPage(
        threads=tuple(thread for _, thread in found),
        next_cursor=Cursor(last.time, last.thread_id) if last else None,
        scanned_files=scanned,
        reached_scan_cap=capped,
    )


def _ordered(
    root: Path,
    cursor: Cursor | None,
    sort_key: SortKey,
    names_of: Callable[[Path], Sequence[str]],
    *,
    archived: bool,
) -> Iterator[_Candidate]:
    """Yield what is older than the cursor, newest first."""
    folders = iter((root,)) if archived else _days(root)
    if sort_key is SortKey.UPDATED_AT:
        ordered = (c for folder in folders for c in _rollouts(names_of(folder), folder))
        return _behind(cursor, sorted(_by_change(ordered), reverse=True))
    latest = _latest_name(cursor)
    begun = (c for folder in folders for c in _rollouts(names_of(folder), folder, latest))
    return _behind(cursor, begun)


def _latest_name(cursor: Cursor | None) -> str:
    """Return what no rollout behind the cursor has a greater name than."""
    if cursor is None:
        return _GREATEST
    return new_rollout_path(Path(), cursor.time, cursor.thread_id).name.lower()


def _behind(cursor: Cursor | None, ordered: Iterable[_Candidate]) -> Iterator[_Candidate]:
    if cursor is None:
        return iter(ordered)
    anchor = (cursor.time, cursor.thread_id)
    return (candidate for candidate in ordered if candidate[:2] < anchor)


def _days(root: Path) -> Iterator[Path]:
    """Yield the folders of all days, latest first."""
    for year in _numbered(root):
        for month in _numbered(year):
            yield from _numbered(month)


def _numbered(folder: Path) -> list[Path]:
    names = [name for name in sorted_names(folder) if name.isascii() and name.isdigit()]
    return [folder / name for name in sorted(names, key=int, reverse=True)]


def _rollouts(names: Sequence[str], folder: Path, latest: str = _GREATEST) -> Iterator[_Candidate]:
    """
    Yield the rollouts in a folder, of whose names these are, newest first, from this one on.

    Names sort as what they say, if letters are small; so only those that are asked for
    are read, of what may be thousands.
    """
    end = bisect_right(names, latest, key=str.lower)
    for name in reversed(names[:end]):
        parsed = parse_rollout_name(name)
        if parsed is not None:
            yield _Candidate(parsed.time, parsed.thread_id, f"{folder}/{name}")


def _by_change(candidates: Iterator[_Candidate]) -> Iterator[_Candidate]:
    for candidate in candidates:
        try:
            changed = int(os.stat(candidate.path).st_mtime)  # noqa: PTH116 -- of thousands
        except OSError:  # archived or removed in this instant
            continue
        yield candidate._replace(time=changed)


def _summary(candidate: _Candidate, wanted: ThreadFilter) -> ListedThread | None:
    """Return what a rollout's beginning says; None if it is not to be listed."""
    try:
        meta, said, changed = _look(candidate.path, wanted)
    except OSError:
        return None
    if meta is None or said is None:
        return None
    created = parse_time(meta.timestamp)
    return ListedThread(
        path=Path(candidate.path),
        thread_id=meta.id,
        cwd=meta.cwd,
        source=meta.source,
        cli_version=meta.cli_version,
        created_at=candidate.time if created is None else created,
        updated_at=changed,
        first_user_message=_request(said.message),
        model_provider=meta.model_provider,
        git=meta.git,
    )


def _look(path: str, wanted: ThreadFilter) -> tuple[SessionMeta | None, UserMessage | None, float]:
    """Return what `_head` finds, and when the file was changed last."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # By hand, as in most rollouts all is in the first piece, and a page has many.
        piece = os.read(fd, _HEAD_BYTES)
        whole = len(piece) < _HEAD_BYTES
        lines = piece.split(b"\n")
        meta, said = _head(iter(lines if whole else lines[:-1]), wanted)
        if said is None and not whole:
            os.lseek(fd, 0, os.SEEK_SET)
            with open(fd, "rb", closefd=False) as file:
                meta, said = _head(file, wanted)
        return meta, said, os.fstat(fd).st_mtime
    finally:
        os.close(fd)


def _head(
    lines: Iterator[bytes], wanted: ThreadFilter
) -> tuple[SessionMeta | None, UserMessage | None]:
    """Read until it is known whose the rollout is and what the user said first."""
    meta: SessionMeta | None = None
    for count, line in enumerate(filter(bytes.strip, lines), 1):
        if meta is None and b'"session_meta"' in line:
            item = _decoded(line)
            if isinstance(item, SessionMeta):
                meta = item
                if not wanted.accepts(meta):
                    break
        elif meta is not None and b'"user_message"' in line:
            item = _decoded(line)
            if isinstance(item, UserMessage):
                return meta, item
        if count >= _HEAD_LINES + (_USER_MESSAGE_LINES if meta else 0):
            break
    return None, None


def _decoded(line: bytes) -> RolloutItem | None:
    try:
        return decode_item(line)
    except DecodeError:
        return None


def _request(message: str) -> str | None:
    """Return what the user asked for, without what an editor put before it."""
    _, marker, request = message.partition(_REQUEST_MARKER)
    return (request if marker else message).strip() or None


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return one == other
