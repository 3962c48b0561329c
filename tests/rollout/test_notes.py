"""What clients keep beside threads."""

from pathlib import Path

import pytest

from actors.rollout import RolloutUnreadable, ThreadNote, ThreadNotes
from messages.ids import ThreadId

ONE = ThreadId("00000000-0000-7000-8000-000000000001")
TWO = ThreadId("00000000-0000-7000-8000-000000000002")


async def test_later_notes_change_what_earlier_ones_say(tmp_path: Path) -> None:
    """Thread by thread; what a note does not mention stays."""
    notes = ThreadNotes(tmp_path)
    await notes.add(ONE, ThreadNote(git={"sha": "a", "branch": "b"}))
    await notes.add(TWO, ThreadNote(daybreak=False))
    await notes.add(ONE, ThreadNote(git={"branch": None}, daybreak=True))

    assert notes.read() == {
        ONE: ThreadNote(git={"sha": "a", "branch": None}, daybreak=True),
        TWO: ThreadNote(daybreak=False),
    }


async def test_lines_that_are_none_are_skipped(tmp_path: Path) -> None:
    """Torn ones, and those of other programs."""
    notes = ThreadNotes(tmp_path)
    junk = [b"{", b"[]", b"5", b'{"id": 5}', b'{"id": "x"}', b'{"git": 1}']
    notes.path.write_bytes(
        b"\n".join([*junk, b'{"id": "%s", "git": 5, "daybreak": 1}' % ONE.encode()])
    )
    await notes.add(TWO, ThreadNote(git={"sha": "a"}))

    assert notes.read() == {ONE: ThreadNote(), TWO: ThreadNote(git={"sha": "a"})}


def test_no_file_is_no_notes(tmp_path: Path) -> None:
    """A folder in its place is a mistake."""
    assert ThreadNotes(tmp_path).read() == {}
    (tmp_path / "thread_notes.jsonl").mkdir()

    with pytest.raises(RolloutUnreadable):
        ThreadNotes(tmp_path).read()
