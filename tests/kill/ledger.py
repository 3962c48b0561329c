"""What the killed workers were promised, and whether the files keep it."""

import fcntl
import os
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import orjson

from actors import load_rollout
from actors.rollout import reconstruct
from messages.codec import decode_line
from messages.content import InputText, OutputText
from messages.events import TurnAborted, TurnComplete, TurnStarted
from messages.items import Message, ResponseItem
from messages.rollout import RolloutItem, SessionMeta
from messages.settings import TruncationMode, TruncationPolicy

from .worker import ANSWER

__all__ = ["Book", "Ledger"]

Report = dict[str, Any]

_WHOLE = TruncationPolicy(mode=TruncationMode.BYTES, limit=1 << 20)


@attrs.define(eq=False)
class Book:
    """
    One rollout, and what was promised of it.

    Attributes:
        thread: Whose it is; empty before anybody saw it.
        lines: How many were acknowledged.
        ended: What clients were told of turns: report by turn id, in order.
        text: The whole good lines seen so far; a file only ever grows behind them.
        started: Turns that had begun when it was last looked at.
    """

    path: Path
    thread: str = ""
    lines: int = 0
    ended: dict[str, Report] = attrs.field(factory=dict[str, Report])
    text: bytes = b""
    started: set[str] = attrs.field(factory=set[str])

    def look(self, *, whole: bool) -> None:
        """
        Check everything that was promised, after the writer is dead.

        Args:
            whole: Whether every turn must have its end: the thread was closed in order.
        """
        data = self.path.read_bytes() if self.path.exists() else b""
        good = data[: data.rfind(b"\n") + 1]
        assert good.startswith(self.text), f"{self.path}: lines that were there have changed"
        self.text = good
        if not good:
            assert not self.lines, f"{self.path}: {self.lines} lines were acknowledged"
            assert not self.ended, f"{self.path}: turns were acknowledged: {self.ended}"
            return
        items = _read(self.path, good)
        assert len(items) >= self.lines, f"{self.path}: {len(items)} of {self.lines} acknowledged"
        self._check_meta(items)
        self._check_turns(items, whole=whole)
        self._check_loads(items, torn=len(good) < len(data))

    def check_resumed(self, report: Report) -> None:
        """Check what a client saw when the thread came back: every turn with its one end."""
        assert Counter(report["started"]) == Counter(report["ended"]), f"{self.path}: {report}"
        missing = {*self.started, *self.ended} - {*report["started"]}
        assert not missing, f"{self.path}: turns {missing} are gone"

    def _check_meta(self, items: list[RolloutItem]) -> None:
        first = items[0]
        assert isinstance(first, SessionMeta), f"{self.path} begins with {first!r}"
        assert self.thread in ("", first.id)
        assert sum(isinstance(item, SessionMeta) for item in items) == 1

    def _check_turns(self, items: list[RolloutItem], *, whole: bool) -> None:
        begun = Counter(item.turn_id for item in items if isinstance(item, TurnStarted))
        ends = [item for item in items if isinstance(item, TurnComplete | TurnAborted)]
        over = Counter(item.turn_id for item in ends)
        assert not begun or max(begun.values()) == 1, f"{self.path}: {begun}"
        assert not over or max(over.values()) == 1, f"{self.path}: {over}"
        assert not over.keys() - begun.keys(), f"{self.path}: ends without a beginning"
        open_turns = begun.keys() - over.keys()
        assert len(open_turns) <= (0 if whole else 1), f"{self.path}: {open_turns} have no end"
        for turn, report in self.ended.items():
            assert turn in over, f"{self.path}: the end of {turn} was told and is not there"
            _check_turn(_turn(items, turn), report)
        self.started = {turn for turn in begun if turn}

    def _check_loads(self, items: list[RolloutItem], *, torn: bool) -> None:
        loaded = load_rollout(self.path)
        assert loaded.damaged == ()
        assert list(loaded.items) == items
        assert (loaded.torn_tail_offset is not None) == torn
        texts = [_text(item) for item in reconstruct(items, initial_context=(), policy=_WHOLE)]
        told = [r[k] for r in self.ended.values() for k in ("text", "answer") if r[k]]
        assert [text for text in texts if text in {*told}] == told, f"{self.path}: history differs"


@attrs.define(eq=False)
class Ledger:
    """All rollouts of a home, over many kills."""

    books: dict[str, Book] = attrs.field(factory=dict[str, Book])
    # By the rollout that is being forked: what had been promised of it by then.
    _forking: dict[str, dict[str, Report]] = attrs.field(factory=dict[str, dict[str, Report]])

    def take(self, reports: list[Report], *, whole: bool = False) -> set[str]:
        """
        Note what a dead worker reported, and check the files it touched.

        Returns:
            The paths that it touched.
        """
        for report in reports:
            self._take(report)
        touched = {r["path"] for r in reports if r.get("path")}
        for path in touched:
            assert_free(Path(path))
            self.books[path].look(whole=whole)
        return touched

    def _take(self, report: Report) -> None:
        match report["what"]:
            case "crash":
                raise AssertionError(report["text"])
            case "start" | "resume" | "fork":
                book = self._book(report["path"])
                assert book.thread in ("", report["thread"])
                book.thread = report["thread"]
                if report["what"] == "resume":
                    book.check_resumed(report)
                elif report["what"] == "fork":
                    self._take_fork(book, report)
            case "fork...":
                self._forking[report["path"]] = dict(self._book(report["path"]).ended)
            case "flushed":
                book = self._book(report["path"])
                # Two flushes that wait for one fdatasync may return in any order.
                book.lines = max(book.lines, report["lines"])
            case "ended":
                book = self._book(report["path"])
                assert report["turn"] not in book.ended, f"{report}: it had ended"
                book.ended[report["turn"]] = report
            case "closed":
                assert not report["failed"], report
            case _:
                if report.get("path"):
                    self._book(report["path"])

    def _take_fork(self, book: Book, report: Report) -> None:
        """A fork holds all that was promised of the thread it came from."""
        promised = self._forking.pop(report["source"])
        missing = {*promised} - {*report["ended"]}
        assert not missing, f"{book.path}: turns {missing} of {report['source']} are missing"
        book.ended = {**promised, **book.ended}

    def _book(self, path: str) -> Book:
        return self.books.setdefault(path, Book(Path(path)))


def assert_free(path: Path) -> None:
    """Check that nobody holds the lock of a rollout whose writer is dead."""
    if not path.exists():
        return
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def _read(path: Path, data: bytes) -> list[RolloutItem]:
    """Decode every line, checksums and positions included."""
    items: list[RolloutItem] = []
    for number, line in enumerate(data.splitlines(keepends=True)):
        record = orjson.loads(line)
        assert record["seq"] == number, f"{path}: line {number} says it is {record['seq']}"
        assert "crc" in record
        items.append(decode_line(line).item)
    return items


def _turn(items: list[RolloutItem], turn: str) -> list[RolloutItem]:
    """Return the records from a turn's beginning to its end."""
    places = [
        index
        for index, item in enumerate(items)
        if isinstance(item, TurnStarted | TurnComplete | TurnAborted) and item.turn_id == turn
    ]
    assert len(places) == 2
    return items[places[0] : places[1] + 1]


def _check_turn(items: list[RolloutItem], report: Report) -> None:
    texts = [_text(item) for item in items]
    assert report["text"] in texts, report
    end = items[-1]
    if report["end"] == "aborted":
        assert isinstance(end, TurnAborted)
        return
    assert isinstance(end, TurnComplete)
    answer: str = report["answer"]
    assert end.last_agent_message == answer == ANSWER + str(report["text"])
    assert texts.index(report["answer"]) > texts.index(report["text"])


def _text(item: RolloutItem | ResponseItem) -> str | None:
    if not isinstance(item, Message):
        return None
    return "".join(part.text for part in item.content if isinstance(part, InputText | OutputText))
