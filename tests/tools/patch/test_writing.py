"""All files of a patch are written, or none, whatever fails."""

import errno
import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.tools.patch.disk import Disk
from actors.tools.patch.errors import PatchNotWritten
from actors.tools.patch.writing import write_steps

from .trees import apply, contents, patch, plan, tree, update, write

EVERYTHING = patch(
    "*** Update File: a", "-1", "+one",
    "*** Update File: run.sh", "*** Move to: bin/deep/run.sh", "-x", "+y",
    "*** Delete File: gone",
    "*** Add File: new/n", "+n",
    "*** Add File: new/m", "+m",
    "*** Delete File: file",
    "*** Add File: file/inside", "+i",
    "*** Delete File: link",
    "*** Add File: b", "+overwritten",
)  # fmt: skip

AFTER = {
    "a": b"one\n",
    "b": b"overwritten\n",
    "bin/deep/run.sh": b"y\n",
    "file/inside": b"i\n",
    "new/m": b"m\n",
    "new/n": b"n\n",
}

METHODS = [
    "open_folder", "enter_folder", "read", "status", "create", "link", "move", "remove",
    "make_folder", "remove_folder",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    write(root, {"a": "1\n", "b": "b\n", "run.sh": "x\n", "gone": "g\n", "file": "f\n"})
    (root / "run.sh").chmod(0o755)
    (root / "a").chmod(0o600)
    (root / "link").symlink_to("a")
    return root


class FaultyDisk(Disk):
    """Fails at one operation, counted from 0, before or after it did its work."""

    def __init__(self, at: int, code: int = errno.EIO) -> None:
        self.at = at
        self.code = code
        self.count = 0
        self.failed = ""


def _faulty(name: str) -> Any:
    work = getattr(Disk, name)

    def method(self: FaultyDisk, *args: Any) -> Any:
        self.count += 1
        if self.count - 1 == self.at:
            self.failed = name
            raise OSError(self.code, os.strerror(self.code))
        return work(self, *args)

    return method


for _name in METHODS:
    setattr(FaultyDisk, _name, _faulty(_name))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_everything_is_written_at_once(root: Path) -> None:
    """Content, rights, folders; nothing is left beside."""
    apply(root, EVERYTHING)

    assert contents(root) == AFTER
    assert (root / "bin/deep/run.sh").stat().st_mode & 0o777 == 0o755
    assert (root / "a").stat().st_mode & 0o777 == 0o600
    assert tree(root).keys() == AFTER.keys() | {"bin", "bin/deep", "new", "file"}


def test_new_file_has_the_rights_of_any_new_file(root: Path) -> None:
    before = os.umask(0o027)
    try:
        apply(root, patch("*** Add File: n", "+x"))
    finally:
        os.umask(before)

    assert (root / "n").stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.EPERM, errno.ENOSPC])
def test_whatever_fails_all_files_are_as_before(root: Path, code: int) -> None:
    """Each operation fails once, in turn; a file of before may be gone at no time."""
    planned = plan(root, EVERYTHING)
    before = tree(root)
    open_before = descriptors()
    survived: set[str] = set()

    for at in range(1000):
        disk = FaultyDisk(at, code)
        try:
            notes = write_steps(planned.steps, disk, "token")
        except PatchNotWritten as error:
            assert str(error).endswith("no file was changed"), (at, disk.failed)
            assert tree(root) == before, (at, disk.failed)
        else:
            survived.add(disk.failed)
            assert contents(root).items() >= AFTER.items()
            left = [name for name in tree(root) if ".treadle-patch-" in name]
            assert len(left) == len(notes)
            if not disk.failed:
                break
            _restore(root, before)
            planned = plan(root, EVERYTHING)
        assert descriptors() == open_before
    else:
        pytest.fail("never got through")

    # A link that is refused is done without; what lies beside may stay there.
    assert survived <= {"", "remove", "link"}


def _restore(root: Path, before: dict[str, tuple[int, Any]]) -> None:
    import shutil

    shutil.rmtree(root)
    root.mkdir()
    for name, (mode, content) in before.items():
        if isinstance(content, bytes):
            (root / name).write_bytes(content)
            (root / name).chmod(mode & 0o7777)
        elif isinstance(content, str):
            (root / name).symlink_to(content)


class NoLinks(Disk):
    """A file system without hard links."""

    def link(self, *args: Any) -> None:
        raise OSError(errno.EPERM, "")


class NoLinksFaulty(FaultyDisk):
    pass


NoLinksFaulty.link = NoLinks.link  # type: ignore[assignment, method-assign]


def test_file_system_without_hard_links_will_do(root: Path) -> None:
    """Files are renamed out of the way, and back when something fails."""
    planned = plan(root, EVERYTHING)
    before = tree(root)

    for at in range(1000):
        disk = NoLinksFaulty(at)
        try:
            write_steps(planned.steps, disk, "token")
        except PatchNotWritten:
            assert tree(root) == before, (at, disk.failed)
        else:
            break

    assert contents(root).items() >= AFTER.items()


def test_undoing_that_fails_is_told_with_where_the_file_is(root: Path) -> None:
    """The worst case: nothing is thrown away, and the text says what to do by hand."""

    class Dying(Disk):
        moves = 0

        def move(self, *args: Any) -> None:
            self.moves += 1
            if self.moves > 1:
                raise OSError(errno.EIO, "")
            super().move(*args)

    planned = plan(root, patch("*** Delete File: gone", "*** Delete File: a"))

    with pytest.raises(PatchNotWritten) as caught:
        write_steps(planned.steps, Dying(), "token")

    text = str(caught.value)
    assert text == (
        f"Failed to delete file {root}/a: Input/output error (os error 5); undoing failed, too:\n"
        f"Failed to restore {root}/gone, which is kept as {root}/.treadle-patch-token-0: "
        "Input/output error (os error 5)"
    )
    assert (root / ".treadle-patch-token-0").read_text() == "g\n"
    assert (root / "a").exists()


@pytest.mark.parametrize(
    ("text", "meddle"),
    [
        (update("a", "-1", "+2"), lambda root: (root / "a").write_text("1\n\n")),
        (update("a", "-1", "+2"), lambda root: (root / "a").unlink()),
        (patch("*** Delete File: a"), lambda root: (root / "a").write_text("2\n")),
        (patch("*** Add File: n", "+1"), lambda root: (root / "n").write_text("")),
        (patch("*** Add File: n/m", "+1"), lambda root: write(root, {"n/m": "x"})),
        (patch("*** Add File: n/m", "+1"), lambda root: write(root, {"n": "x"})),
    ],
)
def test_file_that_changed_since_verification_stops_the_patch(
    root: Path, text: str, meddle: Any
) -> None:
    """A person may take minutes to allow it; what happened meanwhile is not overwritten."""
    planned = plan(root, text)
    meddle(root)
    before = tree(root)

    with pytest.raises(PatchNotWritten, match="it changed since the patch was verified; no file"):
        write_steps(planned.steps, Disk(), "token")

    assert tree(root) == before


def test_folder_that_came_meanwhile_is_used(root: Path) -> None:
    planned = plan(root, patch("*** Add File: n/m", "+1"))
    write(root, {"n/other": "x"})

    write_steps(planned.steps, Disk(), "token")

    assert contents(root)["n/m"] == b"1\n"


def test_rights_changed_meanwhile_are_kept(root: Path) -> None:
    """They are no content: the file gets those it has when it is written."""
    planned = plan(root, update("a", "-1", "+2"))
    (root / "a").chmod(0o640)

    write_steps(planned.steps, Disk(), "token")

    assert (root / "a").stat().st_mode & 0o777 == 0o640


def test_owner_and_set_id_bits_are_kept_where_that_is_allowed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files cannot be given away, no bit makes a program of ours run as we do."""
    given: list[tuple[int, int]] = []
    refusing: list[bool] = []

    def fchown(file: int, user: int, group: int) -> None:
        given.append((user, group))
        if refusing[-1]:
            raise PermissionError(errno.EPERM, "")

    monkeypatch.setattr("os.fchown", fchown)
    (root / "a").chmod(0o4755)

    class Foreign(Disk):
        def read(self, folder: int, name: str) -> Any:
            entry = super().read(folder, name)
            owned = list(entry.status)
            owned[4:6] = [12345, 54321]
            return attrs.evolve(
                entry, status=os.stat_result(owned, {"st_mtime_ns": entry.status.st_mtime_ns})
            )

        def status(self, folder: int, name: str) -> os.stat_result:
            owned = super().status(folder, name)
            return os.stat_result([*owned], {"st_mtime_ns": owned.st_mtime_ns})

    for refused, text, mode in [
        (False, update("a", "-1", "+2"), 0o4755),
        (True, update("a", "-2", "+3"), 0o755),
    ]:
        refusing.append(refused)
        write_steps(plan(root, text, Foreign()).steps, Foreign(), "token")

        assert (root / "a").stat().st_mode & 0o7777 == mode
    assert given == [(12345, 54321), (12345, 54321), (-1, 54321)]


def test_disk_that_fills_up_within_a_file_leaves_no_piece(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(root, EVERYTHING)
    before = tree(root)
    write_some = os.write
    pieces: list[int] = []

    def full(file: int, data: bytes) -> int:
        pieces.append(len(data))
        if len(pieces) > 2:
            raise OSError(errno.ENOSPC, "")
        return write_some(file, data[:1])

    monkeypatch.setattr("os.write", full)

    with pytest.raises(PatchNotWritten, match="No space left"):
        write_steps(planned.steps, Disk(), "token")

    monkeypatch.undo()
    assert tree(root) == before
    assert pieces == [4, 3, 2]


def test_crash_of_our_own_undoes_as_well(root: Path) -> None:
    """Not only what the disk says."""

    class Crashing(Disk):
        def make_folder(self, *args: Any) -> None:
            raise MemoryError  # removals were done by then

    planned = plan(root, EVERYTHING)
    before = tree(root)

    with pytest.raises(MemoryError):
        write_steps(planned.steps, Crashing(), "token")

    assert tree(root) == before


def test_change_between_last_look_and_renaming_is_noticed(root: Path) -> None:
    """The file that was set aside is looked at once more, before anything takes its place."""

    class Racing(Disk):
        def create(self, folder: int, name: str, entry: Any) -> None:
            super().create(folder, name, entry)
            (root / "a").write_text("theirs\n")

    planned = plan(root, update("a", "-1", "+2"))

    with pytest.raises(PatchNotWritten, match="it changed since"):
        write_steps(planned.steps, Racing(), "token")

    assert (root / "a").read_text() == "theirs\n"


def test_file_that_appears_at_the_last_moment_is_not_overwritten(root: Path) -> None:
    class Racing(Disk):
        def create(self, folder: int, name: str, entry: Any) -> None:
            super().create(folder, name, entry)
            (root / "n").write_text("theirs\n")

    for disk in (Racing(), type("Both", (NoLinks, Racing), {})()):
        (root / "n").unlink(missing_ok=True)
        planned = plan(root, patch("*** Add File: n", "+1"))

        with pytest.raises(PatchNotWritten):
            write_steps(planned.steps, disk, "token")

        assert (root / "n").read_text() == "theirs\n"


def test_write_failure_is_told_with_path_and_reason(root: Path) -> None:
    planned = plan(root, EVERYTHING)

    class Full(Disk):
        def create(self, folder: int, name: str, entry: Any) -> None:
            raise OSError(errno.ENOSPC, "")

    with pytest.raises(PatchNotWritten) as caught:
        write_steps(planned.steps, Full(), "token")

    assert str(caught.value) == (
        f"Failed to write file {root}/a: No space left on device (os error 28); no file was changed"
    )
