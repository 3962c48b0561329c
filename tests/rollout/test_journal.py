"""The journal when the disk works: when lines get to disk, and what they look like."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import (
    BUFFER_LIMIT_BYTES,
    Durability,
    EmptyRollout,
    Files,
    JournalClosed,
    JournalStatistics,
    NoSessionMeta,
    Patience,
    PersistMode,
    Recorder,
    RolloutChanged,
    RolloutClosed,
    RolloutFull,
    RolloutLocked,
    RolloutNotFound,
    RolloutUnreadable,
    WriteTrouble,
    load_rollout,
    open_journal,
)
from actors.rollout.journal import Journal, aside_path
from actors.runtime import World
from messages.errors import EncodeError
from messages.events import WarningEvent
from messages.rollout import RolloutItem

from .faults import Fault, FaultyFiles
from .samples import GIT, command_end, meta, rollout_path, said, turn, user

LIMITED = PersistMode.LIMITED


def no_trouble(trouble: WriteTrouble) -> None:
    raise AssertionError(trouble)


def new_recorder(journal: Journal, path: Path, mode: PersistMode = LIMITED) -> Recorder:
    return journal.recorder(path, meta(), mode, on_trouble=no_trouble)


@pytest.fixture(params=Durability, ids=lambda d: d.value)
def durability(request: pytest.FixtureRequest) -> Iterator[Durability]:
    yield request.param


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


async def test_reopened_rollout_goes_on_where_it_ended(
    tmp_path: Path, world: World, durability: Durability
) -> None:
    """Positions continue, and nothing is written before something is recorded."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world, durability=durability) as journal:
        recorder = new_recorder(journal, path)
        recorder.record(turn(1))
        await recorder.persist()
        await recorder.close()
        before = path.read_bytes()

        again = await journal.reopen(load_rollout(path), LIMITED, on_trouble=no_trouble)
        assert path.read_bytes() == before
        again.record(turn(2))
        await again.flush()

        loaded = load_rollout(path)
    assert loaded.items == (meta(), *turn(1), *turn(2))
    seqs = [orjson.loads(line)["seq"] for line in path.read_bytes().splitlines()]
    assert seqs == list(range(len(loaded.items)))


async def test_file_of_another_program_is_continued(tmp_path: Path, world: World) -> None:
    """Lines without positions and checksums count; ours get both."""
    path = tmp_path / "codex.jsonl"
    path.write_bytes(
        b'{"timestamp":"2026-02-12T10:00:00.123Z","type":"session_meta","payload":{"id":"'
        + meta().id.encode()
        + b'","timestamp":"2026-02-12T10:00:00.123Z","cwd":"/","originator":"codex_cli_rs",'
        b'"cli_version":"0.104.0","model_provider":null,"base_instructions":null}}\n\n'
    )
    async with open_journal(world=world) as journal:
        recorder, loaded = await journal.resume(path, LIMITED, on_trouble=no_trouble)
        recorder.record([user("hi")])
        await recorder.flush()

    assert len(loaded.items) == 1
    last = orjson.loads(path.read_bytes().splitlines()[-1])
    assert last["seq"] == 2
    assert len(last["crc"]) == 8
    assert load_rollout(path).items[-1] == user("hi")


async def test_torn_tail_is_set_aside_before_the_next_append(tmp_path: Path, world: World) -> None:
    """A half line costs only itself, and is kept in a file beside the rollout."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        recorder.record([user("one")])
        await recorder.persist()
        await recorder.close()
        for torn in (b'{"crc":"12', b"\0\0\0"):
            with path.open("ab") as file:
                file.write(torn)
            recorder, loaded = await journal.resume(path, LIMITED, on_trouble=no_trouble)
            assert loaded.torn_tail_offset is not None
            await recorder.close()

        recorder, _ = await journal.resume(path, LIMITED, on_trouble=no_trouble)
        recorder.record([user("two")])
        await recorder.flush()

    loaded = load_rollout(path)
    assert loaded.items == (meta(), user("one"), user("two"))
    assert loaded.damaged == ()
    assert aside_path(path).read_bytes() == b'{"crc":"12\n\0\0\0\n'


async def test_last_line_without_line_end_is_kept_and_ended(tmp_path: Path, world: World) -> None:
    """A whole record without its line end is no torn tail."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        recorder.record([user("one")])
        await recorder.persist()
        await recorder.close()
        path.write_bytes(path.read_bytes().rstrip())

        again, loaded = await journal.resume(path, LIMITED, on_trouble=no_trouble)
        assert loaded.lacks_newline
        again.record([user("two")])
        await again.flush()

    assert load_rollout(path).items == (meta(), user("one"), user("two"))
    assert not aside_path(path).exists()


async def test_rollout_is_live_at_most_once(tmp_path: Path, world: World) -> None:
    """A second recorder of the same rollout is refused until the first one is closed."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal, open_journal(world=world) as other:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        loaded = load_rollout(path)

        for writer in (journal, other):
            with pytest.raises(RolloutLocked) as caught:
                await writer.reopen(loaded, LIMITED, on_trouble=no_trouble)
            assert caught.value.same_process
        await recorder.close()

        again = await other.reopen(loaded, LIMITED, on_trouble=no_trouble)
        assert again.is_persisted


async def test_reopening_what_changed_since_it_was_read_is_refused(
    tmp_path: Path, world: World
) -> None:
    """What was read must be all there is; resume reads again instead."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        stale = load_rollout(path)
        recorder.record([user("later")])
        await recorder.close()

        with pytest.raises(RolloutChanged, match="load it again"):
            await journal.reopen(stale, LIMITED, on_trouble=no_trouble)

        again, loaded = await journal.resume(path, LIMITED, on_trouble=no_trouble)
        assert loaded.items == (meta(), user("later"))
        await again.close()


async def test_resume_reads_again_when_the_last_writer_was_still_writing(
    tmp_path: Path, world: World
) -> None:
    """Between reading and locking somebody may write and leave; nothing of it is missed."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world) as other, open_journal(world=world, files=files) as ours:
        recorder = new_recorder(other, path)
        await recorder.persist()
        await recorder.close()
        line = path.read_bytes()

        def write_once(name: str) -> None:
            if name == "open" and path.read_bytes() == line:
                path.write_bytes(line + line)

        files.before = write_once
        _, loaded = await ours.resume(path, LIMITED, on_trouble=no_trouble)

    assert loaded.items == (meta(), meta())


async def test_reopening_a_missing_or_unreadable_rollout_says_so(
    tmp_path: Path, world: World
) -> None:
    """Each reason has its own error, and each names the file."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        await recorder.close()
        loaded = load_rollout(path)
        path.unlink()
        with pytest.raises(RolloutNotFound, match=path.name):
            await journal.reopen(loaded, LIMITED, on_trouble=no_trouble)
        path.mkdir()
        with pytest.raises(RolloutUnreadable, match=r"Is a directory|no regular file"):
            await journal.reopen(loaded, LIMITED, on_trouble=no_trouble)
        with pytest.raises(RolloutUnreadable, match="no regular file"):
            await journal.resume(path, LIMITED, on_trouble=no_trouble)
        path.rmdir()
        path.touch()
        with pytest.raises(EmptyRollout, match="empty session file"):
            await journal.resume(path, LIMITED, on_trouble=no_trouble)
        path.write_text("what?")
        with pytest.raises(NoSessionMeta, match=path.name):
            await journal.resume(path, LIMITED, on_trouble=no_trouble)


async def test_journal_that_closes_while_a_rollout_is_opened_lets_go_of_it(
    tmp_path: Path, world: World
) -> None:
    """No lock is left behind when the journal ends in the middle of reopening."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    token = trio.lowlevel.current_trio_token()
    async with open_journal(world=world, files=files) as journal:
        recorder = new_recorder(journal, path)
        await recorder.persist()
        await recorder.close()
        loaded = load_rollout(path)

        def close_meanwhile(name: str) -> None:
            if name == "open":
                trio.from_thread.run(journal.close, trio_token=token)

        files.before = close_meanwhile
        with pytest.raises(JournalClosed):
            await journal.reopen(loaded, LIMITED, on_trouble=no_trouble)

    async with open_journal(world=world) as again:
        await again.reopen(loaded, LIMITED, on_trouble=no_trouble)


async def test_close_that_is_cancelled_lets_go_of_the_file(tmp_path: Path, world: World) -> None:
    """A recorder that is being created when its close is cancelled leaves no lock behind."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    token = trio.lowlevel.current_trio_token()
    async with open_journal(world=world, files=files) as journal:
        recorder = new_recorder(journal, path)

        async def close_cancelled() -> None:
            with trio.CancelScope() as scope:
                scope.cancel()
                await recorder.close()

        def close_meanwhile(name: str) -> None:
            if name == "create":
                trio.from_thread.run(close_cancelled, trio_token=token)

        files.before = close_meanwhile
        with pytest.raises(RolloutClosed):
            await recorder.persist()

        os.close(Files().open(path))  # not locked


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
