"""The journal on a disk that works: what is written when, and within which bounds."""

import logging
from pathlib import Path

import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import (
    BUFFER_LIMIT_BYTES,
    Durability,
    JournalClosed,
    JournalStatistics,
    Patience,
    Recorder,
    RolloutClosed,
    RolloutFull,
    WriteTrouble,
    load_rollout,
    open_journal,
)
from actors.runtime import World
from messages.errors import EncodeError
from messages.events import WarningEvent
from messages.rollout import RolloutItem

from .faults import Fault, FaultyFiles
from .journal_stage import LIMITED, new_recorder, no_trouble
from .samples import GIT, command_end, meta, rollout_path, said, user


async def test_nothing_is_on_disk_before_persist(tmp_path: Path, world: World) -> None:
    """Making a recorder, recording, flushing and closing touch no disk without persist."""
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, rollout_path(tmp_path))

        recorder.record([user("hi")])
        await recorder.flush()
        assert not recorder.is_persisted
        await recorder.close()

    assert not (tmp_path / "sessions").exists()


async def test_persist_writes_the_meta_and_then_what_was_recorded(
    tmp_path: Path, world: World, durability: Durability
) -> None:
    """The first line is the session_meta with git information; order is kept."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world, durability=durability) as journal:
        recorder = new_recorder(journal, path)
        recorder.record([user("one"), said("one")])
        recorder.record([user("two")])

        await recorder.persist()

        loaded = load_rollout(path)
        assert recorder.pending_bytes == 0
    assert loaded.items == (meta(), user("one"), said("one"), user("two"))
    assert loaded.thread_id == meta().id
    assert [orjson.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [0, 1, 2, 3]
    assert loaded.meta.git == GIT


async def test_persist_collects_git_information_when_the_meta_has_none(
    tmp_path: Path, world: World
) -> None:
    """Where the working tree stands is found out at the first write, not at the start."""
    git = tmp_path / "tree" / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/feature\n")
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        first = meta(git=None, cwd=str(tmp_path / "tree"))
        recorder = journal.recorder(path, first, LIMITED, on_trouble=no_trouble)
        await recorder.persist()

    git_info = load_rollout(path).meta.git
    assert git_info is not None
    assert git_info.branch == "feature"


async def test_second_persist_changes_nothing(tmp_path: Path, world: World) -> None:
    """Persist is idempotent, also when two tasks call it at once."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        recorder.record([user("hi")])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.persist)
            nursery.start_soon(recorder.persist)
        before = path.read_bytes()

        await recorder.persist()

        assert path.read_bytes() == before
    assert load_rollout(path).items == (meta(), user("hi"))


async def test_lines_nobody_flushes_are_written_at_the_interval(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """A recorded line waits for the write interval, and no longer."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world, write_interval=0.25) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        size = path.stat().st_size

        recorder.record([user("one")])
        mock_clock.jump(0.125)
        recorder.record([user("two")])
        await wait_all_tasks_blocked()
        assert path.stat().st_size == size
        mock_clock.jump(0.125)
        await wait_all_tasks_blocked()

        assert load_rollout(path).items == (meta(), user("one"), user("two"))
        recorder.record([user("three")])
        mock_clock.jump(0.25)
        await wait_all_tasks_blocked()
        assert load_rollout(path).items[-1] == user("three")


async def test_what_waits_can_be_written_early(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """Before others are told of it; the writer does not write it again."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        recorder.record([user("one")])
        recorder.write_early()
        assert not path.exists()
        await recorder.persist()

        for text in ("two", "three"):
            recorder.record([user(text)])
            recorder.write_early()
        recorder.write_early()

        whole = (meta(), user("one"), user("two"), user("three"))
        assert load_rollout(path).items == whole
        mock_clock.jump(1)
        await wait_all_tasks_blocked()
        assert load_rollout(path).items == whole


async def test_many_buffered_lines_are_written_at_once(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """64 KiB do not wait for the interval."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()

        recorder.record([user("x" * 40_000)])
        assert len(load_rollout(path).items) == 1
        recorder.record([user("y" * 40_000)])

        assert len(load_rollout(path).items) == 3


async def test_one_pass_of_the_writer_serves_many_recorders_and_yields(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """All recorders with lines are written in one pass; new lines in between are not lost."""
    async with open_journal(world=world, write_interval=1) as journal:
        recorders: list[Recorder] = []
        for number in range(70):
            path = tmp_path / f"{number}.jsonl"
            recorder = new_recorder(journal, path)
            await recorder.persist()
            recorders.append(recorder)
        seen: list[bool] = []

        async def during_the_pass() -> None:
            await trio.sleep(1)
            recorders[0].record([user("again")])
            seen.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(during_the_pass)
            for recorder in recorders:
                recorder.record([user("hi")])
            await wait_all_tasks_blocked()
            mock_clock.jump(1)
            await wait_all_tasks_blocked()
            mock_clock.jump(1)
            await wait_all_tasks_blocked()

        assert seen == [True]
        for number in range(1, 70):
            assert load_rollout(tmp_path / f"{number}.jsonl").items == (meta(), user("hi"))
        assert load_rollout(tmp_path / "0.jsonl").items == (meta(), user("hi"), user("again"))


async def test_policy_decides_what_is_recorded(tmp_path: Path, world: World) -> None:
    """Only what the mode keeps takes a line and a position."""
    path = rollout_path(tmp_path)
    items: list[RolloutItem] = [WarningEvent(message="w"), user("hi"), command_end("out")]
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        recorder.record(items)
        recorder.record([WarningEvent(message="only this")])
        await recorder.persist()

    loaded = load_rollout(path)
    assert loaded.items == (meta(), user("hi"))
    assert loaded.next_seq == 2


async def test_items_that_cannot_be_written_are_refused_with_all_others_of_the_call(
    tmp_path: Path, world: World
) -> None:
    """Record takes all items of a call or none."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        with pytest.raises(EncodeError):
            recorder.record([user("fine"), user("\ud800")])
        recorder.record([user("next")])
        await recorder.persist()

    assert load_rollout(path).items == (meta(), user("next"))


async def test_buffer_is_bounded_at_its_limit(tmp_path: Path, world: World) -> None:
    """Before there is a file, no more than the limit waits; one large record may."""
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, rollout_path(tmp_path))
        recorder.record([user("x" * BUFFER_LIMIT_BYTES)])
        pending = recorder.pending_bytes
        assert pending > BUFFER_LIMIT_BYTES

        with pytest.raises(RolloutFull) as caught:
            recorder.record([user("more")])

        assert caught.value.pending_bytes == recorder.pending_bytes == pending
        assert caught.value.limit_bytes == BUFFER_LIMIT_BYTES


async def test_buffer_takes_records_up_to_the_limit_exactly(tmp_path: Path, world: World) -> None:
    """The limit itself still fits; one byte more does not."""
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, rollout_path(tmp_path))
        recorder.record([user("")])
        overhead = recorder.pending_bytes

        rest = BUFFER_LIMIT_BYTES - 2 * overhead
        with pytest.raises(RolloutFull):
            recorder.record([user("x" * (rest + 1))])
        recorder.record([user("x" * rest)])

        assert recorder.pending_bytes == BUFFER_LIMIT_BYTES


async def test_closed_recorder_refuses_everything_but_closing(tmp_path: Path, world: World) -> None:
    """After close nothing is recorded or flushed any more."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        recorder.record([user("last")])
        await recorder.close()
        await recorder.close()

        with pytest.raises(RolloutClosed, match="is closed"):
            recorder.record([user("too late")])
        with pytest.raises(RolloutClosed):
            await recorder.flush()
        with pytest.raises(RolloutClosed):
            await recorder.persist()
        assert repr(recorder).startswith(f"<Recorder {path.name}: closed, 2 lines")

    assert load_rollout(path).items == (meta(), user("last"))


async def test_journal_writes_everything_at_its_end(
    tmp_path: Path, world: World, durability: Durability
) -> None:
    """Also when the block is cancelled, and for lines that nobody flushed."""
    path = rollout_path(tmp_path)
    with trio.CancelScope() as scope:
        async with open_journal(world=world, durability=durability) as journal:
            recorder = new_recorder(journal, path)
            await recorder.persist()
            recorder.record([user("last words")])
            scope.cancel()
            await trio.lowlevel.checkpoint()

    assert load_rollout(path).items == (meta(), user("last words"))
    with pytest.raises(JournalClosed, match="not open"):
        new_recorder(journal, path)
    with pytest.raises(JournalClosed):
        await journal.reopen(load_rollout(path), LIMITED, on_trouble=no_trouble)
    assert await journal.close() == ()


async def test_statistics_and_repr_tell_what_is_open_and_pending(
    tmp_path: Path, world: World
) -> None:
    """One look says how many recorders are open and how much waits."""
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, rollout_path(tmp_path))
        recorder.record([user("hi")])
        pending = recorder.pending_bytes

        assert journal.statistics() == JournalStatistics(
            recorders=1, failing=0, pending_bytes=pending
        )
        assert f"open, 1 recorders, 0 failing, {pending} bytes" in repr(journal)
        assert f"in memory, 2 lines, {pending} bytes" in repr(recorder)
        await recorder.persist()
        assert "open, 2 lines, 0 bytes" in repr(recorder)
    assert "closed, 0 recorders" in repr(journal)


async def test_records_lost_at_exit_are_logged(
    tmp_path: Path, world: World, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that refuses to the end costs the patience, and one line in the log."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    troubles: list[WriteTrouble] = []
    with caplog.at_level(logging.ERROR, logger="actors"):
        async with open_journal(world=world, files=files, patience=Patience(close=3)) as journal:
            recorder = journal.recorder(path, meta(), LIMITED, on_trouble=troubles.append)
            await recorder.persist()
            files.broken["write"] = Fault.NO_SPACE
            recorder.record([user("lost")])
            before = trio.current_time()

    assert trio.current_time() - before == pytest.approx(3, abs=0.1)
    assert [trouble.healed for trouble in troubles] == [False]
    assert "No space left on device" in caplog.text


async def test_what_the_block_raises_comes_out_as_itself(tmp_path: Path, world: World) -> None:
    """The journal's own tasks do not wrap the error of the block into a group."""
    path = rollout_path(tmp_path)
    with pytest.raises(KeyError, match="mine"):
        async with open_journal(world=world) as journal:
            recorder = new_recorder(journal, path)
            await recorder.persist()
            recorder.record([user("hi")])
            raise KeyError("mine")

    assert load_rollout(path).items == (meta(), user("hi"))
