"""Finding rollouts, and moving them into and out of the archive."""

import os
from pathlib import Path

import pytest
from trio.testing import MockClock

from actors.rollout import (
    Files,
    RolloutLocked,
    RolloutNotFound,
    RolloutUnreadable,
    SessionIndex,
    archive_rollout,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
    find_thread_path_by_name,
    new_rollout_path,
    unarchive_rollout,
)
from actors.rollout import lookup as lookup_module
from actors.runtime import World
from messages.ids import ThreadId

from .samples import OTHER, START, THREAD, rollout_path

VERSION_4 = ThreadId("6f1a7b52-1c1f-4a57-9b7e-0a3c0d6f5e11")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    return path


async def test_rollout_is_found_wherever_its_day_is(tmp_path: Path) -> None:
    """On the day its id tells, on another one, and for ids that tell none."""
    far = touch(rollout_path(tmp_path))
    assert await find_thread_path_by_id(tmp_path, THREAD) == far
    assert await find_thread_path_by_id(tmp_path, THREAD.upper()) == far

    other = touch(rollout_path(tmp_path, VERSION_4))
    assert await find_thread_path_by_id(tmp_path, VERSION_4) == other


async def test_day_of_the_id_is_looked_at_first(
    tmp_path: Path, world: World, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version 7 id tells its day; local names may be a day off; the rest is not walked."""
    monkeypatch.setattr(lookup_module.os, "walk", None)
    thread_id = ThreadId(world.new_id())
    for shift in (-86_400, 0, 86_400):
        path = touch(new_rollout_path(tmp_path, START + shift, thread_id))
        assert await find_thread_path_by_id(tmp_path, thread_id) == path
        path.unlink()


async def test_empty_file_is_no_rollout(tmp_path: Path) -> None:
    """A writer that died before its first line leaves one; a whole one elsewhere is found."""
    path = rollout_path(tmp_path)
    touch(path).write_bytes(b"")
    assert await find_thread_path_by_id(tmp_path, THREAD) is None

    elsewhere = touch(new_rollout_path(tmp_path, START + 86_400, THREAD))
    assert await find_thread_path_by_id(tmp_path, THREAD) == elsewhere

    elsewhere.unlink()
    elsewhere.symlink_to(tmp_path / "nowhere")
    assert await find_thread_path_by_id(tmp_path, THREAD) is None


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    """No home, no such thread, no id; other files with the id in their name do not count."""
    assert await find_thread_path_by_id(tmp_path / "none", THREAD) is None
    path = rollout_path(tmp_path)
    touch(path.with_name(path.name + ".torn"))
    touch(path.with_name(f"notes-{THREAD}.jsonl"))
    assert await find_thread_path_by_id(tmp_path, THREAD) is None
    assert await find_thread_path_by_id(tmp_path, "my thread") is None
    assert await find_archived_thread_path_by_id(tmp_path, "my thread") is None
    assert await find_archived_thread_path_by_id(tmp_path, THREAD) is None


async def test_rollout_is_found_by_its_present_name(tmp_path: Path, world: World) -> None:
    """A thread that was renamed is not found under its old name."""
    index = SessionIndex(tmp_path, world)
    path = touch(rollout_path(tmp_path))
    await index.set_name(THREAD, "old")
    assert await find_thread_path_by_name(tmp_path, "old") == path
    await index.set_name(THREAD, "new")
    await index.set_name(OTHER, "gone")

    assert await find_thread_path_by_name(tmp_path, "new") == path
    assert await find_thread_path_by_name(tmp_path, "old") is None
    assert await find_thread_path_by_name(tmp_path, "gone") is None


async def test_archive_and_back(tmp_path: Path) -> None:
    """Archived rollouts lie flat and are not found among the active ones."""
    path = touch(rollout_path(tmp_path))

    archived = await archive_rollout(tmp_path, path)

    assert archived == tmp_path / "archived_sessions" / path.name
    assert await find_thread_path_by_id(tmp_path, THREAD) is None
    assert await find_archived_thread_path_by_id(tmp_path, THREAD) == archived
    assert await unarchive_rollout(tmp_path, archived) == path
    assert path.exists()


async def test_rollout_of_a_live_thread_stays_where_it_is(tmp_path: Path) -> None:
    """Its writer would go on in the archive."""
    path = touch(rollout_path(tmp_path))
    fd = Files().open(path)
    try:
        with pytest.raises(RolloutLocked):
            await archive_rollout(tmp_path, path)
    finally:
        os.close(fd)
    assert path.exists()


async def test_what_cannot_be_moved_says_why(tmp_path: Path) -> None:
    """Missing, no rollout, or a target that is no folder."""
    path = rollout_path(tmp_path)
    with pytest.raises(RolloutNotFound):
        await archive_rollout(tmp_path, path)
    with pytest.raises(RolloutNotFound):
        await archive_rollout(tmp_path, touch(tmp_path / "notes.jsonl"))
    with pytest.raises(RolloutNotFound):
        await unarchive_rollout(tmp_path, tmp_path / "notes.jsonl")
    touch(path)
    (tmp_path / "archived_sessions").touch()
    with pytest.raises(RolloutUnreadable, match="File exists"):
        await archive_rollout(tmp_path, path)
    assert path.exists()
