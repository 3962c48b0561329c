"""The line file against a disk that fails in every way, by chance."""

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rollout.files import NO_FILE, Files
from actors.rollout.line_file import LineFile
from tests.effort import examples

FD = 7


class MemoryDisk(Files):
    """
    One file with a page cache, on a disk that fails as the test says.

    A failed sync drops what was not synced, as Linux may, and the next sync
    knows nothing of it.

    Attributes:
        cache: What a reader sees.
        disk: What a power cut leaves.
        faults: Drawn for each call: None, an error, or how much of a write to take.
    """

    def __init__(self, faults: list[float | None]) -> None:
        self.cache = bytearray()
        self.disk = bytearray()
        self.dirty: list[tuple[int, bytes]] = []
        self.faults = faults
        self.closed = 0

    def _fault(self) -> float | None:
        return self.faults.pop(0) if self.faults else None

    def write(self, fd: int, data: bytes | memoryview) -> int:
        assert fd == FD
        fault = self._fault()
        if fault is None:
            return self._take(bytes(data))
        taken = self._take(bytes(data[: int(len(data) * abs(fault))]))
        if fault < 0:
            raise OSError(errno.ENOSPC, "full")
        return taken

    def _take(self, data: bytes) -> int:
        self.dirty.append((len(self.cache), data))
        self.cache += data
        return len(data)

    def truncate(self, fd: int, size_bytes: int) -> None:
        assert fd == FD
        fault = self._fault()
        if fault is not None and fault < 0:
            raise OSError(errno.EIO, "broken")
        del self.cache[size_bytes:]
        del self.disk[size_bytes:]
        self.dirty = [(at, data[: max(size_bytes - at, 0)]) for at, data in self.dirty]

    def sync(self, fd: int) -> None:
        assert fd == FD
        fault = self._fault()
        dirty, self.dirty = self.dirty, []
        if fault is not None and fault < 0:
            raise OSError(errno.EIO, "broken")
        for at, data in dirty:
            self.disk.extend(b"\0" * (at + len(data) - len(self.disk)))
            self.disk[at : at + len(data)] = data

    def close(self, fd: int) -> None:
        assert fd == FD
        self.closed += 1
        raise OSError(errno.EIO, "an old error")


faults = st.lists(st.none() | st.floats(-1, 1), max_size=30)
steps = st.lists(st.sampled_from(["add", "add", "write", "sync"]), max_size=30)


@settings(max_examples=examples(100), deadline=None)
@given(faults=faults, steps=steps, durable=st.booleans())
def test_every_line_is_written_once_and_in_order_whatever_fails(
    faults: list[float | None], steps: list[str], durable: bool
) -> None:
    """The file is always whole lines and at most one ragged end; what is synced stays."""
    disk = MemoryDisk(faults)
    file = LineFile(disk, durable, FD)
    lines = b""
    for number, step in enumerate([*steps, "end"]):
        if step == "add":
            line = b"%d:%s\n" % (number, b"x" * (number % 7))
            lines += line
            file.add(line)
        elif step == "write":
            try:
                file.write()
            except OSError:
                assert file.waiting_bytes > 0 or file._ragged
            else:
                assert disk.cache == lines
                assert file.waiting_bytes == 0
        elif step == "sync":
            try_sync(file)
        else:
            disk.faults.clear()
            file.write()
            assert disk.cache == lines
            try_sync(file)
        assert lines.startswith(disk.cache[: file.end])
        assert file.end == 0 or disk.cache[file.end - 1 : file.end] == b"\n"
        assert file.end + file.waiting_bytes == len(lines)
        if durable:
            assert disk.disk[: file.synced_end] == lines[: file.synced_end]
            assert file.pending_bytes == len(lines) - file.synced_end
        else:
            assert file.pending_bytes == file.waiting_bytes
    assert file.pending_bytes == 0


def try_sync(file: LineFile) -> None:
    end = file.end
    try:
        file._files.sync(file.fd)
    except OSError:
        if file._durable:
            file.sync_failed()
    else:
        file.synced(end)


def test_half_a_line_is_cut_off_at_once_when_the_disk_lets_us() -> None:
    """A reader in the meantime sees whole lines only."""
    disk = MemoryDisk([0.75, -0.01])
    file = LineFile(disk, False, FD)
    file.add(b"first\nsecond\n")

    with pytest.raises(OSError, match="full"):
        file.write()

    assert disk.cache == b"first\n"
    assert file.end == 6
    file.write()
    assert disk.cache == b"first\nsecond\n"


def test_write_that_takes_nothing_is_an_error() -> None:
    """A system that takes no bytes and names no reason must not be asked for ever."""
    disk = MemoryDisk([0.0, 0.0])
    file = LineFile(disk, False, FD)
    file.add(b"line\n")

    with pytest.raises(OSError, match="gave no reason"):
        file.write()


def test_lines_added_first_come_before_all_others() -> None:
    """The session_meta is known last and written first."""
    disk = MemoryDisk([])
    file = LineFile(disk, False, FD)
    file.add(b"second\n")
    file.add_first(b"first\n")
    assert file.waiting_bytes == 13

    file.write()

    assert disk.cache == b"first\nsecond\n"


def test_closing_again_does_nothing_and_old_errors_do_not_count() -> None:
    """The file is closed once; what close says about earlier writes is not news."""
    disk = MemoryDisk([])
    file = LineFile(disk, False, FD)
    assert file.is_open

    file.close()
    file.close()

    assert disk.closed == 1
    assert file.fd == NO_FILE
    assert not file.is_open


def test_real_files_do_what_they_promise(tmp_path: Path) -> None:
    """The thin layer over the system: create, append, read, cut, set aside, remove."""
    files = Files()
    path = tmp_path / "a" / "b" / "c" / "d" / "file"
    files.make_folder(path.parent)
    files.make_folder(path.parent)
    fd = files.create(path)
    try:
        with pytest.raises(FileExistsError):
            files.create(path)
        assert files.write(fd, b"0123456789") == 10
        assert files.read_from(fd, 4) == b"456789"
        files.truncate(fd, 5)
        files.write(fd, memoryview(b"x"))
        assert files.size(fd) == 6
        files.sync(fd)
        files.sync_name(path)
        files.append_aside(path.with_name("aside"), b"1\n")
        files.append_aside(path.with_name("aside"), b"2\n")
    finally:
        files.close(fd)
    assert path.read_bytes() == b"01234x"
    assert path.with_name("aside").read_bytes() == b"1\n2\n"
    files.remove(path)
    files.remove(path)
    assert not path.exists()
