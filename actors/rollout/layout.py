"""Where rollouts lie, what they are called, and how their times are written."""

import re
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import attrs

from messages.ids import ThreadId

__all__ = [
    "ARCHIVED",
    "INDEX",
    "NOTES",
    "SESSIONS",
    "RolloutName",
    "Stamps",
    "archived_folder",
    "format_second",
    "format_time",
    "new_rollout_path",
    "parse_rollout_name",
    "parse_thread_id",
    "parse_time",
    "sessions_folder",
]

SESSIONS = "sessions"
ARCHIVED = "archived_sessions"
INDEX = "session_index.jsonl"
NOTES = "thread_notes.jsonl"

_NAME = re.compile(
    r"rollout-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-"
    r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})\.jsonl",
    re.ASCII,
)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d)[:-](\d\d)[:-](\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


@attrs.frozen(kw_only=True, order=True)
class RolloutName:
    """
    What a rollout's file name says; ordered by time, then thread id.

    Attributes:
        time:
            Start of the session in whole seconds since the Unix epoch.  Codex
            writes its names in local time; they are taken for UTC all the same,
            so that they may be some hours off.
        thread_id: The thread.
    """

    time: int
    thread_id: ThreadId


def sessions_folder(home: Path) -> Path:
    """The folder of active rollouts, one folder below for each year, month and day."""
    return home / SESSIONS


def archived_folder(home: Path) -> Path:
    """The folder of archived rollouts, all side by side."""
    return home / ARCHIVED


def new_rollout_path(home: Path, now: float, thread_id: ThreadId) -> Path:
    """
    Where a thread that starts *now* records itself; touches no disk.

    Args:
        home: The home folder.
        now: Seconds since the Unix epoch.
        thread_id: The new thread.
    """
    moment = time.gmtime(now)
    day = sessions_folder(home) / time.strftime("%Y/%m/%d", moment)
    return day / f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S', moment)}-{thread_id}.jsonl"


def parse_rollout_name(name: str) -> RolloutName | None:
    """Read a file name; None if it is not a rollout's."""
    match = _NAME.fullmatch(name)
    moment = parse_time(match[1]) if match else None
    if match is None or moment is None:
        return None
    return RolloutName(time=int(moment), thread_id=ThreadId(match[2].lower()))


def parse_thread_id(text: str) -> ThreadId | None:
    """Read a thread id as people write it; None if it is no UUID."""
    try:
        return ThreadId(str(uuid.UUID(text.strip())))
    except ValueError:
        return None


def format_time(moment: float) -> str:
    """Write seconds since the Unix epoch as RFC 3339 in UTC with milliseconds."""
    return Stamps().stamp(moment)


def format_second(moment: int) -> str:
    """Write whole seconds since the Unix epoch as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def parse_time(text: str) -> float | None:
    """
    Read RFC 3339, or the form in file names, as seconds since the Unix epoch.

    What names no time zone is taken for UTC.  None if it is no time.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() + float(match[7] or 0) - _offset(match[8])


def _offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


@attrs.define(eq=False)
class Stamps:
    """
    Writes times as RFC 3339 in UTC with milliseconds, fast.

    A fresh ``strftime`` for each record would cost more than encoding it, so
    the text up to the second is kept from one record to the next.
    """

    _second: int = attrs.field(default=-1, init=False)
    _text: str = attrs.field(default="", init=False)
    _millisecond: int = attrs.field(default=-1, init=False)
    _stamp: str = attrs.field(default="", init=False)

    def stamp(self, moment: float) -> str:
        """Write seconds since the Unix epoch, to the nearest millisecond."""
        milliseconds = int(moment * 1000 + 0.5)
        if milliseconds != self._millisecond:
            second = milliseconds // 1000
            if second != self._second:
                self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
                self._second = second
            self._stamp = f"{self._text}{milliseconds % 1000:03d}Z"
            self._millisecond = milliseconds
        return self._stamp
