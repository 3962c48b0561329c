"""Putting a file in the place of another one: as a whole, and for good."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["part_path", "replace_file"]


def replace_file(
    path: Path, data: bytes, mode: int, *, still: Callable[[], bool] | None = None
) -> bool:
    """
    Put a new file in the place of what is at *path*, if anything is; for an OS thread.

    Readers see the old file or the new one, which is on the disk when this returns.  Only
    for who keeps others from doing the same at the same time.  A symbolic link stays; what
    it points to is replaced.

    Args:
        path: Its folder is made if need be.
        data: What is in the new file.
        mode: Of the new file, whatever the umask is.
        still: Asked when all is written, right before the step, whether it is to be done.

    Returns:
        Whether it was.

    Raises:
        OSError: It could not be written; the old file is as it was.
    """
    target, new = Path(os.path.realpath(path)), part_path(path)
    new.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)  # of a writer that died
    try:
        _write(new, data, mode)
        # Invariant: nothing that could wait stands between this look and the step.
        if still is not None and not still():
            return False
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return True


def part_path(path: Path) -> Path:
    """Say what the new file is called until it is in its place, and when its writer has died."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.name}.new")


def _write(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    # Until it has its rights, nobody else may read what may be a secret.
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    # Some file systems cannot; the file is in its place all the same.
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
