"""Group commit and the writer task by themselves."""

import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import Durability, Patience, PersistMode, Recorder, load_rollout, open_journal
from actors.rollout.commit import GroupCommit
from actors.rollout.files import Files
from actors.rollout.line_file import LineFile
from actors.rollout.writer import SharedWriter
from actors.runtime import World

from .faults import FaultyFiles
from .samples import meta, user


def open_file(files: Files, path: Path, line: bytes) -> LineFile:
    file = LineFile(files, True, files.create(path))
    file.add(line)
    file.write()
    return file


async def test_one_round_serves_everybody_who_came_before_it(tmp_path: Path) -> None:
    """Eight appenders of one file wait for one fdatasync, or for two if one was running."""
    files = FaultyFiles()
    group = GroupCommit(files)
    file = open_file(files, tmp_path / "a", b"line\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group.run)
        async with trio.open_nursery() as appenders:
            for _ in range(8):
                appenders.start_soon(group.commit, file)
        assert files.calls.count("sync") <= 2
        await group.commit(file)  # nothing new: no round at all
        assert files.calls.count("sync") <= 2
        nursery.cancel_scope.cancel()
    assert file.pending_bytes == 0
    file.close()


async def test_many_files_are_synced_side_by_side(tmp_path: Path) -> None:
    """A round with many files uses several OS threads, and fails only for those that fail."""
    files = FaultyFiles()
    group = GroupCommit(files)
    threads: set[int] = set()
    everybody = threading.Barrier(3)

    def note(name: str) -> None:
        if name == "sync" and threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            everybody.wait(timeout=10)

    many = [open_file(files, tmp_path / str(number), b"line\n") for number in range(20)]
    files.before = note
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group.run)
        async with trio.open_nursery() as appenders:
            for file in many:
                appenders.start_soon(group.commit, file)
        nursery.cancel_scope.cancel()
    assert len(threads) == 3
    assert [file.pending_bytes for file in many] == [0] * 20
    for file in many:
        file.close()


async def test_nobody_waits_for_a_group_that_has_ended(tmp_path: Path) -> None:
    """Whoever waits when it ends, and whoever comes later, is told at once."""
    files = FaultyFiles()
    group = GroupCommit(files)
    first = open_file(files, tmp_path / "a", b"line\n")
    problems: list[str] = []

    async def commit() -> None:
        try:
            await group.commit(first)
        except OSError as exc:
            problems.append(str(exc))

    async with trio.open_nursery() as appenders:
        appenders.start_soon(commit)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await group.run()
    await commit()

    assert "an earlier sync of the file failed" in problems[0]
    assert "the journal is closed" in problems[1]
    first.close()


async def test_file_is_closed_only_after_the_round_that_syncs_it(tmp_path: Path) -> None:
    """Otherwise its number could already belong to another file."""
    files = FaultyFiles()
    group = GroupCommit(files)
    token = trio.lowlevel.current_trio_token()
    file = open_file(files, tmp_path / "a", b"line\n")
    seen: list[bool] = []

    def close_meanwhile(name: str) -> None:
        if name == "sync":
            trio.from_thread.run_sync(group.close, file, trio_token=token)
            seen.append(file.is_open)

    files.before = close_meanwhile
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group.run)
        await group.commit(file)
        nursery.cancel_scope.cancel()

    assert seen == [True]
    assert not file.is_open


async def test_closed_file_is_taken_out_of_the_next_round(tmp_path: Path) -> None:
    """A close that did not wait for its sync gives up the sync."""
    files = FaultyFiles()
    group = GroupCommit(files)
    file = open_file(files, tmp_path / "a", b"line\n")
    with trio.move_on_after(0):
        await group.commit(file)

    group.close(file)
    group.close(file)

    assert not file.is_open
    assert files.calls.count("sync") == 0


async def test_many_durable_recorders_share_their_rounds(tmp_path: Path, world: World) -> None:
    """Everything that was flushed is there, whoever flushed when."""
    files = FaultyFiles()

    async def live(recorder: Recorder) -> None:
        await recorder.persist()
        for number in range(5):
            recorder.record([user(str(number))])
            await recorder.flush()

    async with (
        open_journal(world=world, files=files, durability=Durability.FSYNC) as journal,
        trio.open_nursery() as nursery,
    ):
        for number in range(12):
            recorder = journal.recorder(
                tmp_path / f"{number}.jsonl", meta(), PersistMode.LIMITED, on_trouble=print
            )
            nursery.start_soon(live, recorder)

    expected = (meta(), *(user(str(number)) for number in range(5)))
    for number in range(12):
        assert load_rollout(tmp_path / f"{number}.jsonl").items == expected


@attrs.define(eq=False)
class Scripted:
    """Something to write that does as the test says."""

    write_now: Callable[[], None]


async def test_lines_that_come_during_a_pass_are_written_in_the_next(
    world: World, mock_clock: MockClock
) -> None:
    """The writer neither forgets them nor waits for others to come."""
    passes: list[float] = []
    async with trio.open_nursery() as nursery:
        writer = SharedWriter(Files(), Patience(), None, world, 1.0, nursery)

        def write() -> None:
            passes.append(trio.current_time())
            if len(passes) < 3:
                writer.write_soon(Scripted(write))

        nursery.start_soon(writer.run)
        await wait_all_tasks_blocked()
        writer.write_soon(Scripted(write))
        for _ in range(5):
            await wait_all_tasks_blocked()
            mock_clock.jump(1.0)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert passes == [1.0, 2.0, 3.0]


async def test_delays_between_tries_have_their_jitter_from_the_world(world: World) -> None:
    """Equal worlds wait equally long."""
    async with trio.open_nursery() as nursery:
        twins = [
            SharedWriter(Files(), Patience(), None, World.deterministic(7, 0), 1.0, nursery)
            for _ in range(2)
        ]
        first, second = ([next(delays) for _ in range(8)] for delays in (t.delays() for t in twins))
    assert first == second
    for delay, nominal in zip(first, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0], strict=True):
        assert delay == pytest.approx(nominal, rel=0.21)
