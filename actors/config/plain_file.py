"""Reading a file of which nothing is known: not for ever, and not without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

import attrs

from .looks import note_file

__all__ = ["PlainFile", "read_plain_file"]

_CHUNK_BYTES: Final = 1 << 16


@attrs.frozen
class PlainFile:
    """
    The beginning of a file.

    Attributes:
        data: As many bytes as were wanted, or all there are.
        is_whole: Whether there are no more.
    """

    data: bytes
    is_whole: bool


def read_plain_file(path: Path, limit_bytes: int) -> PlainFile:
    """
    Read the beginning of a regular file; links are followed.

    A pipe or a device, which might keep us for ever, is an error.

    Raises:
        OSError: It is missing, no regular file, or cannot be read.
    """
    note_file(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as exc:  # a null character
        raise OSError(errno.EINVAL, str(exc), str(path)) from exc
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        data = _read(fd, limit_bytes + 1)
    finally:
        os.close(fd)
    return PlainFile(data[:limit_bytes], len(data) <= limit_bytes)


def _read(fd: int, wanted: int) -> bytes:
    parts: list[bytes] = []
    while wanted and (part := os.read(fd, min(wanted, _CHUNK_BYTES))):
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)
