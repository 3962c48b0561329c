"""Reading rollouts that something happened to."""

import gc
import threading
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    DamagedLine,
    EmptyRollout,
    LoadedRollout,
    NoSessionMeta,
    RolloutNotFound,
    RolloutUnreadable,
    load_appended,
    load_rollout,
    load_rollout_async,
)
from actors.rollout import reader as reader_module
from messages.codec import encode_line
from messages.items import UnknownItem
from messages.rollout import RolloutItem, UnknownRecord

from .samples import OTHER, THREAD, meta, said, user

STAMP = "2026-02-13T16:26:40.000Z"


def lines(*items: RolloutItem) -> list[bytes]:
    return [encode_line(item, timestamp=STAMP, seq=seq) for seq, item in enumerate(items)]


def write(path: Path, *pieces: bytes) -> Path:
    path.write_bytes(b"".join(pieces))
    return path


META, ONE, TWO, THREE = lines(meta(), user("one"), user("two"), user("three"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.jsonl"


def test_whole_rollout_is_read_in_order(path: Path) -> None:
    """Items, their places, the next position and the size."""
    loaded = load_rollout(write(path, META, ONE, TWO))

    assert loaded.path == path
    assert loaded.items == (meta(), user("one"), user("two"))
    assert loaded.thread_id == THREAD
    assert list(loaded.offsets) == [0, len(META), len(META + ONE)]
    assert (loaded.next_seq, loaded.size) == (3, len(META + ONE + TWO))
    assert (loaded.damaged, loaded.torn_tail_offset, loaded.lacks_newline) == ((), None, False)


def test_first_meta_is_the_identity(path: Path) -> None:
    """Forks of Codex hold the metas of their parents after their own."""
    loaded = load_rollout(write(path, *lines(user("x"), meta(OTHER), meta())))
    assert loaded.thread_id == OTHER
    assert loaded.meta == meta(OTHER)


def test_damaged_line_costs_only_itself(path: Path) -> None:
    """Bad checksum, no JSON, no UTF-8, no object, no envelope: reported, and the rest is read."""
    flipped = ONE.replace(b"one", b"0ne")
    bad = [flipped, b"what\n", b'{"type":"\xff"}\n', b"[]\n", b'{"a":1}\n', b'"text"\n']

    loaded = load_rollout(write(path, META, *bad, TWO))

    assert loaded.items == (meta(), user("two"))
    assert [line.number for line in loaded.damaged] == [2, 3, 4, 5, 6, 7]
    assert isinstance(loaded.damaged[0], DamagedLine)
    assert "checksum" in loaded.damaged[0].reason
    assert loaded.next_seq == 8
    assert loaded.torn_tail_offset is None


@pytest.mark.parametrize(
    "tail", [TWO[:10], TWO[:-2], b"\0" * 40, b"\xff", b"{}\n", b"[" * 5000, b'{"a":1e999}']
)
def test_torn_tail_is_told_apart_from_damage(path: Path, tail: bytes) -> None:
    """A last line that cannot be read is where the next append would be glued to."""
    loaded = load_rollout(write(path, META, ONE, tail))

    assert loaded.items == (meta(), user("one"))
    assert loaded.damaged == ()
    assert loaded.torn_tail_offset == len(META + ONE)
    assert loaded.next_seq == 2
    assert loaded.size == len(META + ONE + tail)
    assert not loaded.lacks_newline


def test_whole_last_line_without_its_end_is_read(path: Path) -> None:
    """Only the line end is missing; nothing is torn off."""
    loaded = load_rollout(write(path, META, ONE[:-1]))
    assert loaded.items == (meta(), user("one"))
    assert loaded.lacks_newline
    assert loaded.torn_tail_offset is None
    assert loaded.next_seq == 2


def test_blank_lines_are_ignored_but_counted(path: Path) -> None:
    """A position is a line, blank or not, so that it never comes twice."""
    loaded = load_rollout(write(path, b"\n", META, b"  \r\n", ONE, b"\n", b"  "))
    assert loaded.items == (meta(), user("one"))
    assert loaded.damaged == ()
    assert loaded.torn_tail_offset is None
    assert loaded.lacks_newline
    assert loaded.next_seq == 6


def test_unknown_records_and_items_are_carried(path: Path) -> None:
    """What this version does not know is no damage."""
    stamp = f'"timestamp":"{STAMP}"'.encode()
    future = b"{" + stamp + b',"ordinal":7,"type":"world_state","payload":{"a":[1]}}\n'
    item = b"{" + stamp + b',"type":"response_item","payload":{"type":"telepathy","x":1}}\n'

    loaded = load_rollout(write(path, META, future, item))

    _, record, unknown = loaded.items
    assert record == UnknownRecord(kind="world_state", payload={"a": [1]})
    assert isinstance(unknown, UnknownItem)
    assert unknown.tag == "telepathy"
    assert loaded.damaged == ()


def test_file_without_a_rollout_says_which_and_why(tmp_path: Path) -> None:
    """Each reason has its own error, and each names the file."""
    path = tmp_path / "x.jsonl"
    with pytest.raises(RolloutNotFound, match=r"no rollout at .*x\.jsonl"):
        load_rollout(path)
    for blank in (b"", b"\n  \n\t"):
        with pytest.raises(EmptyRollout, match=r"empty session file .*x\.jsonl"):
            load_rollout(write(path, blank))
    for foreign in (ONE, b"nonsense\n", b"nonsense", META[:-3]):
        with pytest.raises(NoSessionMeta, match=r"x\.jsonl.* has no readable session_meta"):
            load_rollout(write(path, foreign))
    with pytest.raises(RolloutUnreadable, match="no regular file"):
        load_rollout(tmp_path)
    with pytest.raises(RolloutUnreadable, match="Not a directory"):
        load_rollout(path / "below")


def test_file_that_may_not_be_read_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission problems are one clear line."""
    write(path, META)

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RolloutUnreadable, match=r"rollout\.jsonl.*: Permission denied"):
        load_rollout(path)


async def test_reading_in_an_os_thread_gives_the_same(path: Path) -> None:
    """The trio thread goes on meanwhile."""
    write(path, META, ONE)
    assert await load_rollout_async(path) == load_rollout(path)
    with pytest.raises(RolloutNotFound):
        await load_rollout_async(path.with_name("missing"))


@given(
    pieces=st.lists(st.sampled_from([ONE, TWO, THREE]), max_size=6),
    cut=st.integers(0, 400),
    flips=st.lists(
        st.tuples(st.integers(0, 2000), st.integers(1, 255)), max_size=3, unique_by=lambda f: f[0]
    ),
)
def test_whatever_happens_to_the_bytes_every_untouched_line_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    pieces: list[bytes],
    cut: int,
    flips: list[tuple[int, int]],
) -> None:
    """Flipped bytes and a cut end cost the lines they touch and no other."""
    whole = b"".join([META, *pieces])
    data = bytearray(whole[: max(len(whole) - cut, len(META))])
    touched: set[int] = set()
    for place, mask in flips:
        place = len(META) + place
        if place < len(data) and mask ^ data[place] != 10 and data[place] != 10:
            data[place] ^= mask
            touched.add(place)
    untouched: list[RolloutItem] = []
    offset = len(META)
    decoded = {ONE: user("one"), TWO: user("two"), THREE: user("three")}
    for piece in pieces:
        end = offset + len(piece)
        if end - 1 <= len(data) and not any(offset <= place < end for place in touched):
            untouched.append(decoded[piece])
        offset = end
    path = tmp_path_factory.getbasetemp() / "flipped.jsonl"

    loaded = load_rollout(write(path, bytes(data)))

    found = iter(loaded.items)
    assert all(item in found for item in untouched)  # in their order
    # A flip in the crc member's own name may turn a line into one without checksum.
    assert len(loaded.items) + len(loaded.damaged) <= 1 + len(pieces)


def test_collector_is_paused_while_reading_and_on_again_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when several OS threads read at once, and when it was off before."""
    write(path, META, said_line())
    seen: list[bool] = []
    inside = threading.Barrier(2)
    outside = threading.Barrier(2)
    real = reader_module._load

    def watched(*args: object) -> LoadedRollout:
        seen.append(gc.isenabled())
        inside.wait()
        outside.wait()
        return real(*args)  # type: ignore[arg-type]

    assert gc.isenabled()
    monkeypatch.setattr(reader_module, "_load", watched)
    threads = [threading.Thread(target=load_rollout, args=(path,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False, False]
    assert gc.isenabled()

    monkeypatch.setattr(reader_module, "_load", real)
    gc.disable()
    try:
        load_rollout(path)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_read_counts_as_old(path: Path) -> None:
    """The next small collection does not walk it, and what the program froze stays frozen."""
    write(path, META, said_line())
    gc.unfreeze()  # a test before this one may have ended a program
    loaded = load_rollout(path)
    assert any(each is loaded.items for each in gc.get_objects(generation=2))
    assert not gc.get_freeze_count()

    gc.freeze()
    try:
        load_rollout(path)
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def said_line() -> bytes:
    return encode_line(said("hi"), timestamp=STAMP, seq=1)


async def test_cancelled_before_it_begins_reads_nothing(path: Path) -> None:
    """Cancellation takes effect at the start."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await load_rollout_async(path)
    assert scope.cancelled_caught


# Reading on ---------------------------------------------------------------------------


def append(path: Path, *pieces: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(pieces))


def test_what_was_appended_is_read_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decoded stays the same object; nothing is read where nothing was written."""
    before = load_rollout(write(path, META, ONE))
    known = before.items[1]
    assert load_appended(before) is before
    append(path, TWO)
    read: list[bytes] = []
    classes_of = reader_module.recorded_classes
    monkeypatch.setattr(
        reader_module, "recorded_classes", lambda lines: read.extend(lines) or classes_of(lines)
    )

    after = load_appended(before)

    assert read == [TWO]
    assert after == load_rollout(path)
    assert after is not None
    assert after.items[1] is known
    assert before.items == (meta(), user("one"))
    assert list(before.offsets) == [0, len(META)]


def test_file_that_did_not_just_grow_is_not_read_on(path: Path) -> None:
    """Whoever wants it reads all of it."""
    before = load_rollout(write(path, META, ONE))
    write(path, META, TWO, THREE)  # in its place
    assert load_appended(before) is None
    write(path, META)
    assert load_appended(before) is None
    write(path.with_name("other"), META, ONE, TWO).rename(path)
    assert load_appended(before) is None
    path.unlink()
    with pytest.raises(RolloutNotFound):
        load_appended(before)


@pytest.mark.parametrize("tail", [TWO[:-1], TWO[:-9], TWO[:9] + b"\n"])
def test_last_line_that_is_not_whole_is_read_again(path: Path, tail: bytes) -> None:
    """Its writer may have mended it."""
    before = load_rollout(write(path, META, ONE, tail))
    append(path, b"\n", THREE)

    assert load_appended(before) is None


@given(
    st.lists(st.sampled_from([ONE, TWO, b"\n", b"{}\n", ONE[:20] + b"\n"]), max_size=8),
    st.lists(st.sampled_from([ONE, TWO, b"\n", b"{}\n", ONE[:20] + b"\n", TWO[:-5]]), max_size=8),
)
def test_read_on_or_read_anew_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, first: list[bytes], then: list[bytes]
) -> None:
    """Whatever is appended, damaged and torn lines included."""
    path = write(tmp_path_factory.getbasetemp() / "grown.jsonl", META, *first)
    before = load_rollout(path)
    append(path, *then)

    after = load_appended(before)

    assert after is None or after == load_rollout(path)
    if before.torn_tail_offset is None and not before.lacks_newline and then:
        assert after is not None
