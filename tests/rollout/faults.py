"""A file system that fails when it is told to."""

import errno
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TypeVar

from actors.rollout import Patience
from actors.rollout.files import Files

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong."""

    NO_SPACE = errno.ENOSPC
    IO_ERROR = errno.EIO
    # A write that takes some bytes, and no error.
    SHORT = "short"
    # A write that takes some bytes and says nothing but that it failed.
    HALF_AND_ERROR = "half and error"
    # A write that takes nothing, and no error.
    NOTHING = "nothing"


FAULTS = tuple(Fault)

# Tries again at once, so that a fault that goes away costs no (mock) time.
AT_ONCE = Patience(first_delay=0.0, longest_delay=0.0, close=5.0)


def error(fault: Fault) -> OSError:
    number = fault.value if isinstance(fault.value, int) else errno.EIO
    return OSError(number, os.strerror(number))


class FaultyFiles(Files):
    """
    The real file system, except for chosen calls.

    Attributes:
        calls: Names of all calls so far.
        plan: What goes wrong, by position of the call.
        broken: What goes wrong on every call, by its name, until it is removed.
        before: Called before each call with its name.
    """

    def __init__(self, plan: dict[int, Fault] | None = None) -> None:
        self.calls: list[str] = []
        self.plan = plan or {}
        self.broken: dict[str, Fault] = {}
        self.before: Callable[[str], None] = lambda _name: None

    def _fault(self, name: str) -> Fault | None:
        self.before(name)
        self.calls.append(name)
        return self.plan.get(len(self.calls) - 1, self.broken.get(name))

    def _step(self, name: str, call: Callable[[], T]) -> T:
        fault = self._fault(name)
        if fault in (None, Fault.SHORT, Fault.NOTHING):
            return call()
        assert fault is not None
        raise error(fault)

    def make_folder(self, path: Path) -> None:
        self._step("make_folder", lambda: Files.make_folder(self, path))

    def create(self, path: Path) -> int:
        return self._step("create", lambda: Files.create(self, path))

    def open(self, path: Path) -> int:
        return self._step("open", lambda: Files.open(self, path))

    def read_from(self, fd: int, offset: int) -> bytes:
        return self._step("read_from", lambda: Files.read_from(self, fd, offset))

    def write(self, fd: int, data: bytes | memoryview) -> int:
        fault = self._fault("write")
        if fault is None:
            return super().write(fd, data)
        if fault is Fault.NOTHING:
            return 0
        if fault is Fault.SHORT:
            return super().write(fd, data[: max(len(data) // 2, 1)])
        if fault is Fault.HALF_AND_ERROR:
            super().write(fd, data[: max(len(data) // 2, 1)])
        raise error(fault)

    def sync(self, fd: int) -> None:
        self._step("sync", lambda: Files.sync(self, fd))

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._step("truncate", lambda: Files.truncate(self, fd, size_bytes))

    def size(self, fd: int) -> int:
        return self._step("size", lambda: Files.size(self, fd))

    def append_aside(self, path: Path, data: bytes) -> None:
        self._step("append_aside", lambda: Files.append_aside(self, path, data))

    def sync_name(self, path: Path) -> None:
        self._step("sync_name", lambda: Files.sync_name(self, path))

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", lambda: Files.rename(self, old, new))
