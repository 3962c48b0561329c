"""The names in folders of rollouts, kept for as long as the folders stay as they are."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import attrs

from .errors import RolloutUnreadable

__all__ = ["KEPT_NAMES", "FolderNames", "sorted_names"]

KEPT_NAMES: Final = 20_000
"""Names that are kept, of all folders together: about 2 MB."""

_TICK: Final = 0.1
"""Seconds; no clock of a file system that is kept up by Linux ticks slower than 0.01."""

_NS: Final = 1_000_000_000

_Signature: TypeAlias = tuple[int, int, int, int]


class _Kept(NamedTuple):
    signature: _Signature
    names: Sequence[str]


@attrs.define(eq=False)
class FolderNames:
    """
    Lists folders, and each of them again only when something in it has come or gone.

    Whoever reads page after page of a list would sort the same thousands of names for each.
    May be used in several OS threads at once.

    Args:
        now: Wall clock, in seconds since the Unix epoch.
    """

    _now: Callable[[], float]
    # The folder used last at the end; at most `KEPT_NAMES`, however many folders.
    _kept: dict[Path, _Kept] = attrs.field(factory=dict[Path, _Kept], init=False)

    def of(self, folder: Path) -> Sequence[str]:
        """
        List a folder as `sorted_names` does; blocks.

        Raises:
            RolloutUnreadable: It cannot be read.
        """
        kept = self._kept.pop(folder, None)
        # Before it is read, so that what changes meanwhile makes it another one.
        signature = _sign(folder)
        if kept is None or kept.signature != signature:
            if signature is None or not self._settled(signature):
                return sorted_names(folder)
            kept = _Kept(signature, sorted_names(folder))
        self._keep(folder, kept)
        return kept.names

    def _settled(self, signature: _Signature) -> bool:
        """Whether one more change would be seen, and not fall into the same tick."""
        return max(signature[2:]) < (self._now() - _TICK) * _NS

    def _keep(self, folder: Path, kept: _Kept) -> None:
        self._kept[folder] = kept
        entries = list(self._kept.items())
        surplus = sum(len(entry.names) for _, entry in entries) - KEPT_NAMES
        for other, entry in entries:
            if surplus <= 0:
                return
            self._kept.pop(other, None)
            surplus -= len(entry.names)


def sorted_names(folder: Path) -> Sequence[str]:
    """
    List what is in a folder, by names in small letters; nothing when there is none.

    Raises:
        RolloutUnreadable: It cannot be read.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- names are enough, and ten times faster
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as exc:
        raise RolloutUnreadable(folder, exc.strerror or str(exc)) from exc
    names.sort(key=str.lower)
    return names


def _sign(folder: Path) -> _Signature | None:
    """Say what changes when something in a folder comes or goes; None when it cannot be seen."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
