"""The few things the journal asks of the file system, as an argument."""

import errno
import os
from pathlib import Path

from .errors import RolloutLocked
from .lock import lock_file

__all__ = ["NO_FILE", "Files"]

NO_FILE = -1
"""The descriptor of a file that is not open."""


class Files:
    """
    What the journal asks of the file system; tests pass one that fails.

    Every call may raise `OSError`.  Except for `write`, a call that raises left
    nothing behind that its caller has to undo.  `write`, `truncate` and `close`
    are called on the trio thread, all others in OS threads.
    """

    def make_folder(self, path: Path) -> None:
        """Create a folder and those above it; an existing one is fine."""
        path.mkdir(parents=True, exist_ok=True)

    def create(self, path: Path) -> int:
        """
        Create, open and lock a file for appending.

        Raises:
            FileExistsError: There is one of that name.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(path, flags, 0o666)
        try:
            return lock_file(fd, path)
        except RolloutLocked as exc:  # somebody opened it in the instant before
            raise FileExistsError(errno.EEXIST, str(exc)) from exc
        except OSError:
            path.unlink()
            raise

    def open(self, path: Path) -> int:
        """
        Open and lock an existing file for appending.

        Raises:
            FileNotFoundError: There is none, or it was moved before it was locked.
            RolloutLocked: Somebody else has it.
        """
        fd = lock_file(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC), path)
        if not _is_at(fd, path):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return fd

    def read_from(self, fd: int, offset: int) -> bytes:
        """Read from *offset*, in bytes, to the end."""
        pieces: list[bytes] = []
        while piece := os.pread(fd, 1 << 20, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Append; return how many bytes were taken, perhaps fewer than given."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Return once the file's data and size are on the disk."""
        os.fdatasync(fd)

    def truncate(self, fd: int, size_bytes: int) -> None:
        """Cut the file off behind *size_bytes*."""
        os.ftruncate(fd, size_bytes)

    def size(self, fd: int) -> int:
        """Return the size in bytes."""
        return os.fstat(fd).st_size

    def close(self, fd: int) -> None:
        """Close, and unlock what was locked."""
        os.close(fd)

    def append_aside(self, path: Path, data: bytes) -> None:
        """Append to a file, created if need be, and return once it is on the disk."""
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())

    def sync_name(self, path: Path) -> None:
        """Make the name of a rollout durable, and those of its day, month and year."""
        for folder in list(path.parents)[:4]:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in its folder, in the place of whatever has that name."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """Remove a file; a missing one is fine."""
        path.unlink(missing_ok=True)


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False
