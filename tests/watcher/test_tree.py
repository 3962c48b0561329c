"""What is seen below a root, and what is told to be different."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.watcher.tree import Limits, Tree, changed_paths, read_tree
from tests.watcher.stage import save_skill, wait_for_next_tick


def read(root: Path, **limits: int) -> Tree:
    return read_tree(str(root), Limits(**limits), threading.Event())


def paths(tree: Tree, root: Path) -> set[str]:
    return {os.path.relpath(path, root) for path in tree.entries}


def changes(root: Path, act: Callable[[], object]) -> set[str]:
    """Tell what an act changes, in the words of the watcher."""
    wait_for_next_tick()
    old = read(root)
    act()
    return {os.path.relpath(path, root) for path in changed_paths(str(root), old, read(root), 0)}


def test_tree_holds_everything_but_hidden_names(tmp_path: Path) -> None:
    """What nobody loads wakes nobody."""
    save_skill(tmp_path / "one")
    save_skill(tmp_path / "two/deep")
    save_skill(tmp_path / ".git/three")
    (tmp_path / "one/.SKILL.md.swp").write_text("")
    (tmp_path / os.fsdecode(b"\xff")).mkdir()

    tree = read(tmp_path)

    assert paths(tree, tmp_path) == {
        ".", "one", "one/SKILL.md", "two", "two/deep", "two/deep/SKILL.md",
    }  # fmt: skip
    assert set(tree.folders) == {str(tmp_path / name) for name in ("", "one", "two", "two/deep")}
    assert not tree.truncated


def test_missing_root_is_an_empty_tree_with_a_gate(tmp_path: Path) -> None:
    """It is looked for where it would come into being."""
    tree = read(tmp_path / "a/b")

    assert tree.entries == tree.folders == {}
    assert [gate.name for gate in tree.gates] == ["a"]


def test_links_are_followed_and_told_by_the_way_through_them(tmp_path: Path) -> None:
    """Each folder once, also in circles; links to files and to nothing are what they are."""
    save_skill(tmp_path / "target/skill")
    root = tmp_path / "root"
    save_skill(root / "own")
    (root / "far").symlink_to(tmp_path / "target")
    (root / "again").symlink_to(root / "own")
    (root / "circle").symlink_to(root)
    (root / "file").symlink_to(root / "own/SKILL.md")
    (root / "later").symlink_to(tmp_path / "later")

    tree = read(root)

    assert paths(tree, root) == {
        ".", "own", "own/SKILL.md", "far", "far/skill", "far/skill/SKILL.md",
        "again", "circle", "file", "later",
    }  # fmt: skip
    assert len(tree.folders) == 4
    assert str(tmp_path / "target/skill") in tree.folders
    assert (str(tmp_path), "later") in {(gate.folder, gate.name) for gate in tree.gates}


@pytest.mark.parametrize(
    ("limits", "truncated"),
    [
        ({}, False),
        ({"depth": 2}, False),
        ({"depth": 1}, False),
        ({"folders": 4}, False),
        ({"folders": 3}, True),
        ({"entries": 8}, False),
        ({"entries": 6}, True),
    ],
)
def test_limits_hold_and_are_told(tmp_path: Path, limits: dict[str, int], truncated: bool) -> None:
    """Depth is a rule that everybody knows; the others cut something off."""
    save_skill(tmp_path)
    save_skill(tmp_path / "a")
    save_skill(tmp_path / "a/b")
    save_skill(tmp_path / "c")

    tree = read(tmp_path, **limits)

    assert tree.truncated is truncated
    assert len(tree.folders) <= limits.get("folders", 4)
    assert len(tree.entries) <= limits.get("entries", 8) + 1
    if "entries" not in limits:
        assert (str(tmp_path / "a/b") in tree.entries) is (
            limits.get("depth", 7) > 1 and not truncated
        )


def test_edit_add_rename_and_delete_are_told_by_path(tmp_path: Path) -> None:
    """A folder is told when it comes or goes, not when a file in it does."""
    one = save_skill(tmp_path / "one")
    save_skill(tmp_path / "two")

    assert changes(tmp_path, lambda: one.write_text("new")) == {"one/SKILL.md"}
    assert changes(tmp_path, lambda: save_skill(tmp_path / "three")) == {"three", "three/SKILL.md"}
    assert changes(tmp_path, lambda: (tmp_path / "two").rename(tmp_path / "four")) == {
        "two", "two/SKILL.md", "four", "four/SKILL.md",
    }  # fmt: skip
    assert changes(tmp_path, lambda: shutil.rmtree(tmp_path / "one")) == {"one", "one/SKILL.md"}
    assert changes(tmp_path, lambda: None) == set()


def test_edit_of_equal_size_within_one_tick_is_told(tmp_path: Path) -> None:
    """Nothing the system keeps of the file may be different, and still it is."""
    file = save_skill(tmp_path, "aaaa")
    wait_for_next_tick()
    for number in range(15):
        file.write_text(f"{number:04}")
        old = read(tmp_path)
        file.write_text(f"{-number:04}"[-4:])

        assert str(file) in changed_paths(str(tmp_path), old, read(tmp_path), 0)


def test_clock_that_was_set_back_does_not_make_files_new_for_ever(tmp_path: Path) -> None:
    """Times in the future are no reason to tell a file each time."""
    save_skill(tmp_path)
    old = read(tmp_path)
    behind = Tree(entries=old.entries, began=0, ended=1)

    assert changed_paths(str(tmp_path), behind, behind, 0) == set()


def test_first_look_tells_what_changed_since_the_root_was_added(tmp_path: Path) -> None:
    """A change before anything could be watched is not lost, and older ones are not told."""
    save_skill(tmp_path / "old")
    gone = save_skill(tmp_path / "old/gone")
    since = wait_for_next_tick()

    gone.unlink()
    new = save_skill(tmp_path / "new")

    assert changed_paths(str(tmp_path), None, read(tmp_path), since) == {
        str(tmp_path), str(tmp_path / "old/gone"), str(new.parent), str(new),
    }  # fmt: skip


@pytest.mark.parametrize(("count", "told"), [(256, 256), (257, 1)])
def test_very_many_changes_in_one_root_are_told_as_the_root(
    tmp_path: Path, count: int, told: int
) -> None:
    """A list nobody reads is not made."""
    wait_for_next_tick()
    old = read(tmp_path)
    for number in range(count):
        (tmp_path / str(number)).write_text("")

    found = changed_paths(str(tmp_path), old, read(tmp_path), 0)

    assert len(found) == told
    assert (found == {str(tmp_path)}) is (told == 1)


def test_reading_ends_soon_when_it_is_stopped(tmp_path: Path) -> None:
    """Who closes the watcher does not wait for 2,000 folders."""
    for number in range(20):
        save_skill(tmp_path / str(number))
    stop = threading.Event()
    stop.set()

    assert read_tree(str(tmp_path), Limits(), stop).entries == {}


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/b/c", "b/c"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.sampled_from(["", "x", "y"])),
        st.tuples(st.just("remove"), NAMES, st.just("")),
        st.tuples(st.just("rename"), NAMES, NAMES),
    ),
    max_size=6,
)


def act_out(root: Path, act: tuple[str, str, str]) -> None:
    kind, name, other = act
    path = root / name
    if kind == "write" and not path.is_dir():
        if any(parent.is_file() for parent in path.parents):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(other)
    elif kind == "remove" and path.is_dir():
        shutil.rmtree(path)
    elif kind == "remove" and path.is_file():
        path.unlink()
    elif kind == "rename" and (root / other).parent.is_dir():
        with suppress(OSError):  # there is none, or it does not fit
            path.rename(root / other)


def contents(root: Path) -> dict[str, str | None]:
    return {str(path): path.read_text() if path.is_file() else None for path in root.rglob("*")}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, min_size=2, max_size=4))
def test_everything_that_is_different_is_told(rounds: list[list[tuple[str, str, str]]]) -> None:
    """Whatever happens between two looks, however fast."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        before, old = contents(root), read(root)
        for acts in rounds:
            for act in acts:
                act_out(root, act)
            after, new = contents(root), read(root)
            different = {
                path
                for path in before.keys() | after.keys()
                if before.get(path, 0) != after.get(path, 0)
            }

            assert different <= changed_paths(str(root), old, new, 0)

            before, old = after, new
