"""Lines that a fork copies many at a time, beside what it would have if it copied each."""

import os
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.rollout import (
    ForkedHistory,
    LoadedRollout,
    PersistMode,
    RolloutChanged,
    load_rollout,
    persisted,
)
from actors.rollout.copying import part_path, write_fork
from actors.rollout.files import Files
from actors.rollout.unmoved import unmoved_lines
from messages.codec import decode_line, encode_line
from messages.events import ExecCommandEnd, WarningEvent
from messages.rollout import RolloutItem, SessionMeta

from .samples import OTHER, THREAD, command_end, meta, turn, user

STAMP = "2026-02-13T16:26:40.000Z"
FIRST = meta(OTHER, forked_from_id=THREAD)
ITEMS: list[RolloutItem] = [*turn(1), command_end("out"), meta(), WarningEvent(message="w")]


def line(seq: int, item: RolloutItem) -> bytes:
    return encode_line(item, timestamp=STAMP, seq=seq)


def fork(path: Path, source: LoadedRollout, items: int, mode: PersistMode) -> LoadedRollout:
    path.unlink(missing_ok=True)
    written = write_fork(
        Files(),
        history=ForkedHistory(items=source.items[:items], source=source),
        path=path,
        meta=FIRST,
        mode=mode,
        stamp=STAMP,
        durable=False,
    )
    os.close(written.fd)
    assert (written.end, written.lines) == (path.stat().st_size, path.read_bytes().count(b"\n"))
    return load_rollout(path)


def runs(source: LoadedRollout, mode: PersistMode, piece_bytes: int = 1 << 20) -> list[int]:
    history = ForkedHistory(items=source.items, source=source)
    with source.path.open("rb") as file:
        pieces = list(unmoved_lines(history, mode, file, piece_bytes))
    assert all(data.count(b"\n") == count for data, count in pieces)
    return [count for _, count in pieces]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.jsonl"


def test_everything_behind_the_meta_is_copied_at_once(path: Path) -> None:
    """But for the last line, of which nobody knows whether it has an end."""
    path.write_bytes(b"".join(line(n, item) for n, item in enumerate([meta(), *turn(1)])))
    source = load_rollout(path)

    assert runs(source, PersistMode.LIMITED) == [6]
    assert runs(source, PersistMode.LIMITED, piece_bytes=1) == [1] * 6


@pytest.mark.parametrize(
    ("spoilt", "copied"),
    [
        (command_end("o"), 2),
        (meta(), 2),
        (b'{"timestamp":"","type":"compacted","payload":{"message":""}}\n', 2),
        (line(7, user("at another position")), 2),
        (b"\n", 0),
        (b"{}\n", 0),
    ],
    ids=["left out", "meta", "foreign", "moved", "blank", "damaged"],
)
def test_copying_at_once_ends_where_a_line_moves(
    path: Path, spoilt: RolloutItem | bytes, copied: int
) -> None:
    """From there on, or where lines and items do not pair, each line is looked at."""
    third = spoilt if isinstance(spoilt, bytes) else line(3, spoilt)
    start = [line(0, meta()), line(1, user("a")), line(2, user("b")), third]
    path.write_bytes(b"".join([*start, line(4, user("c")), line(5, user("d"))]))
    source = load_rollout(path)

    assert sum(runs(source, PersistMode.LIMITED)) == copied
    assert sum(runs(source, PersistMode.LIMITED, piece_bytes=1)) == copied


@given(
    kinds=st.lists(st.tuples(st.sampled_from(ITEMS), st.sampled_from("oooooofmbd")), max_size=12),
    with_meta=st.booleans(),
    whole_end=st.booleans(),
    taken=st.integers(0, 14),
    mode=st.sampled_from(PersistMode),
    piece_bytes=st.sampled_from([2, 300, 1 << 20]),
)
def test_fork_holds_what_the_mode_keeps_of_any_parent(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    kinds: list[tuple[RolloutItem, str]],
    with_meta: bool,
    whole_end: bool,
    taken: int,
    mode: PersistMode,
    piece_bytes: int,
) -> None:
    """Lines of ours, foreign ones, moved ones, blank and damaged ones, in any order."""
    lines: list[bytes] = [line(0, meta())] if with_meta else []
    for item, kind in kinds:
        ours = line(len(lines) + (kind == "m"), item)
        foreign = orjson.loads(ours)
        del foreign["crc"], foreign["seq"]
        kept = {"f": orjson.dumps(foreign) + b"\n", "b": b" \n", "d": ours[:-9] + b"\n"}
        lines.append(kept.get(kind, ours))
    data = b"".join([*lines, line(len(lines), meta())])
    folder = tmp_path_factory.getbasetemp()
    path = folder / "parent.jsonl"
    path.write_bytes(data if whole_end else data[:-1])
    source = load_rollout(path)
    expected = [persisted(item, mode) for item in source.items[:taken]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.rollout.copying._PIECE_BYTES", piece_bytes)
        loaded = fork(folder / "fork.jsonl", source, taken, mode)

    assert (loaded.damaged, loaded.torn_tail_offset) == ((), None)
    wanted = [item for item in expected if item is not None and not isinstance(item, SessionMeta)]
    assert loaded.items == (FIRST, *wanted)
    seqs = [decode_line(each).seq for each in loaded.path.read_bytes().splitlines()]
    assert seqs == list(range(len(seqs)))


@example(cut=0, place=2384, mask=101, up=False)  # a line breaks in two
@given(
    cut=st.integers(0, 400), place=st.integers(0, 3000), mask=st.integers(1, 255), up=st.booleans()
)
def test_parent_that_changed_since_it_was_read_never_gives_a_wrong_item(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, mask: int, up: bool
) -> None:
    """What the fork holds was in the parent; the rest is reported as damaged, or there is none."""
    items = [meta(), *([command_end("x")] if up else []), *turn(1)]
    data = bytearray(b"".join(line(n, item) for n, item in enumerate(items)))
    folder = tmp_path_factory.getbasetemp()
    path = folder / "changed.jsonl"
    path.write_bytes(data)
    source = load_rollout(path)
    data[place % len(data)] ^= mask
    path.write_bytes(data[: len(data) - cut])
    out = folder / "fork-of-changed.jsonl"

    try:
        loaded = fork(out, source, len(source.items), PersistMode.LIMITED)
    except RolloutChanged:
        assert not out.exists()
        assert not part_path(out).exists()
        return
    assert not cut

    _, *found = loaded.items
    rest = iter(item for item in items if not isinstance(item, SessionMeta | ExecCommandEnd))
    assert all(item in rest for item in found)
