"""A file system that fails at one certain operation."""

import errno
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from actors.rollout import Files

__all__ = ["Fault", "FaultyFiles", "Kind"]

T = TypeVar("T")

_WRITE: Final = "write"


class Kind(Enum):
    """What goes wrong."""

    ENOSPC = "no space left"
    EIO = "input/output error"
    SHORT = "a write takes half"
    FULL = "a write takes half, and nothing is taken from then on"


@attrs.frozen
class Fault:
    """
    What goes wrong, and when.

    Attributes:
        at: At which operation, from 0.
        lasting: Whether it goes wrong from then on until `FaultyFiles.heal`.
    """

    kind: Kind
    at: int
    lasting: bool


@attrs.define(eq=False)
class FaultyFiles(Files):
    """
    The real file system, with one fault.

    Attributes:
        fault: None for none.
        done: Every operation so far, by name.
        hits: How many of them failed or were cut short.
        healed: Whether everything works again.
    """

    fault: Fault | None = None
    done: list[str] = attrs.field(factory=list[str])
    hits: int = 0
    healed: bool = False

    def heal(self) -> None:
        """Let everything work from now on."""
        self.healed = True

    def _strikes(self, number: int, name: str) -> bool:
        fault = self.fault
        if fault is None or self.healed or number < fault.at:
            return False
        if number > fault.at and not fault.lasting:
            return False
        return name == _WRITE if fault.kind is Kind.SHORT else name != "close"

    def _do(self, name: str, operation: Callable[..., T], *args: Any) -> T:
        number = len(self.done)
        self.done.append(name)
        if not self._strikes(number, name):
            return operation(*args)
        self.hits += 1
        assert self.fault is not None
        match self.fault.kind:
            case Kind.SHORT:
                return operation(*_half(args))
            case Kind.FULL if number == self.fault.at and name == _WRITE:
                return operation(*_half(args))
            case Kind.ENOSPC | Kind.FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case Kind.EIO:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    def make_folder(self, path: Path) -> None:
        self._do("make_folder", super().make_folder, path)

    def create(self, path: Path) -> int:
        return self._do("create", super().create, path)

    def open(self, path: Path) -> int:
        return self._do("open", super().open, path)

    def read_from(self, fd: int, offset: int) -> bytes:
        return self._do("read_from", super().read_from, fd, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return self._do(_WRITE, super().write, fd, data)

    def sync(self, fd: int) -> None:
        self._do("sync", super().sync, fd)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._do("truncate", super().truncate, fd, size_bytes)

    def size(self, fd: int) -> int:
        return self._do("size", super().size, fd)

    def close(self, fd: int) -> None:
        self._do("close", super().close, fd)

    def append_aside(self, path: Path, data: bytes) -> None:
        self._do("append_aside", super().append_aside, path, data)

    def sync_name(self, path: Path) -> None:
        self._do("sync_name", super().sync_name, path)


def _half(args: tuple[Any, ...]) -> tuple[Any, ...]:
    fd, data = args
    return fd, data[: max(1, len(data) // 2)]
