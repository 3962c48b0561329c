"""A value that can be watched."""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from trio.lowlevel import ParkingLot, checkpoint_if_cancelled, enable_ki_protection

from .errors import AlreadyClosed, ChannelClosed

__all__ = ["Watch"]

T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class Watch(Generic[T]):
    """
    The latest value of something, and a way to wait until it changes.

    Watchers see the latest value, not every value: when it is set several
    times before a watcher runs, the watcher sees the last one only.  Setting
    never waits, and keeps nothing but the value.

    Source:
        tokio, ``sync::watch``.  There the version is inside each receiver;
        here the watcher holds it.
    """

    _value: T
    _version: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    # Made by the first task that has to wait; most values are only read.
    _lot: ParkingLot | None = attrs.field(default=None, init=False)

    @property
    def value(self) -> T:
        """The latest value; also after `close`."""
        return self._value

    @property
    def version(self) -> int:
        """How often the value was set, 0 for the initial value."""
        return self._version

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @enable_ki_protection
    def set(self, value: T) -> None:
        """
        Replace the value and wake every watcher, also if it is equal to the old one.

        Raises:
            AlreadyClosed: The watch is closed; the value was not replaced.
        """
        if self._closed:
            raise AlreadyClosed("watch")
        self._value = value
        self._version += 1
        self._wake_all()

    @enable_ki_protection
    def close(self) -> None:
        """
        Declare the value final.

        Watchers that wait for something else end with `ChannelClosed`.
        Closing again does nothing.
        """
        self._closed = True
        self._wake_all()

    async def wait_changed(self, after_version: int) -> int:
        """
        Wait until `version` is beyond *after_version*; return the version.

        Raises:
            ChannelClosed: The value is final and *after_version* is not before it.

        Cancellation:
            Changes nothing.
        """
        await checkpoint_if_cancelled()
        while self._version <= after_version:
            await self._sleep()
        return self._version

    async def wait_for(self, predicate: Callable[[T], bool]) -> T:
        """
        Wait until the latest value satisfies *predicate*; return that value.

        *predicate* sees the present value first, and then the latest value
        each time this task runs after a change.

        Raises:
            ChannelClosed: The value is final and does not satisfy *predicate*.

        Cancellation:
            Changes nothing.
        """
        await checkpoint_if_cancelled()
        while not predicate(value := self._value):
            await self._sleep()
        return value

    async def _sleep(self) -> None:
        if self._closed:
            raise ChannelClosed("watch")
        if self._lot is None:
            self._lot = ParkingLot()
        await self._lot.park()

    def _wake_all(self) -> None:
        if self._lot is not None:
            self._lot.unpark_all()

    def __repr__(self) -> str:
        waiting = len(self._lot or ())
        state = "closed" if self._closed else "open"
        return f"<Watch: {self._value!r}, set {self._version} times, {waiting} waiting, {state}>"
