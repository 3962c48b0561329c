"""A disk that can be full."""

import errno
import os
from pathlib import Path

import attrs

from actors.rollout import Files

__all__ = ["FailingDisk"]


@attrs.define(eq=False)
class FailingDisk(Files):
    """
    The file system of a journal, which refuses to write as long as the test wants.

    Attributes:
        problem: What writing raises, an error number; None lets it work.
    """

    problem: int | None = None

    def fill(self) -> None:
        """Let every write fail for want of space."""
        self.problem = errno.ENOSPC

    def heal(self) -> None:
        """Let writes work again."""
        self.problem = None

    def create(self, path: Path) -> int:
        """Create a file, unless there is a problem."""
        self._check()
        return super().create(path)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write, unless there is a problem."""
        self._check()
        return super().write(fd, data)

    def _check(self) -> None:
        if self.problem is not None:
            raise OSError(self.problem, os.strerror(self.problem))
