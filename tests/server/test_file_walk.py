"""The files below a folder."""

from pathlib import Path

import pytest

from actors.server.file_walk import Halt, walk_files


def make(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def walked(folder: Path) -> set[str]:
    return {*walk_files(str(folder), Halt())}


def test_files_are_listed_without_those_that_are_ignored(tmp_path: Path) -> None:
    """Rules of inner folders go before those of outer ones; hidden files are listed."""
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("secret\n")
    (tmp_path / ".gitignore").write_text("*.log\nbuild/\n/only\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".gitignore").write_text("!kept.log\nmine\n")
    for name in (
        "a.py", "a.log", "secret", "only", "build/x", "sub/build/x", "sub/kept.log",
        "sub/other.log", "sub/only", "sub/mine", "mine", ".hidden/x",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    assert walked(tmp_path) == {
        ".gitignore", ".hidden/x", "a.py", "mine", "sub/.gitignore", "sub/kept.log", "sub/only",
    }  # fmt: skip


def test_rules_above_the_root_count_up_to_the_repository(tmp_path: Path) -> None:
    """And no further: above that they are somebody else's."""
    (tmp_path / ".gitignore").write_text("*.a\n")
    repository = tmp_path / "repository"
    make(repository, DOTgitignore="*.b\n/in/x\n", in__xDOTa="", in__xDOTb="", in__x="", in__y="")
    (repository / ".git").mkdir()

    assert walked(repository / "in") == {"x.a", "y"}


def test_a_repository_inside_has_its_own_rules(tmp_path: Path) -> None:
    """Those of the one around it end there."""
    (tmp_path / ".git").mkdir()
    make(tmp_path, DOTgitignore="x\n", x="", inner__x="", inner__y="")
    (tmp_path / "inner" / ".git").mkdir()

    assert walked(tmp_path) == {".gitignore", "inner/x", "inner/y"}


def test_outside_of_repositories_only_ignore_counts(tmp_path: Path) -> None:
    """Which is for programs that search."""
    make(tmp_path, DOTgitignore="x\n", DOTignore="y\n", x="", y="")

    assert walked(tmp_path) == {".gitignore", ".ignore", "x"}


def test_linked_files_are_listed_and_linked_folders_are_not_entered(tmp_path: Path) -> None:
    """So that no walk goes round in circles."""
    make(tmp_path, folder__x="")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "file").symlink_to(tmp_path / "folder" / "x")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")

    assert walked(tmp_path) == {"file", "folder/x"}


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    """There is no form for them in JSON."""
    make(tmp_path, x="")
    (tmp_path / "y\udcff").write_text("")

    assert walked(tmp_path) == {"x"}


def test_a_walk_ends_when_it_has_enough_or_is_told_to(tmp_path: Path) -> None:
    """With what is nearest to the root."""
    make(tmp_path, a__b__deep="", top="", a__middle="")
    halt = Halt()
    halt.stop()

    assert walk_files(str(tmp_path), Halt(), 2) == ["top", "a/middle"]
    assert walk_files(str(tmp_path), halt) == []


@pytest.mark.parametrize("root", ["/no/such/folder", "", "a\0b", "/dev/null"])
def test_what_is_no_folder_has_no_files(root: str) -> None:
    """And is no mistake."""
    if root:
        assert walk_files(root, Halt()) == []
