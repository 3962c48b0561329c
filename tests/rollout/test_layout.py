"""Names and times of rollouts."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    archived_folder,
    format_time,
    new_rollout_path,
    parse_rollout_name,
    parse_thread_id,
    parse_time,
    sessions_folder,
)
from actors.rollout.layout import RolloutName, Stamps, format_second
from messages.ids import ThreadId

from .samples import START, THREAD

NAME = f"rollout-2026-02-13T16-26-40-{THREAD}.jsonl"
MOMENTS = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)


def test_new_rollout_lies_below_its_day_in_utc() -> None:
    """The path is known before anything is on disk."""
    home = Path("/home/me/.treadle")

    path = new_rollout_path(home, START, THREAD)

    assert path == home / "sessions" / "2026" / "02" / "13" / NAME
    assert sessions_folder(home) == home / "sessions"
    assert archived_folder(home) == home / "archived_sessions"
    assert parse_rollout_name(path.name) == RolloutName(time=int(START), thread_id=THREAD)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rollout-.jsonl",
        NAME.replace("rollout", "other"),
        NAME + ".torn",
        NAME.replace("16-26-40", "16:26:40"),
        NAME.replace("02-13T", "02-30T"),
        NAME.replace("01a1fa57", "01a1fa5z"),
        NAME.replace(THREAD, THREAD[:-1]),
        "x" + NAME,
    ],
)
def test_other_names_are_no_rollouts(name: str) -> None:
    """What lies beside rollouts is left alone."""
    assert parse_rollout_name(name) is None


def test_ids_are_read_as_people_write_them() -> None:
    """Upper case and white space do not matter; anything but a UUID is refused."""
    assert parse_thread_id(f" {THREAD.upper()}\n") == THREAD
    assert parse_thread_id("my-thread") is None
    assert parse_rollout_name(NAME.replace(THREAD, THREAD.upper())) == RolloutName(
        time=int(START), thread_id=THREAD
    )


def test_names_are_ordered_by_time_and_then_by_thread() -> None:
    """Newest first is largest first."""
    older = RolloutName(time=1, thread_id=ThreadId("b"))
    assert older < RolloutName(time=2, thread_id=ThreadId("a"))
    assert older > RolloutName(time=1, thread_id=ThreadId("a"))


@given(moments=st.lists(MOMENTS, min_size=1))
def test_stamps_are_rfc3339_with_milliseconds(moments: list[float]) -> None:
    """Whatever order the moments come in, and the text reads back as the moment."""
    stamps = Stamps()
    for moment in moments:
        text = stamps.stamp(moment)
        read = datetime.fromisoformat(text)
        assert read.tzinfo == UTC
        assert abs(read.timestamp() - moment) < 0.0006
        assert len(text) == len("2026-02-13T16:26:40.000Z")
        assert text == format_time(moment)
        assert parse_time(text) == pytest.approx(moment, abs=0.0006)


@given(second=st.integers(0, 4_000_000_000))
def test_whole_seconds_read_back(second: int) -> None:
    """Cursors name seconds."""
    assert parse_time(format_second(second)) == second


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-13T16:26:40Z", START),
        ("2026-02-13T16-26-40", START),
        ("2026-02-13 16:26:40.5", START + 0.5),
        ("2026-02-13T18:26:40+02:00", START),
        ("2026-02-13t11:56:40-0430", START),
        ("2026-02-13T16:26:61Z", None),
        ("2026-13-13T16:26:40Z", None),
        ("yesterday", None),
        ("", None),
        ("2026-02-13T16:26:40Zulu", None),
    ],
)
def test_times_are_read_with_and_without_a_zone(text: str, moment: float | None) -> None:
    """Without a zone it is UTC; what is no time gives None."""
    assert parse_time(text) == moment
