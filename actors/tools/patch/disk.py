"""Files as a patch sees them: found without following links, changed by folder descriptor."""

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from typing import Final

import attrs

from .errors import FILE_LIMIT_BYTES

__all__ = ["MISSING", "Disk", "Entry", "EntryKind"]

_FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_PIECE_BYTES: Final = 1 << 20
_SET_ID_BITS: Final = stat.S_ISUID | stat.S_ISGID


class EntryKind(Enum):
    """What there is at a place."""

    NOTHING = "nothing"
    FILE = "regular file"
    LINK = "symbolic link"
    FOLDER = "folder"
    OTHER = "device, socket or FIFO"


@attrs.frozen(kw_only=True)
class Entry:
    """
    What there is at a place; equal when kind and content are, whatever the rights.

    Attributes:
        data: Content of a file; where a link leads to, as written.
        status: Rights and owner; None for nothing, and for a file that is yet to be.
    """

    kind: EntryKind
    data: bytes = attrs.field(default=b"", repr=False)
    status: os.stat_result | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def git_mode(self) -> str:
        """The mode that git gives it."""
        if self.kind is EntryKind.LINK:
            return "120000"
        executable = self.status is not None and self.status.st_mode & stat.S_IXUSR
        return "100755" if executable else "100644"


MISSING: Final = Entry(kind=EntryKind.NOTHING)


class Disk:
    """
    The few things a patch does with files; each may raise `OSError`.

    A folder is a descriptor, opened without following any link, so that nothing which
    happens to the path afterwards leads elsewhere.  Everything blocks: call it in an
    OS thread.  Tests replace single methods to see what a failing disk leaves behind.
    """

    def open_folder(self, path: str) -> int:
        """
        Open a folder whose path is absolute and has no links.

        Raises:
            NotADirectoryError: Some part of the path is a link, a file or the like.
        """
        folder = os.open("/", _FOLDER_FLAGS)
        for name in filter(None, path.split("/")):
            try:
                inner = self.enter_folder(folder, name)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def enter_folder(self, folder: int, name: str) -> int:
        """Open a folder inside another; the same promise as `open_folder`."""
        return os.open(name, _FOLDER_FLAGS, dir_fd=folder)

    def close(self, folder: int) -> None:
        """Close a folder; never raises."""
        with contextlib.suppress(OSError):
            os.close(folder)

    def look(self, path: str) -> Entry:
        """
        Read what there is at an absolute path without links; the last part may be one.

        Nothing, where a parent is missing or no folder.

        Raises:
            OSError: It cannot be read, or is larger than `FILE_LIMIT_BYTES` (EFBIG).
        """
        parent, name = os.path.split(path)
        if not name:
            return Entry(kind=EntryKind.FOLDER)
        try:
            folder = self.open_folder(parent)
        except (FileNotFoundError, NotADirectoryError):
            return MISSING
        try:
            return self.read(folder, name)
        finally:
            self.close(folder)

    def kind(self, path: str) -> EntryKind:
        """Tell what there is at an absolute path whose parents have no links."""
        try:
            return _kind(os.lstat(path))
        except (FileNotFoundError, NotADirectoryError):
            return EntryKind.NOTHING

    def read(self, folder: int, name: str) -> Entry:
        """Read what there is in a folder; as `look`."""
        try:
            status = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            return MISSING
        kind = _kind(status)
        if kind is EntryKind.FILE:
            return self._read_file(folder, name)
        # A device is not even opened: some of them act on that.
        link = kind is EntryKind.LINK
        target = os.readlink(os.fsencode(name), dir_fd=folder) if link else b""
        return Entry(kind=kind, data=target, status=status)

    def _read_file(self, folder: int, name: str) -> Entry:
        file = os.open(name, _READ_FLAGS, dir_fd=folder)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):  # swapped since it was looked at
                return Entry(kind=EntryKind.OTHER, status=status)
            if status.st_size > FILE_LIMIT_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
            data = bytearray()
            # Read to the end, not to the size: files below /proc have size 0.
            while piece := os.read(file, _PIECE_BYTES):
                data += piece
                if len(data) > FILE_LIMIT_BYTES:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
            return Entry(kind=EntryKind.FILE, data=bytes(data), status=status)
        finally:
            os.close(file)

    def status(self, folder: int, name: str) -> os.stat_result:
        """Look at rights, size and times, without following a link."""
        return os.lstat(name, dir_fd=folder)

    def create(self, folder: int, name: str, entry: Entry) -> None:
        """
        Write a new file, with rights and owner of `Entry.status` if it has one.

        The owner stays ours where we may not give files away; then no set-id bits
        are set.  A file that could not be written wholly is left for the caller.
        """
        with self._created(folder, name, entry.status) as file:
            rest = memoryview(entry.data)
            while rest:
                rest = rest[os.write(file, rest) :]
            if entry.status is not None:
                _dress(file, entry.status)

    @contextmanager
    def _created(self, folder: int, name: str, like: os.stat_result | None) -> Generator[int]:
        # Until it has its rights, nobody else may read what may be a secret.
        file = os.open(name, _CREATE_FLAGS, 0o666 if like is None else 0o600, dir_fd=folder)
        try:
            yield file
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(file)
            raise
        os.close(file)  # may raise: some file systems tell a full disk only here

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        """Give a file a second name, which must be free."""
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def move(self, source: int, name: str, target: int, new_name: str) -> None:
        """Rename a file; replaces what has the new name, at one stroke."""
        os.replace(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def remove(self, folder: int, name: str) -> None:
        """Remove a file or link."""
        os.unlink(name, dir_fd=folder)

    def make_folder(self, folder: int, name: str) -> None:
        """Make a folder."""
        os.mkdir(name, dir_fd=folder)

    def remove_folder(self, folder: int, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(name, dir_fd=folder)


def _kind(status: os.stat_result) -> EntryKind:
    if stat.S_ISREG(status.st_mode):
        return EntryKind.FILE
    if stat.S_ISLNK(status.st_mode):
        return EntryKind.LINK
    return EntryKind.FOLDER if stat.S_ISDIR(status.st_mode) else EntryKind.OTHER


def _dress(file: int, like: os.stat_result) -> None:
    """Give a file the owner and the rights that another has."""
    bits = stat.S_IMODE(like.st_mode)
    now = os.fstat(file)
    if (now.st_uid, now.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(file, like.st_uid, like.st_gid)
        except OSError:
            bits &= ~_SET_ID_BITS
            with contextlib.suppress(OSError):
                os.fchown(file, -1, like.st_gid)
    os.fchmod(file, bits)
