"""The watcher actor: forget first, then tell, and not too often."""

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

import attrs
import trio

from actors.runtime import Actor, ActorRef, EventChannel

from .event import FileWatcherEvent
from .source import Changes

__all__ = ["Changed", "Finish", "WatcherActor", "WatcherMessage"]

_PENDING_LIMIT: Final = 1024
"""Paths that are kept until the next event; with one more it says "everything"."""


@attrs.frozen
class Changed:
    """The source saw changes."""

    paths: Changes


@attrs.frozen
class Finish:
    """Nothing more will come: tell what is pending, and end."""


@attrs.frozen
class _IntervalOver:
    """The next event may be published."""


WatcherMessage: TypeAlias = Changed | Finish | _IntervalOver


@attrs.define(eq=False, repr=False)
class WatcherActor(Actor[WatcherMessage]):
    """
    Has caches forget what changed, at once, and publishes events, one per *interval*.

    The first change is published immediately.  What follows within *interval*
    seconds is collected, and published when they are over.  However it ends,
    what was collected is published.

    Every change goes to *on_change* before the event that tells of it is
    published, so that nobody who hears of a change can still read old values.
    """

    _on_change: Callable[[Changes], None]
    _events: EventChannel[FileWatcherEvent]
    _interval: float

    # None: everything may have changed.
    _pending: set[str] | None = attrs.field(factory=set[str], init=False)
    # Whether an event was published less than *interval* seconds ago.
    _resting: bool = attrs.field(default=False, init=False)

    async def run(
        self, *, task_status: "trio.TaskStatus[ActorRef[WatcherMessage]]" = trio.TASK_STATUS_IGNORED
    ) -> None:
        """
        Handle messages until told to finish; see `Actor.run`.

        Cancellation:
            Publishes what was collected.
        """
        try:
            await super().run(task_status=task_status)
        finally:
            self._publish()

    async def handle(self, message: WatcherMessage) -> None:
        """Act on one message."""
        match message:
            case Changed(paths=paths):
                self._on_change(paths)
                self._collect(paths)
                if not self._resting:
                    self._publish()
            case _IntervalOver():
                self._resting = False
                self._publish()
            case Finish():
                self.stop()
            case _:
                assert_never(message)

    def _collect(self, paths: Changes) -> None:
        if paths is None or self._pending is None:
            self._pending = None
            return
        self._pending.update(paths)
        if len(self._pending) > _PENDING_LIMIT:
            self._pending = None

    def _publish(self) -> None:
        pending, self._pending = self._pending, set()
        if pending is None or pending:
            self._events.publish(FileWatcherEvent(paths=tuple(sorted(pending or ()))))
            self._resting = True
            self.tell_self_later(self._interval, _IntervalOver())
