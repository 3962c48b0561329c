"""Listing threads page by page."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rollout import (
    INTERACTIVE_SOURCES,
    Cursor,
    ListedThread,
    RolloutUnreadable,
    SortKey,
    ThreadFilter,
    ThreadsPage,
    archived_folder,
    latest_thread_path,
    list_threads,
    new_rollout_path,
)
from actors.rollout import listing as listing_module
from messages.codec import encode_line
from messages.ids import ThreadId
from messages.rollout import RolloutItem
from messages.settings import GitInfo, SourceKind

from .samples import GIT, START, THREAD, meta, said, user

STAMP = "2026-02-13T16:26:40.000Z"
BY_CHANGE = SortKey.UPDATED_AT


def thread_id(number: int) -> ThreadId:
    return ThreadId(f"01a1fa57-f3a8-7fe2-baad-{number:012x}")


def write(path: Path, items: Iterable[RolloutItem], changed: float | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (encode_line(item, timestamp=STAMP, seq=seq) for seq, item in enumerate(items))
    path.write_bytes(b"".join(lines))
    if changed is not None:
        os.utime(path, (changed, changed))
    return path


def add(
    home: Path,
    number: int,
    *,
    at: float = START,
    text: str | None = "hi",
    changed: float = START,
    **more: object,
) -> Path:
    path = new_rollout_path(home, at, thread_id(number))
    items: list[RolloutItem] = [meta(thread_id(number), **more)]
    if text is not None:
        items += [user(text), said(text)]
    return write(path, items, changed)


def numbers(page: ThreadsPage) -> list[int]:
    return [int(thread.thread_id[-12:], 16) for thread in page.threads]


async def all_pages(home: Path, page_size: int, sort_key: SortKey, cap: int = 100) -> list[int]:
    """Follow the cursors to the end; every page but the last is full or capped."""
    found: list[int] = []
    cursor: Cursor | None = None
    while True:
        page = await list_threads(
            home, page_size=page_size, cursor=cursor, sort_key=sort_key, max_scan_files=cap
        )
        found += numbers(page)
        if page.next_cursor is None:
            return found
        assert len(page.threads) == page_size or page.reached_scan_cap
        cursor = Cursor.parse(page.next_cursor.token)
        assert cursor == page.next_cursor


async def test_listed_thread_tells_what_its_beginning_says(tmp_path: Path) -> None:
    """Everything out of the meta, the first thing the user said, and when the file changed."""
    path = add(
        tmp_path,
        1,
        text=" hello \n",
        changed=START + 7,
        source=SourceKind.EXEC,
        model_provider="p",
        cwd="/here",
    )

    page = await list_threads(tmp_path, page_size=10)

    assert page == ThreadsPage(
        threads=(
            ListedThread(
                path=path,
                thread_id=thread_id(1),
                cwd="/here",
                source=SourceKind.EXEC,
                cli_version="0.1.0",
                created_at=START,
                updated_at=START + 7,
                first_user_message="hello",
                model_provider="p",
                git=GIT,
            ),
        ),
        scanned_files=1,
    )


async def test_home_without_rollouts_is_an_empty_page(tmp_path: Path) -> None:
    """No folder, or one with other things in it."""
    assert await list_threads(tmp_path / "none", page_size=5) == ThreadsPage()
    (tmp_path / "sessions" / "2026" / "02").mkdir(parents=True)
    (tmp_path / "sessions" / "2026" / "02" / "13").touch()
    (tmp_path / "sessions" / "notes").mkdir()
    assert await list_threads(tmp_path, page_size=5) == ThreadsPage()
    assert await latest_thread_path(tmp_path) is None


async def test_newest_come_first_and_pages_meet(tmp_path: Path) -> None:
    """By creation and by change; equal seconds are ordered by thread."""
    order = [5, 4, 3, 2, 1, 0]
    for number in range(6):
        # two of each second; changed in the opposite order
        add(tmp_path, number, at=START + number // 2 * 100_000, changed=START - number // 2)

    for page_size in (1, 2, 3, 6, 10):
        assert await all_pages(tmp_path, page_size, SortKey.CREATED_AT) == order
        assert await all_pages(tmp_path, page_size, BY_CHANGE) == [1, 0, 3, 2, 5, 4]
    assert numbers(await list_threads(tmp_path, page_size=0)) == [5]


async def test_full_last_page_leads_nowhere(tmp_path: Path) -> None:
    """No cursor to an empty page, also when only rollouts that do not count are left."""
    for number in range(4):
        add(tmp_path, number, at=START + number, text="hi" if number > 1 else None)

    page = await list_threads(tmp_path, page_size=2)

    assert numbers(page) == [3, 2]
    assert page.next_cursor is None
    assert page.scanned_files == 4


async def test_scan_stops_at_its_cap_and_goes_on_from_there(tmp_path: Path) -> None:
    """A page may end early, and says so; no thread is skipped or shown twice."""
    for number in range(7):
        add(tmp_path, number, at=START + number, text="hi" if number % 2 else None)

    page = await list_threads(tmp_path, page_size=5, max_scan_files=3)

    assert numbers(page) == [5]
    assert page.reached_scan_cap
    assert page.scanned_files == 3
    assert page.next_cursor == Cursor(int(START) + 4, thread_id(4))
    assert await all_pages(tmp_path, 5, SortKey.CREATED_AT, cap=3) == [5, 3, 1]
    assert not (await list_threads(tmp_path, page_size=5, max_scan_files=7)).reached_scan_cap
    assert await latest_thread_path(tmp_path, sort_key=SortKey.CREATED_AT) is not None


async def test_latest_thread_is_found_behind_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search goes on page by page."""
    for number in range(5):
        add(tmp_path, number, at=START + number, text="hi" if number == 0 else None)
    monkeypatch.setitem(list_threads.__kwdefaults__, "max_scan_files", 2)

    path = await latest_thread_path(tmp_path, sort_key=SortKey.CREATED_AT)

    assert path == new_rollout_path(tmp_path, START, thread_id(0))


async def test_filters_leave_out_what_is_not_wanted(tmp_path: Path) -> None:
    """Sources, providers with a default, and the working directory by its real path."""
    here = tmp_path / "here"
    here.mkdir()
    link = tmp_path / "link"
    link.symlink_to(here)
    add(tmp_path, 1, source=SourceKind.CLI, model_provider="a", cwd=str(here))
    add(tmp_path, 2, source=SourceKind.EXEC, model_provider="b", cwd="/gone")
    add(tmp_path, 3, source=SourceKind.VSCODE, cwd=str(link))

    async def listed(wanted: ThreadFilter) -> list[int]:
        return sorted(numbers(await list_threads(tmp_path, page_size=9, wanted=wanted)))

    assert await listed(ThreadFilter()) == [1, 2, 3]
    assert await listed(ThreadFilter(sources=INTERACTIVE_SOURCES)) == [1, 3]
    assert await listed(ThreadFilter(sources=(SourceKind.EXEC,))) == [2]
    assert await listed(ThreadFilter(model_providers=("a",))) == [1]
    assert await listed(ThreadFilter(model_providers=("a",), default_provider="a")) == [1, 3]
    assert await listed(ThreadFilter(model_providers=("c",), default_provider="a")) == []
    assert await listed(ThreadFilter(cwd=link)) == [1, 3]
    assert await listed(ThreadFilter(cwd=Path("/gone"))) == [2]


async def test_folders_in_a_loop_are_compared_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that cannot be resolved is still itself."""

    def loop(_path: Path) -> Path:
        raise RuntimeError("Symlink loop")

    monkeypatch.setattr(Path, "resolve", loop)
    assert listing_module._same_folder(Path("/a"), Path("/a"))
    assert not listing_module._same_folder(Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello", "hello"),
        ("  ", None),
        ("# Context\n\n## My request for Codex:\n fix it \n", "fix it"),
        ("## My request for Codex:", None),
    ],
)
async def test_first_user_message_is_shown_without_what_an_editor_adds(
    tmp_path: Path, text: str, shown: str | None
) -> None:
    """A message without text still makes it a thread to list."""
    add(tmp_path, 1, text=text)
    page = await list_threads(tmp_path, page_size=1)
    assert [thread.first_user_message for thread in page.threads] == [shown]


async def test_beginning_is_read_as_far_as_needed_and_no_further(tmp_path: Path) -> None:
    """The meta within 10 lines, what the user said within 200 more; the first meta counts."""

    async def listed(items: list[RolloutItem]) -> list[ThreadId]:
        write(new_rollout_path(tmp_path, START, THREAD), items)
        page = await list_threads(tmp_path, page_size=1)
        return [thread.thread_id for thread in page.threads]

    filler = user("x")
    quoted = user('"user_message" "session_meta"')
    assert await listed([filler] * 9 + [meta(), said("a")]) == [THREAD]
    assert await listed([filler] * 10 + [meta(), said("a")]) == []
    assert await listed([meta()] + [quoted] * 208 + [said("a")]) == [THREAD]
    assert await listed([meta()] + [quoted] * 209 + [said("a")]) == []
    assert await listed([quoted, meta(), meta(thread_id(1)), quoted, said("a")]) == [THREAD]
    assert await listed([meta()]) == []
    assert await listed([said("a")]) == []
    assert await listed([]) == []


async def test_damaged_lines_in_the_beginning_are_passed_over(tmp_path: Path) -> None:
    """Blank ones do not count."""
    path = add(tmp_path, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b'\n\n"session_meta"\n' + lines[0] + b'"user_message" \xff\n' + lines[2])
    assert numbers(await list_threads(tmp_path, page_size=1)) == [1]


async def test_rollout_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """It may vanish between its name and its content."""
    add(tmp_path, 1)
    new_rollout_path(tmp_path, START, thread_id(2)).symlink_to(tmp_path / "nowhere")
    for sort_key in SortKey:
        assert numbers(await list_threads(tmp_path, page_size=5, sort_key=sort_key)) == [1]


async def test_empty_file_is_passed_over(tmp_path: Path) -> None:
    """A writer that died before its first line leaves one."""
    path = add(tmp_path, 1)
    add(tmp_path, 2).write_bytes(b"")
    for sort_key in SortKey:
        assert numbers(await list_threads(tmp_path, page_size=5, sort_key=sort_key)) == [1]
        assert await latest_thread_path(tmp_path, sort_key=sort_key) == path


async def test_creation_time_comes_from_the_name_when_the_meta_has_none(tmp_path: Path) -> None:
    """A meta with an unreadable time is still a meta."""
    add(tmp_path, 1, at=START + 3, timestamp="long ago")
    page = await list_threads(tmp_path, page_size=1)
    assert [thread.created_at for thread in page.threads] == [START + 3]


async def test_archive_is_listed_by_itself(tmp_path: Path) -> None:
    """Flat, with the same rules."""
    add(tmp_path, 1)
    for number in (2, 3):
        path = add(tmp_path, number, at=START + number, git=GitInfo(branch="b"))
        archived_folder(tmp_path).mkdir(exist_ok=True)
        path.rename(archived_folder(tmp_path) / path.name)

    assert numbers(await list_threads(tmp_path, page_size=5, archived=True)) == [3, 2]
    assert numbers(await list_threads(tmp_path, page_size=5)) == [1]


async def test_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that silently lacks most threads would be worse."""

    def refuse(_folder: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(listing_module.os, "listdir", refuse)
    with pytest.raises(RolloutUnreadable, match=r"sessions.*Permission denied"):
        await list_threads(tmp_path, page_size=1)


@pytest.mark.parametrize(
    ("token", "cursor"),
    [
        (f"2026-02-13T16:26:40Z|{THREAD}", Cursor(int(START), THREAD)),
        (f"2026-02-13T16-26-40|{THREAD}", Cursor(int(START), THREAD)),
        (f"2026-02-13T17:26:40+01:00|{THREAD}", Cursor(int(START), THREAD)),
        ("2026-02-13T16:26:40Z", None),
        (f"|{THREAD}", None),
        ("2026-02-13T16:26:40Z|x", None),
        ("", None),
    ],
)
def test_cursor_tokens_of_both_programs_are_read(token: str, cursor: Cursor | None) -> None:
    """What is no token gives None."""
    assert Cursor.parse(token) == cursor


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 3), max_size=8),
    page_size=st.integers(1, 4),
    cap=st.integers(1, 9),
    silent=st.sets(st.integers(0, 7)),
)
def test_pages_together_are_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory,
    seconds: list[int],
    page_size: int,
    cap: int,
    silent: set[int],
) -> None:
    """Whatever the page size and the cap, every thread is listed once, in order."""
    import trio

    home = tmp_path_factory.mktemp("home")
    for number, second in enumerate(seconds):
        add(home, number, at=START + second * 90_000, text=None if number in silent else "hi")
    expected = sorted(
        (number for number in range(len(seconds)) if number not in silent),
        key=lambda number: (seconds[number], number),
        reverse=True,
    )

    assert trio.run(all_pages, home, page_size, SortKey.CREATED_AT, cap) == expected
