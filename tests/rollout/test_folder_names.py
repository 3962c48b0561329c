"""Folders of rollouts are listed again when something in them has come or gone."""

from pathlib import Path

import pytest

from actors.rollout import RolloutUnreadable
from actors.rollout.folder_names import KEPT_NAMES, FolderNames, sorted_names

LATER = 4_000_000_000.0
"""Wall clock for which no folder is young."""


def test_names_come_in_the_order_of_small_letters(tmp_path: Path) -> None:
    """And what is no folder has none."""
    for name in ("b", "C", "a"):
        (tmp_path / name).touch()

    assert sorted_names(tmp_path) == ["a", "b", "C"]
    assert sorted_names(tmp_path / "a") == ()
    assert sorted_names(tmp_path / "missing") == ()


def test_folder_that_stays_as_it_is_is_listed_once(tmp_path: Path) -> None:
    """A file that comes, goes or gets another name changes it; what is in a file does not."""
    names = FolderNames(lambda: LATER)
    (tmp_path / "a").touch()

    first = names.of(tmp_path)
    (tmp_path / "a").write_text("more")
    again = names.of(tmp_path)
    (tmp_path / "b").touch()
    more = names.of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    renamed = names.of(tmp_path)
    (tmp_path / "b").unlink()

    assert again is first
    assert (first, more, renamed, names.of(tmp_path)) == (["a"], ["a", "b"], ["b", "c"], ["c"])


def test_young_folder_is_listed_each_time(tmp_path: Path) -> None:
    """It may change once more without looking changed."""
    (tmp_path / "a").touch()
    names = FolderNames(lambda: tmp_path.stat().st_mtime + 0.05)

    first, again = names.of(tmp_path), names.of(tmp_path)

    assert first == again == ["a"]
    assert first is not again


def test_so_many_names_are_kept_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that nobody asked for lately is forgotten; one that is too large at once."""
    monkeypatch.setattr("actors.rollout.folder_names.KEPT_NAMES", 4)
    names = FolderNames(lambda: LATER)
    folders = [tmp_path / name for name in ("one", "two", "three", "large")]
    for folder, count in zip(folders, (2, 2, 2, 5), strict=True):
        folder.mkdir()
        for number in range(count):
            (folder / str(number)).touch()

    for folder in folders[:3]:
        names.of(folder)
    kept = [*names._kept]
    names.of(folders[3])

    assert KEPT_NAMES > 4
    assert kept == folders[1:3]
    assert not names._kept


def test_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """It is not taken for an empty one."""
    names = FolderNames(lambda: LATER)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    with pytest.raises(RolloutUnreadable):
        names.of(loop)
