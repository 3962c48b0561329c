"""The file system fails the journal: what waits, what heals, and what is told of it."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import (
    BUFFER_LIMIT_BYTES,
    Durability,
    ForkedHistory,
    LoadedRollout,
    Patience,
    PersistMode,
    RolloutChanged,
    RolloutClosed,
    RolloutFull,
    RolloutNotFound,
    RolloutNotWritten,
    RolloutUnreadable,
    WriteTrouble,
    load_rollout,
    open_journal,
)
from actors.rollout.journal import Journal, aside_path
from actors.runtime import World
from tests.waiting import until

from .faults import AT_ONCE, Fault, FaultyFiles
from .samples import OTHER, meta, rollout_path, user

LIMITED = PersistMode.LIMITED


async def test_flush_fails_at_once_and_the_writer_heals_it(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """A full disk is reported by flush and by one notice, and heals with its space."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    troubles: list[WriteTrouble] = []
    async with open_journal(world=world, files=files) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=troubles.append)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        recorder.record([user("one")])

        for _ in range(3):
            with pytest.raises(RolloutNotWritten, match="No space left") as caught:
                await recorder.flush()
        recorder.record([user("two")])
        await wait_all_tasks_blocked()

        assert caught.value.pending_bytes > 0
        assert isinstance(recorder.trouble, OSError)
        assert journal.statistics().failing == 1
        assert "failing: [Errno 28]" in repr(recorder)
        assert [(t.healed, t.problem) for t in troubles] == [(False, "No space left on device")]
        del files.broken["write"]
        mock_clock.jump(0.1)
        await wait_all_tasks_blocked()

        assert recorder.trouble is None
        assert load_rollout(path).items == (meta(), user("one"), user("two"))
        assert [(t.healed, t.pending_bytes) for t in troubles[1:]] == [(True, 0)]


async def test_retries_come_ever_more_seldom(
    tmp_path: Path, world: World, autojump_clock: MockClock
) -> None:
    """Delays double, with jitter, up to the longest."""
    files = FaultyFiles()
    times: list[float] = []
    patience = Patience(first_delay=1.0, longest_delay=4.0, close=0.0)
    async with open_journal(world=world, files=files, patience=patience) as journal:
        recorder = journal.recorder(
            rollout_path(tmp_path), meta(), LIMITED, on_trouble=lambda _: None
        )
        await recorder.persist()
        files.broken["write"] = Fault.IO_ERROR
        files.before = lambda name: times.append(trio.current_time()) if name == "write" else None
        recorder.record([user("one")])
        await trio.sleep(15)

        gaps = [later - earlier for earlier, later in pairwise(times)]
    for gap, nominal in zip(gaps, [1, 2, 4, 4], strict=False):
        assert 0.8 * nominal <= gap <= 1.2 * nominal
    assert len(gaps) >= 4


async def test_lines_wait_in_memory_up_to_the_limit_while_the_disk_is_full(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """Disk-full degrades loudly: what does not fit is refused, what was taken is kept."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    big = user("x" * (BUFFER_LIMIT_BYTES // 4))
    async with open_journal(world=world, files=files, patience=AT_ONCE) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        for _ in range(3):
            recorder.record([big])
        with pytest.raises(RolloutFull, match="make room on the disk"):
            recorder.record([big, big])
        files.broken.clear()
        await recorder.flush()

    assert load_rollout(path).items == (meta(), big, big, big)


async def test_file_that_cannot_be_created_is_created_later(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """The thread goes on without its file, and gets it when the disk allows."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    files.broken["make_folder"] = Fault.NO_SPACE
    troubles: list[WriteTrouble] = []
    created = trio.Event()
    async with open_journal(world=world, files=files) as journal:

        def tell(trouble: WriteTrouble) -> None:
            troubles.append(trouble)
            if trouble.healed:
                created.set()

        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=tell)
        recorder.record([user("one")])
        with pytest.raises(RolloutNotWritten):
            await recorder.persist()
        recorder.record([user("two")])
        await wait_all_tasks_blocked()
        assert not path.exists()

        files.broken.clear()
        mock_clock.jump(0.1)
        await created.wait()

        assert recorder.is_persisted
        assert load_rollout(path).items == (meta(), user("one"), user("two"))
    assert [trouble.healed for trouble in troubles] == [False, True]


async def test_close_waits_for_space_within_its_patience(
    tmp_path: Path, world: World, autojump_clock: MockClock
) -> None:
    """Closing tries again, and succeeds when space returns in time."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world, files=files, patience=Patience(close=10)) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        recorder.record([user("one")])

        async def make_room() -> None:
            await trio.sleep(5)
            files.broken.clear()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_room)
            await recorder.close()

        assert 5 <= trio.current_time() <= 8
    assert load_rollout(path).items == (meta(), user("one"))


async def test_close_gives_up_after_its_patience(
    tmp_path: Path, world: World, autojump_clock: MockClock
) -> None:
    """Closing is bounded; what is lost was never acknowledged, and the lock is free."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world, files=files, patience=Patience(close=3)) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        recorder.record([user("lost")])
        with pytest.raises(RolloutNotWritten):
            await recorder.flush()
        pending = recorder.pending_bytes

        with pytest.raises(RolloutNotWritten, match="No space left") as caught:
            await recorder.close()

        assert trio.current_time() == pytest.approx(3)
        assert caught.value.pending_bytes == pending
        files.broken.clear()
        again, loaded = await journal.resume(path, LIMITED, on_trouble=lambda _: None)
        assert loaded.items == (meta(),)
        await again.close()


async def test_cancelled_close_lets_go_at_once(
    tmp_path: Path, world: World, autojump_clock: MockClock
) -> None:
    """A cancelled close does not wait for the disk."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world, files=files) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        recorder.record([user("lost")])

        with trio.move_on_after(1) as scope:
            await recorder.close()

        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(1)
        assert journal.statistics().recorders == 0


async def test_close_without_patience_still_tries_once(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """A close that never got to write says that there was no time."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    patience = Patience(close=0)
    async with open_journal(world=world, files=files, patience=patience) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        recorder.record([user("kept")])
        await recorder.persist()
        recorder.record([user("one")])
        files.broken["write"] = Fault.NO_SPACE
        with pytest.raises(RolloutNotWritten):
            await recorder.close()


async def test_failed_sync_writes_the_lines_again(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """After a failed fdatasync the kernel may have dropped the lines: they go out once more."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    durable = Durability.FSYNC
    async with open_journal(world=world, files=files, durability=durable) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        synced = path.stat().st_size
        files.broken["sync"] = Fault.IO_ERROR
        recorder.record([user("one")])
        with pytest.raises(RolloutNotWritten, match="Input/output error"):
            await recorder.flush()
        assert recorder.pending_bytes > 0
        os.truncate(path, synced)  # the kernel drops what it could not write

        files.broken.clear()
        await recorder.flush()

        assert load_rollout(path).items == (meta(), user("one"))
        assert recorder.pending_bytes == 0


async def test_whoever_joined_the_round_after_a_failed_one_is_not_told_it_worked(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """The failed round took the lines back to memory; the next one syncs a file without them."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    durable = Durability.FSYNC
    token = trio.lowlevel.current_trio_token()
    outcomes: list[str] = []
    async with open_journal(world=world, files=files, durability=durable) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()

        async def flush(name: str) -> None:
            try:
                await recorder.flush()
            except RolloutNotWritten:
                outcomes.append(f"{name} failed")
            else:
                outcomes.append(f"{name} worked")

        async with trio.open_nursery() as nursery:

            async def second_record() -> None:
                recorder.record([user("two")])
                nursery.start_soon(flush, "second")
                await wait_all_tasks_blocked()

            def meanwhile(name: str) -> None:
                if name == "sync":
                    files.before = lambda _name: None
                    trio.from_thread.run(second_record, trio_token=token)

            recorder.record([user("one")])
            files.plan = {len(files.calls) + 2: Fault.IO_ERROR}  # behind both writes
            files.before = meanwhile
            await flush("first")

        assert outcomes == ["first failed", "second failed"]
        await recorder.flush()
        assert load_rollout(path).items == (meta(), user("one"), user("two"))


async def test_lines_nobody_flushes_are_synced_before_they_fill_the_memory(
    tmp_path: Path, world: World, mock_clock: MockClock
) -> None:
    """A durable journal keeps written lines until they are synced; a megabyte is enough."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    durable = Durability.FSYNC
    synced = trio.Event()
    token = trio.lowlevel.current_trio_token()
    async with open_journal(world=world, files=files, durability=durable) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        files.before = lambda name: token.run_sync_soon(synced.set) if name == "sync" else None
        recorder.record([user("x" * 600_000)])
        await wait_all_tasks_blocked()
        assert not synced.is_set()
        assert recorder.pending_bytes > 600_000

        recorder.record([user("x" * 600_000)])
        await synced.wait()
        await until(lambda: not recorder.pending_bytes)

        files.broken["sync"] = Fault.IO_ERROR
        recorder.record([user("x" * 1_100_000)])
        await until(lambda: recorder.trouble is not None)
        files.broken.clear()
        await recorder.flush()
        recorder.record([user("x" * 1_100_000)])
        with trio.CancelScope() as scope:
            scope.cancel()
            await recorder.close()
    assert len(load_rollout(path).items) == 5


async def test_repair_that_fails_leaves_everything_as_it_was(tmp_path: Path, world: World) -> None:
    """A rollout whose torn tail cannot be set aside is not opened, not locked, not cut."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world, files=files) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()
        await recorder.close()
        with path.open("ab") as file:
            file.write(b"torn")
        before = path.read_bytes()
        for call in ("open", "size", "read_from", "append_aside", "truncate"):
            files.broken = {call: Fault.NO_SPACE}
            with pytest.raises(RolloutUnreadable, match="No space left on device"):
                await journal.resume(path, LIMITED, on_trouble=lambda _: None)
            assert path.read_bytes() == before
        path.write_bytes(before.removesuffix(b"\ntorn"))
        files.broken = {"write": Fault.NOTHING}
        with pytest.raises(RolloutUnreadable, match="line end could not be written"):
            await journal.resume(path, LIMITED, on_trouble=lambda _: None)
        files.broken = {}
        again, _ = await journal.resume(path, LIMITED, on_trouble=lambda _: None)
        await again.close()
    assert aside_path(path).read_bytes() == b"torn\n"  # set aside when only the cut failed


async def test_flush_after_the_journal_ended_fails_and_does_not_hang(
    tmp_path: Path, world: World
) -> None:
    """A recorder outliving its journal is closed."""
    for durability in Durability:
        path = rollout_path(tmp_path / durability.value)
        async with open_journal(world=world, durability=durability) as journal:
            recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
            await recorder.persist()
        with pytest.raises(RolloutClosed):
            await recorder.flush()


FORK_META = meta(OTHER, timestamp="2026-02-14T00:00:00.000Z")


async def source(journal: Journal, folder: Path) -> LoadedRollout:
    path = rollout_path(folder)
    recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
    recorder.record([user("one")])
    await recorder.persist()
    await recorder.close()
    return load_rollout(path)


@pytest.mark.parametrize("fault", [Fault.NO_SPACE, Fault.HALF_AND_ERROR], ids=lambda f: f.name)
async def test_fork_that_fails_leaves_no_file(tmp_path: Path, world: World, fault: Fault) -> None:
    """A fork is there as a whole or not at all."""
    files = FaultyFiles()
    durable = Durability.FSYNC
    path = rollout_path(tmp_path, OTHER)
    async with open_journal(world=world, files=files, durability=durable) as journal:
        loaded = await source(journal, tmp_path)
        history = ForkedHistory(items=loaded.items, source=loaded)
        for call in ("make_folder", "create", "write", "sync", "rename", "sync_name"):
            files.broken = {call: fault}
            with pytest.raises(RolloutNotWritten):
                await journal.fork(history, path, FORK_META, LIMITED, on_trouble=lambda _: None)
            assert list(path.parent.iterdir()) == [loaded.path]
        files.broken = {}
        files.plan = {len(files.calls) + 2: fault}  # make_folder, create the name, create the file
        with pytest.raises(RolloutNotWritten):
            await journal.fork(history, path, FORK_META, LIMITED, on_trouble=lambda _: None)
        assert files.calls[-1] == "create"
        assert list(path.parent.iterdir()) == [loaded.path]
        recorder = await journal.fork(history, path, FORK_META, LIMITED, on_trouble=lambda _: None)
        await recorder.close()
        loaded.path.unlink()
        path.unlink()
        with pytest.raises(RolloutNotFound):
            await journal.fork(history, path, FORK_META, LIMITED, on_trouble=lambda _: None)
        loaded.path.mkdir()
        with pytest.raises(RolloutUnreadable):
            await journal.fork(history, path, FORK_META, LIMITED, on_trouble=lambda _: None)
        assert not path.exists()


async def test_listener_that_fails_harms_nobody(
    tmp_path: Path, world: World, mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in one thread's notice is logged; the journal and all other threads go on."""
    files = FaultyFiles()

    def fail(_trouble: WriteTrouble) -> None:
        raise RuntimeError("closed channel")

    async with open_journal(world=world, files=files) as journal:
        recorder = journal.recorder(rollout_path(tmp_path), meta(), LIMITED, on_trouble=fail)
        await recorder.persist()
        files.broken["write"] = Fault.NO_SPACE
        recorder.record([user("x" * 70_000)])
        files.broken.clear()
        await recorder.flush()

    assert caplog.text.count("RuntimeError: closed channel") == 2
    assert len(load_rollout(rollout_path(tmp_path)).items) == 2


async def test_rollout_that_changes_all_the_time_is_not_resumed(
    tmp_path: Path, world: World
) -> None:
    """A program that writes without a lock does not keep us reading for ever."""
    path = rollout_path(tmp_path)
    files = FaultyFiles()
    async with open_journal(world=world) as journal:
        recorder = journal.recorder(path, meta(), LIMITED, on_trouble=lambda _: None)
        await recorder.persist()

    def append(name: str) -> None:
        if name == "open":
            with path.open("ab") as file:
                file.write(b"\n")

    files.before = append
    async with open_journal(world=world, files=files) as journal:
        with pytest.raises(RolloutChanged):
            await journal.resume(path, LIMITED, on_trouble=lambda _: None)
    assert files.calls.count("open") == 3
