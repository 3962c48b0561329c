"""Where skill files are found, and where nobody looks."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.skills import SkillRoot, SkillScope
from actors.skills import discovery as discovery_module
from actors.skills.discovery import MAX_DEPTH, MAX_FOLDERS, Discovery, discover

from .trees import write_skill


def look(root: Path | str, scope: SkillScope = SkillScope.USER) -> Discovery:
    return discover(SkillRoot(str(root), scope))


def files(found: Discovery, below: Path) -> list[str]:
    return [os.path.relpath(path, below) for path in found.files]


# Against a model ----------------------------------------------------------------

NAMES = ["a", "b", "SKILL.md", ".hidden", "other.md"]

# What to make, where, under which name, and what a link leads to: folders by number.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["folder", "folder", "chain", "file", "link", "file link", "outside"]),
        st.integers(0, 30),
        st.sampled_from(NAMES),
        st.integers(0, 30),
    ),
    max_size=25,
)


def build(top: Path, steps: list[tuple[str, int, str, int]]) -> Path:
    """Make a tree below ``top/root``, with links to anywhere in it, above it and beside it."""
    root, beside = top / "root", top / "beside"
    root.mkdir()
    write_skill(beside / "far")
    folders = [root]
    for what, where, name, target in steps:
        path = folders[where % len(folders)] / name
        if os.path.lexists(path):
            continue
        match what:
            case "folder":
                path.mkdir()
                folders.append(path)
            case "chain":
                for _ in range(target % 9 + 1):
                    path.mkdir()
                    folders.append(path)
                    path /= "a"
            case "file":
                path.write_text("x")
            case "link":
                path.symlink_to([top, *folders][target % (len(folders) + 1)])
            case "file link":
                path.symlink_to(beside / "far" / "SKILL.md")
            case _:
                path.symlink_to([beside, top / "nowhere", path, top / "beside/far"][target % 4])
    return root


def simple_model(root: Path, *, follow: bool) -> set[str]:
    """Say which files are skills: level by level, with nothing but names of real folders."""
    level, seen, found = {os.path.realpath(root)}, set[str](), set[str]()
    for _ in range(MAX_DEPTH + 1):
        seen |= level
        below = set[str]()
        for path in (path for folder in level for path in Path(folder).iterdir()):
            if path.name.startswith(".") or (path.is_symlink() and not follow):
                continue
            if path.is_dir():
                below.add(os.path.realpath(path))
            elif path.name == "SKILL.md" and not path.is_symlink():
                found.add(str(path))
        level = below - seen
    return found


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(SkillScope))
@example([("link", 0, "a", 0)], SkillScope.USER)
@example([("chain", 0, "a", 8), *(("file", i, "SKILL.md", 0) for i in range(10))], SkillScope.REPO)
def test_discovery_finds_what_a_simple_model_finds(
    steps: list[tuple[str, int, str, int]], scope: SkillScope
) -> None:
    """On any tree, with cycles, links to nowhere and links out of it; each file once."""
    with tempfile.TemporaryDirectory() as folder:
        root = build(Path(os.path.realpath(folder)), steps)

        found = look(root, scope)

        assert set(found.files) == simple_model(root, follow=scope is not SkillScope.SYSTEM)
        assert len(set(found.files)) == len(found.files)
        assert all(path == os.path.realpath(path) for path in (*found.files, *found.folders))
        # The only thing to be told of such a tree is that it is too deep.
        assert all("levels down" in error.message for error in found.errors)
        assert found == look(root, scope)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(STEPS, st.sampled_from([SkillScope.USER, SkillScope.SYSTEM]))
def test_every_file_is_in_a_folder_that_is_told(
    steps: list[tuple[str, int, str, int]], scope: SkillScope
) -> None:
    """Who watches these folders misses no change."""
    with tempfile.TemporaryDirectory() as folder:
        found = look(build(Path(os.path.realpath(folder)), steps), scope)

        for path in found.files:
            assert any(path.startswith(f"{below}/") for below in found.folders)


# Single rules --------------------------------------------------------------------


def test_root_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    """Most users have but one of the many places."""
    assert look(tmp_path / "no") == Discovery(
        files=(), errors=(), folders=(str(tmp_path / "no"),), lasting=True
    )
    (tmp_path / "file").write_text("")
    assert look(tmp_path / "file" / "no").errors == ()
    (tmp_path / "dangling").symlink_to(tmp_path / "no")
    assert look(tmp_path / "dangling").folders == (str(tmp_path / "no"),)


def test_root_that_is_no_folder_is_told(tmp_path: Path) -> None:
    """Somebody meant something by it."""
    path = tmp_path / "file"
    path.write_text("")

    [error] = look(path).errors

    assert (error.path, error.message) == (str(path), "failed to read folder: Not a directory")


def test_root_with_a_null_character_is_told() -> None:
    """No path is fatal."""
    [error] = look("/a\0b").errors

    assert error.message == "embedded null byte"


@pytest.mark.parametrize("loop", ["loop", "loop/below"])
def test_root_that_is_a_link_to_itself_finds_nothing(tmp_path: Path, loop: str) -> None:
    """And looks at nothing for ever."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert look(tmp_path / loop).files == ()


def test_root_that_is_a_link_is_looked_into_in_every_scope(tmp_path: Path) -> None:
    """The system's scope follows no links below its root only."""
    write_skill(tmp_path / "real" / "one")
    (tmp_path / "root").symlink_to(tmp_path / "real")

    for scope in SkillScope:
        assert look(tmp_path / "root", scope).files == (str(tmp_path / "real/one/SKILL.md"),)


def test_files_are_found_at_the_depth_limit_and_not_below(tmp_path: Path) -> None:
    """What is left out is told once, with the first folder."""
    parts = ["d"] * (MAX_DEPTH + 1)
    at, below = tmp_path.joinpath(*parts[1:]), tmp_path.joinpath(*parts)
    write_skill(at)
    assert look(tmp_path).errors == ()

    write_skill(below)
    write_skill(at / "e" / "f")
    found = look(tmp_path)

    assert files(found, tmp_path) == ["d/d/d/d/d/d/SKILL.md"]
    [error] = found.errors
    assert error.path == str(below)
    assert error.message.startswith("folders more than 6 levels down below a skills folder are ")


@pytest.mark.slow
def test_folders_are_looked_into_up_to_the_limit(tmp_path: Path) -> None:
    """The root counts, too; what comes last by name is left out, and told."""
    for number in range(MAX_FOLDERS - 1):
        (tmp_path / f"{number:04}").mkdir()
    last = write_skill(tmp_path / "last").parent
    (tmp_path / "0000").rmdir()
    assert look(tmp_path).errors == ()
    assert look(tmp_path).files == (str(last / "SKILL.md"),)

    (tmp_path / "0000").mkdir()
    (tmp_path / "lost").mkdir()
    found = look(tmp_path)

    assert found.files == ()
    [error] = found.errors
    assert error.path == str(last)
    assert error.message.startswith("more than 2000 folders below a skills folder are not searched")


def test_names_are_looked_at_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of millions of files does not hold anybody up for long."""
    monkeypatch.setattr(discovery_module, "MAX_ENTRIES", 10)
    for number in range(9):
        (tmp_path / f"{number}.txt").write_text("")
    write_skill(tmp_path / "sub" / "one")
    assert [error.path for error in look(tmp_path).errors] == [str(tmp_path / "sub")]
    (tmp_path / "0.txt").unlink()
    (tmp_path / "1.txt").unlink()
    assert look(tmp_path).errors == ()

    assert files(look(tmp_path), tmp_path) == ["sub/one/SKILL.md"]


def test_folders_nearer_to_the_root_come_first(tmp_path: Path) -> None:
    """So that limits cut off what is farthest."""
    for place in ("b/c", "a/b/c", "b", "c"):
        write_skill(tmp_path / place)

    assert files(look(tmp_path), tmp_path) == [
        "b/SKILL.md",
        "c/SKILL.md",
        "b/c/SKILL.md",
        "a/b/c/SKILL.md",
    ]


def failing(error: OSError, path: Path):
    """Make `os.scandir` fail in one folder."""
    real = os.scandir

    def scandir(folder: str):
        if folder == str(path):
            raise error
        return real(folder)

    return scandir


@pytest.mark.parametrize(
    ("code", "lasting"), [(errno.EACCES, True), (errno.EMFILE, False), (errno.EIO, False)]
)
def test_folder_that_cannot_be_read_is_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, lasting: bool
) -> None:
    """The others count; trouble of the system is not taken for the last word."""
    write_skill(tmp_path / "a")
    write_skill(tmp_path / "b")
    error = OSError(code, os.strerror(code))
    monkeypatch.setattr(discovery_module.os, "scandir", failing(error, tmp_path / "a"))

    found = look(tmp_path)

    assert files(found, tmp_path) == ["b/SKILL.md"]
    [told] = found.errors
    assert told.path == str(tmp_path / "a")
    assert told.message == f"failed to read folder: {os.strerror(code)}"
    assert found.lasting is lasting


def test_link_that_cannot_be_followed_is_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike one that leads nowhere."""

    class Entry:
        name, path = "link", str(tmp_path / "link")

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            assert follow_symlinks
            raise PermissionError(errno.EACCES, "Permission denied")

    entries = contextlib.nullcontext([Entry()])
    monkeypatch.setattr(discovery_module.os, "scandir", lambda _: entries)

    [error] = look(tmp_path).errors

    assert error.path == str(tmp_path / "link")
    assert error.message == "failed to follow link: Permission denied"


def test_folder_that_goes_in_this_instant_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People delete skills while others look."""
    write_skill(tmp_path / "b")
    (tmp_path / "a").mkdir()
    real = os.scandir

    def scandir(folder: str):
        if folder == str(tmp_path / "a"):
            (tmp_path / "a").rmdir()
        return real(folder)

    monkeypatch.setattr(discovery_module.os, "scandir", scandir)

    found = look(tmp_path)

    assert files(found, tmp_path) == ["b/SKILL.md"]
    assert found.errors == ()


def test_name_that_is_no_utf_8_is_told_as_text(tmp_path: Path, monkeypatch) -> None:
    """What is told has a form in JSON."""
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    error = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(discovery_module.os, "scandir", failing(error, odd))

    [told] = look(tmp_path).errors

    assert told.path == f"{tmp_path}/\ufffd"
