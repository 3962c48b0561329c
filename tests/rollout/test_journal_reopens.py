"""Rollouts that are opened again: they go on where they ended, and are live at most once."""

import os
from pathlib import Path

import orjson
import pytest
import trio

from actors.rollout import (
    Durability,
    EmptyRollout,
    Files,
    JournalClosed,
    NoSessionMeta,
    RolloutChanged,
    RolloutClosed,
    RolloutLocked,
    RolloutNotFound,
    RolloutUnreadable,
    load_rollout,
    open_journal,
)
from actors.rollout.journal import aside_path
from actors.runtime import World

from .faults import FaultyFiles
from .journal_stage import LIMITED, new_recorder, no_trouble
from .samples import meta, rollout_path, turn, user


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
