"""Recorded items, which are decoded when somebody looks at them."""

import threading
import zlib
from pathlib import Path
from typing import get_args

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    ForkedHistory,
    RecordedEvents,
    RecordedItems,
    ResumedHistory,
    chosen,
    load_rollout,
    missing_turn_ends,
    read_aside,
    reconstruct,
    replayed,
    truncate_before_nth_user_message,
    user_message_positions,
)
from actors.rollout.recorded import chosen_backwards, classes_of
from messages.codec import decode_recorded, encode_line
from messages.events import EventMsg, TurnComplete, TurnStarted, UserMessage
from messages.ids import TurnId
from messages.items import Message
from messages.rollout import CompactedItem, RolloutItem, SessionMeta, UnknownRecord
from messages.settings import TruncationMode, TruncationPolicy

from .samples import assistant, command_end, meta, rolled_back, started, turn, turn_context, user

STAMP = "2026-02-13T16:26:40.000Z"
ITEMS: tuple[RolloutItem, ...] = (
    meta(),
    *turn(1),
    command_end("out"),
    turn_context("m"),
    *turn(2),
    rolled_back(1),
    started("3"),
)
EVENTS = frozenset(get_args(EventMsg))
COMPACTED = CompactedItem(message="s", replacement_history=(user("old"),))
POLICY = TruncationPolicy(mode=TruncationMode.BYTES, limit=1000)


def written(path: Path, *items: RolloutItem) -> Path:
    lines = (encode_line(item, timestamp=STAMP, seq=seq) for seq, item in enumerate(items))
    path.write_bytes(b"".join(lines))
    return path


def load(folder: Path, *items: RolloutItem) -> RecordedItems:
    return load_rollout(written(folder / "rollout.jsonl", *items)).items


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """The classes of what is decoded from now on."""
    seen: list[type] = []

    def watched(line: bytes, cls: type[RolloutItem]) -> RolloutItem:
        seen.append(cls)
        return decode_recorded(line, cls)

    monkeypatch.setattr("actors.rollout.recorded.decode_recorded", watched)
    return seen


def test_recorded_items_are_a_sequence_equal_to_their_tuple(tmp_path: Path) -> None:
    """In every way a tuple is read; each item stays the object it was."""
    items = load(tmp_path, *ITEMS)

    assert items == ITEMS
    assert items == items[:]
    assert items != ITEMS[:-1]
    assert items != list(ITEMS)
    assert tuple(items) == ITEMS
    assert items[-1] == ITEMS[-1]
    assert items[1:3] == ITEMS[1:3]
    assert list(reversed(items)) == list(reversed(ITEMS))
    assert len(items) == len(ITEMS)
    assert items[2] is items[2]
    assert repr(items) == f"<{len(ITEMS)} recorded items>"


def test_only_what_is_looked_at_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once; what a line says of itself costs nothing."""
    items = load(tmp_path, *ITEMS)
    seen = decoded(monkeypatch)

    assert [type(item) for item in ITEMS] == list(classes_of(items))
    assert list(chosen_backwards(items, CompactedItem)) == []
    assert seen == []
    assert missing_turn_ends(items) == missing_turn_ends(ITEMS)
    assert missing_turn_ends(items) == missing_turn_ends(ITEMS)
    assert set(seen) <= {TurnStarted, TurnComplete, type(rolled_back(1))}
    assert len(seen) == len(list(chosen(items, frozenset(seen))))


def test_what_is_decoded_outlives_its_file(tmp_path: Path) -> None:
    """Whatever becomes of the file, the items are those that were read."""
    items = load(tmp_path, *ITEMS)
    (tmp_path / "rollout.jsonl").write_bytes(b"gone")

    assert items == ITEMS


@given(st.lists(st.sampled_from(ITEMS[1:]), max_size=12), st.integers(0, 3))
def test_every_reader_finds_the_same_as_in_a_tuple(
    tmp_path_factory: pytest.TempPathFactory, later: list[RolloutItem], nth: int
) -> None:
    """Whatever was recorded in whatever order."""
    plain = (meta(), *later)
    items = load(tmp_path_factory.getbasetemp(), *plain)
    classes = frozenset({Message, UserMessage, TurnStarted})

    assert list(chosen(items, classes)) == list(chosen(plain, classes))
    assert list(chosen_backwards(items, Message)) == list(chosen_backwards(plain, Message))
    assert user_message_positions(items) == user_message_positions(plain)
    cut = truncate_before_nth_user_message(items, nth)
    assert tuple(cut) == truncate_before_nth_user_message(plain, nth)
    histories = [ForkedHistory(items=each) for each in (items, plain)]
    for name in ("event_msgs", "session_cwd", "last_model", "last_token_info", "forked_from_id"):
        one, other = (getattr(history, name) for history in histories)
        assert one == other
    one, other = (reconstruct(i, initial_context=(), policy=POLICY) for i in (items, plain))
    assert one == other


def test_what_a_compaction_replaced_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last history that is recorded as a whole is where the replay begins."""
    whole = CompactedItem(message="s", replacement_history=(user("summary"),))
    bare = CompactedItem(message="t")
    items = load(tmp_path, meta(), *turn(1), whole, *turn(2), whole, assistant("a"), bare)
    plain = tuple(items)
    items = load(tmp_path, *plain)
    seen = decoded(monkeypatch)

    history = reconstruct(items, initial_context=(), policy=POLICY)

    assert history == reconstruct(plain, initial_context=(), policy=POLICY)
    assert seen == [Message]


def test_a_line_that_does_not_hold_what_it_says_is_passed_over(tmp_path: Path) -> None:
    """It is an unknown record when somebody looks at it, and is none of those it says to be."""
    path = written(tmp_path / "rollout.jsonl", meta())
    body = b'"seq":1,"timestamp":"t","type":"event_msg","payload":{"type":"user_message"}}'
    with path.open("ab") as file:
        file.write(b'{"crc":"%08x",%b\n' % (zlib.crc32(body), body))
    loaded = load_rollout(path)

    assert loaded.damaged == ()
    assert list(chosen(loaded.items, frozenset({UserMessage}))) == []
    assert list(chosen_backwards(loaded.items, UserMessage)) == []
    assert ResumedHistory.of(loaded).event_msgs == ()
    [first, second] = loaded.items
    assert isinstance(first, SessionMeta)
    assert isinstance(second, UnknownRecord)


def test_events_are_decoded_at_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them and nothing else; then they are a tuple for everybody."""
    items, last = load(tmp_path, *ITEMS), TurnComplete(turn_id=TurnId("3"))
    wanted = tuple(item for item in ITEMS if type(item) in EVENTS)
    seen = decoded(monkeypatch)

    events = RecordedEvents(items, (last,))

    assert repr(events) == "<recorded events>"
    assert seen == []
    assert events == (*wanted, last)
    assert seen == [type(item) for item in wanted]
    assert (len(events), events[-1], events[:2]) == (len(wanted) + 1, last, wanted[:2])
    assert list(reversed(events)) == [last, *reversed(wanted)]
    assert hash(events) == hash((*wanted, last))
    assert events == RecordedEvents(ITEMS, (last,))
    assert events != wanted
    assert events != [*wanted, last]
    assert repr(events) == f"<{len(events)} events>"
    assert len(seen) == len(wanted)


@given(st.lists(st.sampled_from([*ITEMS, COMPACTED, CompactedItem(message="s")]), max_size=30))
def test_what_is_replayed_comes_to_the_same_history(
    tmp_path_factory: pytest.TempPathFactory, items: list[RolloutItem]
) -> None:
    """Whatever was left out of it."""
    recorded = load(tmp_path_factory.getbasetemp(), meta(), *items)
    kept = replayed(recorded)

    assert reconstruct(kept, initial_context=(), policy=POLICY) == reconstruct(
        (meta(), *items), initial_context=(), policy=POLICY
    )
    assert len(kept) <= len(recorded)


def test_what_a_compaction_replaced_is_not_kept_for_replay(tmp_path: Path) -> None:
    """Nor what no model ever reads."""
    items = load(tmp_path, meta(), *turn(1), command_end("out"), COMPACTED, *turn(2))

    kept = replayed(items)

    assert kept[0] == COMPACTED
    assert all(isinstance(item, Message) for item in kept[1:])


async def test_long_items_are_read_in_an_os_thread(tmp_path: Path) -> None:
    """Short ones at once: the way there and back takes longer."""
    ours = threading.get_ident()
    few = load(tmp_path, meta(), *turn(1))
    many = load(tmp_path, meta(), *(user("hi") for _ in range(300)))
    long = load(tmp_path, meta(), user("x" * 300_000))

    assert await read_aside(few, threading.get_ident) == ours
    assert await read_aside(tuple(few), threading.get_ident) == ours
    assert await read_aside(many, threading.get_ident) != ours
    assert await read_aside(long, threading.get_ident) != ours


async def test_nothing_is_read_aside_for_who_was_cancelled(tmp_path: Path) -> None:
    """Neither at once nor in an OS thread."""
    for items in (load(tmp_path, meta()), load(tmp_path, meta(), user("x" * 300_000))):
        read = list[int]()
        with trio.CancelScope() as scope:
            scope.cancel()
            await read_aside(items, lambda read=read: read.append(1))  # type: ignore[misc]
        assert scope.cancelled_caught
        assert read == []
