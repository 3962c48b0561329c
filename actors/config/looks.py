"""Looking at the disk, with a note of what was seen: whether it is still so can be told later."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import attrs

__all__ = [
    "Looks",
    "exists",
    "is_file_or_link",
    "is_folder",
    "is_there",
    "note_file",
    "noted",
    "real_path",
]

T = TypeVar("T")

_Signature: TypeAlias = tuple[int, int, int, int, int, int] | int | None

_NS: Final = 1_000_000_000


@attrs.define(eq=False)
class Looks:
    """
    What the disk was asked, and what it answered.

    Attributes:
        youngest_ns:
            When the file that was changed last was changed, in nanoseconds since the Unix
            epoch by the clock of its file system; 0 when none was there.
    """

    youngest_ns: int = attrs.field(default=0, init=False)
    # By question and path.
    _answers: dict[tuple[Callable[[str], object], str], object] = attrs.field(
        factory=dict[tuple[Callable[[str], object], str], object], init=False
    )
    # Whether the disk gave two answers to one question.
    _contradicted: bool = attrs.field(default=False, init=False)

    def note(self, question: Callable[[str], object], path: str, answer: object) -> None:
        """Keep an answer."""
        if self._answers.setdefault((question, path), answer) != answer:
            self._contradicted = True

    def settled(self, now: float, margin: float) -> bool:
        """
        Whether a later change of any file would be seen.

        A file that changes twice within one tick of its file system's clock may look as
        if it had changed once.

        Args:
            now: Wall clock, in seconds since the Unix epoch.
            margin: Seconds that such a tick is shorter than for certain.
        """
        return not self._contradicted and self.youngest_ns < (now - margin) * _NS

    def still_so(self) -> bool:
        """Ask everything once more: some dozens of looks at the disk, of about 1 us each."""
        return all(ask(path) == answer for (ask, path), answer in self._answers.items())


# Not handed down, as a dozen readers would have to pass on what none of them uses.
_looks: Final[ContextVar[Looks | None]] = ContextVar("looks", default=None)


@contextmanager
def noted() -> Generator[Looks]:
    """Note what is looked at inside of the block."""
    looks = Looks()
    token = _looks.set(looks)
    try:
        yield looks
    finally:
        _looks.reset(token)


def _ask(question: Callable[[str], T], path: Path | str) -> T:
    text = str(path)
    answer = question(text)
    looks = _looks.get()
    if looks is not None:
        looks.note(question, text, answer)
    return answer


def exists(path: Path | str) -> bool:
    """Whether something is there; links are followed.  Never raises, as the others here."""
    return _ask(os.path.exists, path)


def is_there(path: Path | str) -> bool:
    """Whether something is there, if only a link that leads nowhere."""
    return _ask(os.path.lexists, path)


def is_file_or_link(path: Path | str) -> bool:
    """Whether a regular file is there, or a link, which may lead nowhere."""
    return _ask(_file_or_link, path)


def is_folder(path: Path | str) -> bool:
    """Whether a folder is there; links are followed."""
    return _ask(os.path.isdir, path)


def real_path(path: Path | str) -> str:
    """Say where a path leads when all links are followed."""
    return _ask(os.path.realpath, path)


def note_file(path: Path) -> None:
    """
    Note which file is there, and in which state; call it before the file is read.

    Before, so that what changes while it is read is another state than the noted one.
    """
    looks = _looks.get()
    if looks is None:
        return
    text = str(path)
    signature = _signature(text)
    looks.note(_signature, text, signature)
    if isinstance(signature, tuple):
        looks.youngest_ns = max(looks.youngest_ns, *signature[-2:])


def _file_or_link(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _signature(path: str) -> _Signature:
    """
    Say what changes with a file: when, how long, which, and who may read it.

    Returns:
        The number of the error when it cannot be seen; None for a path that cannot be one.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 -- asked often, and half as long without Path
    except OSError as exc:
        return exc.errno
    except ValueError:  # a null character
        return None
    return (
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_size,
        found.st_mtime_ns,
        # Not only the time that programs may set as they like.
        found.st_ctime_ns,
    )
