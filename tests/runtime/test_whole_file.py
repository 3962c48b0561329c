"""Files that are replaced as a whole: real files, modes and links."""

import errno
import os
import stat
from pathlib import Path

import pytest

from actors.runtime import part_path, replace_file, whole_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_reader_of_the_old_file_reads_that_to_its_end(file: Path) -> None:
    """Whoever opens it then reads the new one, which has the mode that was asked for."""
    with file.open("rb") as old:
        mask = os.umask(0o077)
        try:
            assert replace_file(file, b"new", 0o644)
        finally:
            os.umask(mask)

        assert old.read() == b"old"
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert names(file.parent) == ["file"]


def test_missing_file_is_made_with_its_folder(tmp_path: Path) -> None:
    """Nothing is there to be replaced."""
    assert replace_file(tmp_path / "a" / "b" / "file", b"new", 0o600)

    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_file_that_is_not_to_be_replaced_any_more_stays(file: Path) -> None:
    """It is asked about last of all, when the new one is written."""
    asked: list[bytes] = []

    def still() -> bool:
        asked.append(part_path(file).read_bytes())
        return False

    assert not replace_file(file, b"new", 0o600, still=still)

    assert asked == [b"new"]
    assert file.read_bytes() == b"old"
    assert names(file.parent) == ["file"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("a bug")])
def test_failed_write_leaves_the_old_file_and_no_other(
    file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever it failed of."""

    def fail(fd: int) -> None:
        raise error

    monkeypatch.setattr(whole_file.os, "fsync", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        replace_file(file, b"new", 0o600)

    assert file.read_bytes() == b"old"
    assert names(file.parent) == ["file"]


def test_leftover_of_a_writer_that_died_is_in_nobodys_way(file: Path) -> None:
    """Not even with a mode that lets nobody write."""
    part_path(file).write_bytes(b"half")
    part_path(file).chmod(0)

    assert replace_file(file, b"new", 0o600)

    assert names(file.parent) == ["file"]


def test_link_stays_and_what_it_points_to_is_replaced(file: Path, tmp_path: Path) -> None:
    """Also one that points to nothing yet."""
    for target in (file, tmp_path / "elsewhere" / "file"):
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)

        assert replace_file(link, b"new", 0o600)

        assert link.is_symlink()
        assert target.read_bytes() == b"new"
        assert part_path(link) == target.with_name("file.new")
