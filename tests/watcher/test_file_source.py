"""Real files, and the system telling of them."""

import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from actors.watcher import FileSource, FileWatcherEvent, WatchMode, open_watcher
from actors.watcher.tree import Limits
from tests.waiting import look_until
from tests.watcher.stage import (
    deterministic,
    inotify_watches,
    listening,
    notify_threads,
    save_skill,
    wait_for_next_tick,
)

pytest.importorskip("watchfiles")


@pytest.fixture(autouse=True)
def no_os_thread_is_left_behind() -> Iterator[None]:
    """A watcher that is closed has no thread and no inotify instance any more."""
    yield
    look_until(lambda: (notify_threads(), inotify_watches()), lambda found: not any(found))


async def test_edit_add_rename_and_delete_of_skills_are_told(tmp_path: Path) -> None:
    """Each by the path it was found at, and forgotten before it is told."""
    one = save_skill(tmp_path / "one")
    async with listening(tmp_path) as listener:
        one.write_text("other text")
        await listener.hears_of(one)
        two = save_skill(tmp_path / "two")
        await listener.hears_of(two.parent, two)
        two.parent.rename(tmp_path / "three")
        await listener.hears_of(two, tmp_path / "three/SKILL.md")
        (tmp_path / "three/SKILL.md").write_text("in its new place")
        await listener.hears_of(tmp_path / "three/SKILL.md")
        shutil.rmtree(one.parent)
        await listener.hears_of(one.parent, one)

        assert listener.forgotten == [event.paths for event in listener.events]


async def test_change_right_after_a_root_was_added_is_told(tmp_path: Path) -> None:
    """However long it takes until the system watches it."""
    roots = [tmp_path / str(number) for number in range(10)]
    files = [save_skill(root / "skill") for root in roots]
    async with listening() as listener:
        for root, file in zip(roots, files, strict=True):
            listener.watcher.watch([str(root)])
            file.write_text("changed at once")
        await listener.hears_of(*files)


async def test_whole_root_that_is_replaced_is_told_and_watched(tmp_path: Path) -> None:
    """Another folder in its place, moved there in one step or in two."""
    root = tmp_path / "skills"
    old = save_skill(root / "old")
    new = save_skill(tmp_path / "prepared/new")
    async with listening(root) as listener:
        root.rename(tmp_path / "away")
        (tmp_path / "prepared").rename(root)
        await listener.hears_of(root, old, root / "new/SKILL.md")
        (root / "new/SKILL.md").write_text("edited in place")
        await listener.hears_of(root / "new/SKILL.md")

        shutil.rmtree(root / "new")
        await listener.hears_of(root / "new")
        save_skill(tmp_path / "third/skill")
        (tmp_path / "third").rename(root)  # over the empty folder
        await listener.hears_of(root / "skill/SKILL.md")
        (root / "skill/SKILL.md").write_text("edited in place")
        await listener.hears_of(root / "skill/SKILL.md")

    assert not new.exists()


@pytest.mark.parametrize("at_once", [True, False])
async def test_root_that_comes_into_being_later_is_told_and_watched(
    tmp_path: Path, at_once: bool
) -> None:
    """Several levels may be missing, and come one by one."""
    root = tmp_path / "a/b/.agents/skills"
    async with listening(root) as listener:
        assert await listener.watches() == 1

        if not at_once:
            for parent in ("a", "a/b", "a/b/.agents"):
                (tmp_path / parent).mkdir()
                await listener.watches_also(tmp_path / parent)
        file = save_skill(root / "skill")
        await listener.hears_of(root, file)
        file.write_text("edited")
        await listener.hears_of(file)

        assert await listener.watches() == 2


async def test_root_that_is_deleted_and_made_again_is_told_and_watched(tmp_path: Path) -> None:
    """Again and again, though the new folder may have the inode of the old one."""
    root = tmp_path / "skills"
    file = save_skill(root / "skill")
    async with listening(root) as listener:
        for _ in range(5):
            shutil.rmtree(root)
            save_skill(root / "skill")
            await listener.hears_of(file)
            file.write_text("edited")
            await listener.hears_of(file)
        shutil.rmtree(root)
        await listener.hears_of(root)
        save_skill(root / "skill")
        await listener.hears_of(root, file)


async def test_folder_that_is_moved_away_and_back_is_still_watched(tmp_path: Path) -> None:
    """The system forgets it in between, and does not say so."""
    file = save_skill(tmp_path / "skill")
    async with listening(tmp_path) as listener:
        for _ in range(3):
            file.parent.rename(tmp_path / "away")
            (tmp_path / "away").rename(file.parent)
            other = save_skill(tmp_path / "other", os.urandom(4).hex())
            await listener.hears_of(other)
            file.write_text(os.urandom(4).hex())
            await listener.hears_of(file)


async def test_changes_behind_symbolic_links_are_told_by_the_way_through_them(
    tmp_path: Path,
) -> None:
    """Links as roots, on the way to roots and below roots; and their new targets."""
    one, two = save_skill(tmp_path / "v1/skill"), save_skill(tmp_path / "v2/skill")
    root = tmp_path / "link/skills"
    (tmp_path / "link").mkdir()
    root.symlink_to("../v1")
    (tmp_path / "v1/far").symlink_to(tmp_path / "elsewhere")
    async with listening(root) as listener:
        one.write_text("edited")
        await listener.hears_of(root / "skill/SKILL.md")

        far = save_skill(tmp_path / "elsewhere/skill")
        await listener.hears_of(root / "far/skill/SKILL.md")
        far.write_text("edited")
        await listener.hears_of(root / "far/skill/SKILL.md")

        (tmp_path / "link/new").symlink_to(tmp_path / "v2")
        (tmp_path / "link/new").rename(root)
        await listener.hears_of(root, root / "skill/SKILL.md")
        two.write_text("edited")
        await listener.hears_of(root / "skill/SKILL.md")

        root.unlink()
        await listener.hears_of(root)


async def test_what_the_system_does_not_tell_is_found_by_looking(tmp_path: Path) -> None:
    """A folder above the root that is renamed is no event of any folder that is watched."""
    root = tmp_path / "above/skills"
    file = save_skill(root / "skill")
    async with listening(root, source=FileSource(heartbeat=0.1)) as listener:
        root.parent.rename(tmp_path / "away")
        await listener.hears_of(root, file)
        (tmp_path / "away").rename(root.parent)
        await listener.hears_of(root, file)


async def test_name_that_is_not_utf8_does_not_stop_the_watcher(tmp_path: Path) -> None:
    """It breaks the instance of the system, and a new one is opened."""
    file = save_skill(tmp_path / "skill")
    async with listening(tmp_path) as listener:
        for number in range(3):
            (tmp_path / os.fsdecode(b"\xff%d" % number)).mkdir()
            file.write_text(f"edited {number}")
            await listener.hears_of(file)

        assert listener.source.statistics().mode is WatchMode.NOTIFIED


async def test_noise_beside_a_missing_root_is_not_told(tmp_path: Path) -> None:
    """A root is often looked for in a busy folder."""
    file = save_skill(tmp_path / "present/skill")
    async with listening(tmp_path / "missing", tmp_path / "present") as listener:
        for number in range(20):
            (tmp_path / f"noise{number}").write_text("")
        file.write_text("edited")
        await listener.hears_of(file)

        assert [event.paths for event in listener.events] == [(str(file),)]


async def test_one_instance_and_no_more_watches_than_folders(tmp_path: Path) -> None:
    """Of 64 roots, some in each other, some missing; the kernel is asked, not we."""
    roots = [tmp_path / f"home{number}/skills" for number in range(60)]
    files = [save_skill(root / "a/b") for root in roots]
    roots += [tmp_path / "home0", tmp_path, tmp_path / "none/skills", tmp_path / "none/other"]
    folders = 1 + sum(len(names) for _, names, _ in os.walk(tmp_path))
    async with listening(*roots) as listener:
        assert folders == 241
        assert inotify_watches() == [241] == [await listener.watches()]

        for file in files:
            file.write_text("edited")
        # Two roots see each of them: the one above, and the one of its own.
        await listener.hears_of(*files)
        for root in roots[:60]:
            save_skill(root / "c")
        await listener.hears_of(*(root / "c/SKILL.md" for root in roots[:60]))

        assert await listener.watches() == 301
        assert inotify_watches() == [301]


async def test_released_roots_are_watched_no_longer(tmp_path: Path) -> None:
    """No root, no inotify; and a root that comes back is watched again."""
    one, two = save_skill(tmp_path / "one/skill"), save_skill(tmp_path / "two/skill")
    async with listening() as listener:
        assert await listener.watches() == 0
        assert inotify_watches() == []
        assert notify_threads() == 0

        first = listener.watcher.watch([str(tmp_path / "one")])
        second = listener.watcher.watch([str(tmp_path / "one"), str(tmp_path / "two")])
        assert await listener.watches() == 4
        first.release()
        assert await listener.watches() == 4
        second.release()
        assert await listener.watches() == 0
        one.write_text("while nobody cares")
        two.write_text("while nobody cares")
        wait_for_next_tick()
        listener.watcher.watch([str(tmp_path / "two")])
        assert await listener.watches() == 2
        two.write_text("edited")
        await listener.hears_of(two)

        assert [event.paths for event in listener.events] == [(str(two),)]


# In a process of its own: as fast as it can be.
FLOOD = """
import os, sys
os.chdir(sys.argv[1])
for number in range(10_000):
    folder = str(number // 100)
    if number % 100 == 0:
        os.mkdir(folder)
    with open(f"{folder}/{number}", "w") as file:
        file.write("text")
"""


@pytest.mark.slow
async def test_flood_of_changes_ends_in_few_events_and_a_true_picture(tmp_path: Path) -> None:
    """10,000 files in 100 folders: no long list, no long queue, nothing missed at the end."""
    async with listening(tmp_path) as listener:
        await trio.run_process([sys.executable, "-c", FLOOD, str(tmp_path)])
        last = tmp_path / "last"
        told: tuple[str, ...] = ()
        with trio.fail_after(60):
            while str(last) not in told:
                last.write_text(os.urandom(8).hex())
                event = FileWatcherEvent.received(await listener.subscription.receive())
                listener.events.append(event)
                told = event.paths
            await listener.source.wait_watching()

        [tree] = listener.source._trees.values()
        assert len(tree.entries) == 10_102
        assert listener.source.statistics().folders == 101
        assert len(listener.events) < 200
        assert max(len(event.paths) for event in listener.events) <= 256


@pytest.mark.slow
async def test_closing_and_cancelling_take_less_than_100_ms(tmp_path: Path) -> None:
    """Though an OS thread waits for the system, and has 300 folders to watch."""
    for number in range(300):
        save_skill(tmp_path / str(number))
    taken: dict[bool, list[float]] = {True: [math.inf], False: [math.inf]}
    for cancelled in (True, False) * 10:  # the machine may be busy with something else
        if min(taken[cancelled]) < 0.1:
            continue
        with trio.CancelScope() as scope:
            async with listening(tmp_path):
                began = time.perf_counter()
                if cancelled:
                    scope.cancel()
        taken[cancelled].append(time.perf_counter() - began)

    assert min(taken[True]) < 0.1
    assert min(taken[False]) < 0.1


async def test_cancelling_in_the_midst_of_the_first_look_is_clean(tmp_path: Path) -> None:
    """At every point where it may be: nothing is left behind, whatever was being done."""
    for number in range(50):
        save_skill(tmp_path / str(number))
    for wait in range(8):
        with trio.move_on_after(wait / 500):
            async with open_watcher(on_change=lambda _: None, world=deterministic()) as watcher:
                watcher.watch([str(tmp_path)])
                await trio.sleep_forever()


async def test_change_where_nobody_looks_any_more_is_told_as_the_root(tmp_path: Path) -> None:
    """Of a folder with too many files the system tells more than is kept."""
    for number in range(10):
        (tmp_path / f"file{number}").write_text("")
    source = FileSource(limits=Limits(entries=5))
    async with listening(tmp_path, source=source) as listener:
        (tmp_path / "file9").write_text("edited")
        await listener.hears_of(tmp_path)
