"""Forks: lines copied byte for byte under new positions, and what is left out."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    ForkedHistory,
    JournalClosed,
    LoadedRollout,
    PersistMode,
    RolloutChanged,
    RolloutLocked,
    RolloutNotWritten,
    load_rollout,
    open_journal,
    parse_rollout_name,
    truncate_before_nth_user_message,
)
from actors.rollout.copying import part_path, reseal
from actors.rollout.journal import Journal
from actors.runtime import World
from messages.codec import decode_line, encode_line
from messages.rollout import RolloutItem, SessionMeta, UnknownRecord

from .faults import FaultyFiles
from .samples import OTHER, THREAD, command_end, meta, rollout_path, turn, user

FORK = meta(OTHER)
FORK_ON_DISK = meta(OTHER, forked_from_id=THREAD)
STAMP = "2026-02-13T16:26:40.000Z"


def no_trouble(trouble: object) -> None:
    raise AssertionError(trouble)


async def recorded(
    journal: Journal, home: Path, items: Sequence[RolloutItem], mode: PersistMode
) -> LoadedRollout:
    path = rollout_path(home)
    recorder = journal.recorder(path, meta(), mode, on_trouble=no_trouble)
    recorder.record(items)
    await recorder.persist()
    await recorder.close()
    return load_rollout(path)


async def forked(
    journal: Journal, home: Path, history: ForkedHistory, mode: PersistMode = PersistMode.LIMITED
) -> LoadedRollout:
    path = rollout_path(home, OTHER)
    recorder = await journal.fork(history, path, FORK, mode, on_trouble=no_trouble)
    assert recorder.is_persisted
    loaded = load_rollout(path)
    recorder.record([user("in the fork")])
    await recorder.close()
    again = load_rollout(path)
    assert again.items == (*loaded.items, user("in the fork"))
    assert again.damaged == ()
    seqs = [orjson.loads(line)["seq"] for line in path.read_bytes().splitlines()]
    assert seqs == list(range(len(seqs)))
    return loaded


async def forked_path(journal: Journal, home: Path, history: ForkedHistory) -> LoadedRollout:
    path = rollout_path(home, OTHER)
    recorder = await journal.fork(history, path, FORK, PersistMode.LIMITED, on_trouble=no_trouble)
    await recorder.close()
    return load_rollout(path)


async def test_fork_begins_with_its_own_meta_and_leaves_out_the_parents(
    tmp_path: Path, world: World
) -> None:
    """The parent is recorded, its metas are not copied, and the lines keep their bytes."""
    items = [*turn(1), *turn(2)]
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, [*items, meta()], PersistMode.LIMITED)

        loaded = await forked(journal, tmp_path, ForkedHistory(items=source.items, source=source))

    assert loaded.items == (FORK_ON_DISK, *items)
    before, after = (load.path.read_bytes().splitlines() for load in (source, loaded))
    assert [line[18:] for line in after[1:-1]] == [line[18:] for line in before[1:-1]]


async def test_fork_takes_the_beginning_only(tmp_path: Path, world: World) -> None:
    """What comes after the cut is not in the file; also when nothing comes before it."""
    items = [*turn(1), *turn(2)]
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, items, PersistMode.LIMITED)
        for n, kept in ((1, turn(1)), (5, [])):
            cut = truncate_before_nth_user_message(source.items, n)
            loaded = await forked(journal, tmp_path, ForkedHistory(items=cut, source=source))
            assert loaded.items == (FORK_ON_DISK, *kept)
            loaded.path.unlink()


async def test_mode_of_the_fork_decides(tmp_path: Path, world: World) -> None:
    """An extended parent forked in limited mode loses its extended events; lines stay in order."""
    items = [user("a"), command_end("out"), user("b")]
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, items, PersistMode.EXTENDED)
        history = ForkedHistory(items=source.items, source=source)

        limited = await forked(journal, tmp_path, history)
        limited.path.unlink()
        extended = await forked(journal, tmp_path, history, PersistMode.EXTENDED)

    assert limited.items == (FORK_ON_DISK, user("a"), user("b"))
    assert extended.items == (FORK_ON_DISK, *source.items[1:])


async def test_items_that_come_from_no_file_are_written_anew(tmp_path: Path, world: World) -> None:
    """A history made elsewhere can be forked as well."""
    history = ForkedHistory(items=(meta(), user("a"), command_end("x")))
    async with open_journal(world=world) as journal:
        loaded = await forked(journal, tmp_path, history)
    assert loaded.items == (FORK_ON_DISK, user("a"))


async def test_damaged_and_foreign_lines_of_the_parent(tmp_path: Path, world: World) -> None:
    """Damage is left behind; lines of other programs get positions and checksums."""
    path = rollout_path(tmp_path)
    async with open_journal(world=world) as journal:
        await recorded(journal, tmp_path, [user("a"), user("b")], PersistMode.LIMITED)
        first, a, b = path.read_bytes().splitlines(keepends=True)
        foreign = b'{"timestamp":"2026","ordinal":9,"type":"future","payload":{"x": [1,2]}}'
        path.write_bytes(first + a.replace(b'"a"', b'"!"') + b"\n" + b + foreign)
        source = load_rollout(path)
        assert len(source.damaged) == 1

        loaded = await forked(journal, tmp_path, ForkedHistory(items=source.items, source=source))

    future = UnknownRecord(kind="future", payload={"x": [1, 2]})
    assert loaded.items == (FORK_ON_DISK, user("b"), future)
    assert b'"ordinal":9,"type":"future","payload":{"x": [1,2]}}\n' in loaded.path.read_bytes()


async def test_lines_that_keep_their_position_are_copied_as_they_are(
    tmp_path: Path, world: World
) -> None:
    """One that was damaged after it was read keeps its checksum, and is reported by the fork."""
    async with open_journal(world=world) as journal:
        items = [user("a"), user("b"), user("c")]
        source = await recorded(journal, tmp_path, items, PersistMode.LIMITED)
        path = source.path
        path.write_bytes(path.read_bytes().replace(b'"b"', b'"!"'))
        history = ForkedHistory(items=source.items, source=source)

        loaded = await forked_path(journal, tmp_path, history)

    assert loaded.items == (FORK_ON_DISK, user("a"), user("c"))
    assert [line.number for line in loaded.damaged] == [3]
    before, after = (each.path.read_bytes().splitlines() for each in (source, loaded))
    assert after[1:] == before[1:]


async def test_line_that_changed_since_it_was_read_gets_no_new_checksum(
    tmp_path: Path, world: World
) -> None:
    """Where lines move up, the fork would call the damage good; so there is none."""
    async with open_journal(world=world) as journal:
        items = [command_end("out"), user("b")]
        source = await recorded(journal, tmp_path, items, PersistMode.EXTENDED)
        source.path.write_bytes(source.path.read_bytes().replace(b'"b"', b'"!"'))
        path = rollout_path(tmp_path, OTHER)
        history = ForkedHistory(items=source.items, source=source)

        with pytest.raises(RolloutChanged):
            await journal.fork(history, path, FORK, PersistMode.LIMITED, on_trouble=no_trouble)

    assert list(path.parent.iterdir()) == [source.path]


async def test_last_line_without_its_end_gets_one(tmp_path: Path, world: World) -> None:
    """What the fork records next is not glued to it."""
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, [user("a"), user("b")], PersistMode.LIMITED)
        source.path.write_bytes(source.path.read_bytes()[:-1])
        source = load_rollout(source.path)
        assert source.lacks_newline

        loaded = await forked(journal, tmp_path, ForkedHistory(items=source.items, source=source))

    assert loaded.items == (FORK_ON_DISK, user("a"), user("b"))


async def test_fork_gets_its_name_when_it_is_whole(tmp_path: Path, world: World) -> None:
    """Until then there is an empty file, which is no thread, and what a dead process left goes."""
    path = rollout_path(tmp_path, OTHER)
    seen: list[tuple[int, bool]] = []

    def look(call: str) -> None:
        if call in ("write", "rename"):
            seen.append((path.stat().st_size, part_path(path).exists()))

    files = FaultyFiles()
    async with open_journal(world=world, files=files) as journal:
        source = await recorded(journal, tmp_path, turn(1), PersistMode.LIMITED)
        part_path(path).write_bytes(b"half a li")
        files.before = look
        history = ForkedHistory(items=source.items, source=source)
        recorder = await journal.fork(history, path, FORK, PersistMode.LIMITED, on_trouble=print)
        files.before = lambda _name: None
        with pytest.raises(RolloutLocked):
            await journal.resume(path, PersistMode.LIMITED, on_trouble=print)
        await recorder.close()

    assert seen == [(0, True), (0, True)]
    assert load_rollout(path).items == (FORK_ON_DISK, *turn(1))
    assert sorted(path.parent.iterdir()) == sorted([source.path, path])
    assert parse_rollout_name(part_path(path).name) is None


async def test_large_histories_are_written_in_pieces(tmp_path: Path, world: World) -> None:
    """More than the buffer of a piece comes through whole."""
    items = [user("x" * 400_000 + str(n)) for n in range(6)]
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, items, PersistMode.LIMITED)
        loaded = await forked(journal, tmp_path, ForkedHistory(items=source.items, source=source))
    assert loaded.items == (FORK_ON_DISK, *items)


async def test_parent_that_shrank_since_it_was_read_is_no_source(
    tmp_path: Path, world: World
) -> None:
    """A file that no longer holds the items is not copied, and no half fork is left."""
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, turn(1), PersistMode.LIMITED)
        source.path.write_bytes(source.path.read_bytes()[:100])
        path = rollout_path(tmp_path, OTHER)
        history = ForkedHistory(items=source.items, source=source)

        with pytest.raises(RolloutChanged):
            await journal.fork(history, path, FORK, PersistMode.LIMITED, on_trouble=no_trouble)

        assert not path.exists()


async def test_fork_never_overwrites_a_file(tmp_path: Path, world: World) -> None:
    """A path that is taken is an error, and what is there stays."""
    async with open_journal(world=world) as journal:
        source = await recorded(journal, tmp_path, turn(1), PersistMode.LIMITED)
        before = source.path.read_bytes()
        history = ForkedHistory(items=source.items, source=source)

        with pytest.raises(RolloutNotWritten, match="File exists"):
            await journal.fork(
                history, source.path, FORK, PersistMode.LIMITED, on_trouble=no_trouble
            )

        assert source.path.read_bytes() == before
    with pytest.raises(JournalClosed):
        await journal.fork(history, source.path, FORK, PersistMode.LIMITED, on_trouble=no_trouble)


@given(seqs=st.lists(st.integers(0, 10**9), min_size=1, max_size=4), ours=st.booleans())
def test_resealed_line_is_whole_under_any_position(seqs: list[int], ours: bool) -> None:
    """The checksum covers the new position; everything else stays, byte for byte."""
    payload = b'{"timestamp":"t","type":"future","payload":{"seq": 1, "crc":"x"}}\r\n'
    line = encode_line(user("hi"), timestamp=STAMP, seq=0) if ours else payload
    item = decode_line(line).item
    for seq in seqs:
        line = reseal(line, seq)

        decoded = decode_line(line)
        assert decoded.item == item
        assert decoded.seq == seqs[0] or decoded.seq == seq
        assert line.endswith(b"}\n")
        assert int(line[8:16], 16) == zlib.crc32(line[18:-1])
        assert line.count(b'"seq":') == (1 if ours else 2)
        assert reseal(line, seq) is line


def test_meta_of_the_fork_may_name_its_parent_itself() -> None:
    """What the caller says about the parent wins."""
    history = ForkedHistory(items=(meta(),))
    assert history.forked_from_id == THREAD
    assert ForkedHistory().forked_from_id is None
    assert isinstance(history.items[0], SessionMeta)
