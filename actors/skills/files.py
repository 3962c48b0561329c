"""Reads files of skills: never a link in place of one, never without limit; blocks."""

import os
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from .errors import BadSkillFile

__all__ = ["MAX_HEAD_BYTES", "read_head", "read_whole", "real_path"]

MAX_HEAD_BYTES: Final = 64 * 1024
"""How long front matter may be, its fences included."""

# Most front matter is far shorter, so that one read is enough.
_CHUNK_BYTES: Final = 8 * 1024

_OPENING: Final = re.compile(rb"(?:\xef\xbb\xbf)?[^\S\n]*---[^\S\n]*(?:\n|\Z)")
_CLOSING: Final = re.compile(rb"^[^\S\n]*---[^\S\n]*$", re.MULTILINE)

_NO_FRONT_MATTER: Final = (
    "missing YAML frontmatter delimited by ---; begin the file with a line ---, "
    "then name: and description:, then a line ---"
)


def read_head(path: str) -> str:
    """
    Read a file up to the end of its front matter, and return what is between the fences.

    The first line has to be ``---``; so has a later one, with something between them.

    Raises:
        BadSkillFile: There is no front matter, or it is too long or not UTF-8.
        OSError: The file cannot be read, or is a link.
    """
    data = b""
    with _opened(path, os.O_NOFOLLOW) as fd:
        while True:
            chunk = os.read(fd, _CHUNK_BYTES)
            data += chunk
            head = _between_fences(data, ended=not chunk)
            if head is not None:
                return _decoded(head)
            if len(data) > MAX_HEAD_BYTES:
                raise BadSkillFile(
                    f"frontmatter is not closed within {MAX_HEAD_BYTES} bytes; "
                    "end it by a line --- and move the rest below"
                )


def read_whole(path: str, limit_bytes: int, *, follow: bool = False) -> bytes:
    """
    Read a whole file.

    Args:
        path: The file.
        limit_bytes: How long it may be.
        follow: Whether it may be a link.

    Raises:
        BadSkillFile: It is too long.
        OSError: It cannot be read.
    """
    with _opened(path, 0 if follow else os.O_NOFOLLOW) as fd, open(fd, "rb", closefd=False) as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise BadSkillFile(f"larger than {limit_bytes} bytes; make it shorter")
    return data


def real_path(path: str) -> str:
    """Follow all links of a path; one that no file can have stays as it is."""
    try:
        return os.path.realpath(path)
    except ValueError:  # a null character
        return path


@contextmanager
def _opened(path: str, flags: int) -> Generator[int]:
    # Not blocking, or a named pipe without a writer would hold us up for ever.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadSkillFile("failed to read file: it is not a regular file")
        yield fd
    finally:
        os.close(fd)


def _between_fences(data: bytes, *, ended: bool) -> bytes | None:
    """Cut the front matter out of a file's beginning; None when that is too short to tell."""
    opening = _OPENING.match(data)
    if opening is None:
        if ended or b"\n" in data or len(data) >= _CHUNK_BYTES:
            raise BadSkillFile(_NO_FRONT_MATTER)
        return None
    closing = _CLOSING.search(data, opening.end())
    # At the very end of what was read, the line may go on.
    if closing is None or (closing.end() == len(data) and not ended):
        if ended:
            raise BadSkillFile(_NO_FRONT_MATTER)
        return None
    head = data[opening.end() : closing.start()]
    if not head.strip():
        raise BadSkillFile(_NO_FRONT_MATTER)
    return head


def _decoded(head: bytes) -> str:
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 2
        raise BadSkillFile(
            f"failed to read file: line {line} is not UTF-8; save it as UTF-8"
        ) from None
