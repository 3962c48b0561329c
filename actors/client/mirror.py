"""Which threads are live on a server, as far as was heard."""

import attrs

from actors.runtime import EventChannel, Subscription
from actors.supervisor import ThreadCreated, ThreadOrigin
from messages.ids import ThreadId

__all__ = ["Mirror"]

_CAPACITY = 1024
"""Announcements kept for slow readers; who falls behind lists the threads instead."""


@attrs.define(eq=False)
class Mirror:
    """
    The live threads of a server, those of other clients included, oldest first.

    Kept by what the server tells everybody.
    """

    # Bounded by the server, which has as many threads.
    _live: dict[ThreadId, None] = attrs.field(factory=dict[ThreadId, None], init=False)
    _created: EventChannel[ThreadCreated] = attrs.field(
        factory=lambda: EventChannel[ThreadCreated](capacity=_CAPACITY), init=False
    )

    def __contains__(self, thread_id: object) -> bool:
        return thread_id in self._live

    def ids(self) -> tuple[ThreadId, ...]:
        """List them."""
        return tuple(self._live)

    def add(self, thread_id: ThreadId) -> None:
        """Hear that a thread is there."""
        self._live.setdefault(thread_id)

    def announce(self, thread_id: ThreadId, origin: ThreadOrigin) -> None:
        """Hear that a thread was created, once for each; one that moved is none."""
        if thread_id in self._live:
            return
        # Nobody can follow a reviewer's thread: what it does is told with its parent's.
        if origin is not ThreadOrigin.REVIEW:
            self.add(thread_id)
        if not self._created.closed:
            self._created.publish(ThreadCreated(thread_id=thread_id, origin=origin))

    def remove(self, thread_id: ThreadId) -> None:
        """Hear that a thread has ended."""
        self._live.pop(thread_id, None)

    def subscribe(self) -> Subscription[ThreadCreated]:
        """Hear of every thread that is created from now on."""
        return self._created.subscribe()

    def close(self) -> None:
        """End the announcements."""
        self._created.close()
