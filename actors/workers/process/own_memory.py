"""How much memory a worker has for itself."""

from pathlib import Path
from typing import Final

import attrs
import trio

__all__ = ["OwnMemory"]

_ROLLUP: Final = Path("/proc/self/smaps_rollup")
_KIB: Final = 1024

_AGE: Final = 10.0
"""Seconds for which a sum is good: to add up takes the kernel some milliseconds."""


@attrs.define(eq=False)
class OwnMemory:
    """
    Adds up what no other process shares.

    What a worker only reads of what was there before the fork it shares with the others.
    """

    _size_bytes: int = attrs.field(default=0, init=False)
    _good_until: float = attrs.field(default=0.0, init=False)

    def size_bytes(self) -> int:
        """Return the sum, at most ten seconds old; 0 where the system does not tell."""
        now = trio.current_time()
        if now >= self._good_until or not self._good_until:
            self._size_bytes = _sum()
            self._good_until = now + _AGE
        return self._size_bytes


def _sum() -> int:
    try:
        lines = _ROLLUP.read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith("Private_"))
