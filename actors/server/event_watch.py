"""Waiting for one event of a thread, while somebody else reads them all."""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio

from messages.events import Event

__all__ = ["EventWatch"]

T = TypeVar("T")


@attrs.define(eq=False)
class EventWatch(Generic[T]):
    """
    Waits for the first event that says something; see `LoadedThread.watch`.

    Attributes:
        match: What an event says; None when it is not the one.
    """

    match: Callable[[Event], T | None]
    _found: T | None = attrs.field(default=None, init=False)
    _failure: Exception | None = attrs.field(default=None, init=False)
    _over: trio.Event = attrs.field(factory=trio.Event, init=False)

    def offer(self, event: Event) -> None:
        """Look at an event, unless one was found."""
        if self._over.is_set():
            return
        self._found = self.match(event)
        if self._found is not None:
            self._over.set()

    def fail(self, failure: Exception) -> None:
        """Say that no more events will come."""
        if not self._over.is_set():
            self._failure = failure
            self._over.set()

    async def wait(self) -> T:
        """
        Wait for it.

        Raises:
            ThreadClosed: The thread ended before.
        """
        await self._over.wait()
        if self._failure is not None:
            raise self._failure
        assert self._found is not None
        return self._found
