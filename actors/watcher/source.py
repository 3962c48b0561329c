"""Where changes come from: what a source does, and the one that never tells any."""

import enum
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import attrs
import trio

__all__ = [
    "ChangeSource",
    "Changes",
    "Report",
    "SilentSource",
    "SourceStatistics",
    "WatchMode",
]

Changes: TypeAlias = tuple[str, ...] | None
"""Paths that changed, never empty; None if everything may have changed."""

Report: TypeAlias = Callable[[Changes], Awaitable[None]]
"""Told of changes, in order; waits while the one who hears of them is busy."""


class WatchMode(enum.Enum):
    """
    How a source learns of changes.

    Attributes:
        NOTHING: Not at all: it has no roots, or is silent.
        NOTIFIED: The system tells it.
        POLLING: It looks at the files from time to time.
    """

    NOTHING = "nothing"
    NOTIFIED = "notified"
    POLLING = "polling"


@attrs.frozen(kw_only=True)
class SourceStatistics:
    """
    One look at a source.

    Attributes:
        mode: How it learns of changes.
        folders: How many folders the system watches for it.
    """

    mode: WatchMode
    folders: int


class ChangeSource(Protocol):
    """Tells what changes below a set of roots."""

    def set_roots(self, roots: frozenset[str]) -> None:
        """
        Watch these from now on, and no others; never waits.

        What changes after this call is told, however long it takes until the
        system watches the new roots.  A root need not exist.
        """

    async def run(self, report: Report) -> None:
        """
        Tell of changes until cancelled.

        May be run again after it has ended; changes between the two are told.

        Cancellation:
            Takes less than 100 ms, and leaves nothing behind.
        """

    def statistics(self) -> SourceStatistics:
        """Return how it watches."""
        ...


class SilentSource:
    """Watches nothing and tells nothing; for tests."""

    def set_roots(self, roots: frozenset[str]) -> None:
        """Do nothing."""

    async def run(self, report: Report) -> None:  # noqa: ARG002 -- of the protocol
        """Sleep until cancelled."""
        await trio.sleep_forever()

    def statistics(self) -> SourceStatistics:
        """Return that nothing is watched."""
        return SourceStatistics(mode=WatchMode.NOTHING, folders=0)
