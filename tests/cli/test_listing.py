"""The list of threads."""

from pathlib import Path

import pytest

from actors.cli.listing import listed_line, listed_table
from actors.rollout import ListedThread
from messages.ids import ThreadId
from messages.settings import SourceKind

NOW = 1_800_000_000.0
FIRST = ThreadId("01a1fad3-e9a3-77df-86ee-000000000001")
SECOND = ThreadId("01a1fad3-e9a3-77df-86ee-000000000002")


def listed(
    thread_id: ThreadId = FIRST,
    *,
    ago: float = 0,
    cwd: str = "/srv/project",
    said: str | None = "what is here",
) -> ListedThread:
    return ListedThread(
        path=Path(f"/h/{thread_id}.jsonl"),
        thread_id=thread_id,
        cwd=cwd,
        source=SourceKind.EXEC,
        cli_version="1",
        created_at=NOW - ago,
        updated_at=NOW - ago,
        first_user_message=said,
    )


def table(*threads: ListedThread, width: int | None = None, name: str | None = None) -> str:
    names = {} if name is None else {FIRST: name}
    pieces = listed_table(threads, names, now=NOW, width=width)
    return "".join(piece.text for piece in pieces)


def test_threads_stand_in_columns() -> None:
    """A name goes before what was said first; an image has no words."""
    assert table(listed(ago=3600 * 5), listed(SECOND, cwd="/s", said=None), name="mine") == (
        "THREAD                                CHANGED   FOLDER        WHAT\n"
        f"{FIRST}  5 h ago   /srv/project  mine\n"
        f"{SECOND}  just now  /s            [image]\n"
    )


def test_no_threads_are_no_table() -> None:
    """Not even a heading."""
    assert table() == ""


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (-5, "just now"),
        (119, "just now"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (2 * 86400 - 1, "47 h ago"),
        (2 * 86400, "2 days ago"),
        (60 * 86400 - 1, "59 days ago"),
        (60 * 86400, "2026-11-16"),
    ],
)
def test_times_are_told_as_people_do(ago: float, words: str) -> None:
    """At and below each limit."""
    assert f"  {words}  /srv" in table(listed(ago=ago))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_line_is_as_wide_as_the_terminal_at_most(width: int) -> None:
    """The folder goes first, the id never."""
    shown = table(listed(said="word " * 100), width=width)

    lines = shown.splitlines()
    assert max(map(len, lines)) <= max(width, 36 + 2 + 8 + 2 + 16)
    assert FIRST in lines[1]
    assert ("FOLDER" in shown) == (width >= 80)


def test_folders_are_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's home to a tilde, long ones to their end."""
    monkeypatch.setenv("HOME", "/home/dev")

    shown = table(
        listed(cwd="/home/dev"), listed(cwd="/home/dev/a"), listed(cwd="/home/developer"),
        listed(cwd="/srv/" + "x" * 40),
    )  # fmt: skip

    folders = [line.split()[3] for line in shown.splitlines()[1:]]
    assert folders == ["~", "~/a", "/home/developer", "..." + "x" * 29]


def test_a_program_gets_everything() -> None:
    """With times in UTC."""
    assert listed_line(listed(), "mine") == {
        "id": FIRST,
        "name": "mine",
        "preview": "what is here",
        "cwd": "/srv/project",
        "created_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
        "source": "exec",
        "model_provider": None,
        "cli_version": "1",
        "path": f"/h/{FIRST}.jsonl",
    }
