"""The names of threads."""

import errno
import os
from pathlib import Path

import orjson
import pytest
from trio.testing import MockClock

from actors.rollout import RolloutUnreadable, SessionIndex, normalized_name
from actors.rollout.index import find_id_by_name
from actors.runtime import World
from messages.ids import ThreadId

from .samples import OTHER, THREAD

NOBODY = ThreadId("00000000-0000-7000-8000-000000000000")


@pytest.fixture
def index(tmp_path: Path, world: World) -> SessionIndex:
    return SessionIndex(tmp_path / "home", world)


async def test_thread_has_the_name_it_was_given_last(index: SessionIndex) -> None:
    """By id, by several ids and by name; a name it no longer has does not find it."""
    await index.set_name(THREAD, "first")
    await index.set_name(OTHER, "other")
    await index.set_name(THREAD, "second")

    assert await index.name_of(THREAD) == "second"
    assert await index.names_of((THREAD, OTHER, NOBODY)) == {THREAD: "second", OTHER: "other"}
    assert await find_id_by_name(index.home, "second") == THREAD
    assert await find_id_by_name(index.home, " other ") == OTHER
    assert await find_id_by_name(index.home, "first") is None
    assert await find_id_by_name(index.home, "Second") is None
    assert await find_id_by_name(index.home, " ") is None
    assert await index.name_of(NOBODY) is None


async def test_of_two_threads_with_one_name_the_one_named_last_is_found(
    index: SessionIndex,
) -> None:
    """Position in the file decides, not the time in the entry."""
    await index.set_name(OTHER, "same")
    await index.set_name(THREAD, "else")
    await index.set_name(THREAD, "same")
    assert await find_id_by_name(index.home, "same") == THREAD
    await index.set_name(OTHER, "same")
    assert await find_id_by_name(index.home, "same") == OTHER


async def test_entries_are_as_codex_writes_them(index: SessionIndex, mock_clock: MockClock) -> None:
    """One JSON object a line."""
    await index.set_name(THREAD, "näme")

    (line,) = index.path.read_bytes().splitlines()
    assert orjson.loads(line) == {
        "id": THREAD,
        "thread_name": "näme",
        "updated_at": "2026-02-13T16:26:40.000Z",
    }


async def test_without_a_file_nobody_has_a_name(index: SessionIndex) -> None:
    """A missing file is an empty one."""
    assert await index.name_of(THREAD) is None
    assert await find_id_by_name(index.home, "x") is None


async def test_lines_that_are_no_entries_are_passed_over(index: SessionIndex) -> None:
    """Torn, foreign, nameless and idless lines; the next entry is never glued to a torn one."""
    index.path.parent.mkdir()
    index.path.write_bytes(
        b"what\n[]\n{}\n"
        b'{"id":"nobody","thread_name":"x"}\n'
        b'{"id":"' + OTHER.encode() + b'","thread_name":"  "}\n'
        b'{"id":"' + OTHER.encode() + b'","thread_name":" kept "}\n'
        b"\xff\n"
        b'{"id":"' + THREAD.encode() + b'","thread_name":"to'
    )

    await index.set_name(THREAD, "whole")

    assert await index.names_of((THREAD, OTHER)) == {THREAD: "whole", OTHER: "kept"}


async def test_file_that_cannot_be_used_says_so(
    index: SessionIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and writing alike."""
    index.path.mkdir(parents=True)
    with pytest.raises(RolloutUnreadable, match="Is a directory"):
        await index.set_name(THREAD, "x")
    with pytest.raises(RolloutUnreadable, match="Is a directory"):
        await index.name_of(THREAD)


async def test_entry_that_is_not_taken_whole_is_taken_back(
    index: SessionIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short write leaves no half line behind."""
    await index.set_name(THREAD, "one")
    before = index.path.read_bytes()
    write = os.write
    monkeypatch.setattr(
        "actors.rollout.index.os.write",
        lambda fd, data: write(fd, data[:5] if data.startswith(b"{") else data),
    )

    with pytest.raises(RolloutUnreadable, match="as a whole"):
        await index.set_name(THREAD, "two")

    assert index.path.read_bytes() == before


async def test_full_disk_is_reported(index: SessionIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the system says."""

    def full(_fd: int, data: bytes) -> int:
        if data.startswith(b"{"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    monkeypatch.setattr("actors.rollout.index._write_line", full)
    with pytest.raises(RolloutUnreadable, match="No space left"):
        await index.set_name(THREAD, "x")


def test_names_are_trimmed_and_never_empty() -> None:
    """White space alone is no name."""
    assert normalized_name("  a b ") == "a b"
    assert normalized_name(" \n") is None
