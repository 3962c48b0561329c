"""Reading what came over a connection: as in this process, but for how it ends."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import attrs

from actors.runtime import ChannelClosed, Lagged, Subscription

from .errors import ConnectionLost

__all__ = ["RemoteReader"]

T = TypeVar("T")


@attrs.define(eq=False)
class RemoteReader(Generic[T]):
    """
    A `Subscription` that tells the end of what is read from the end of the connection.

    After the last that came before the connection was lost, it raises `ConnectionLost`
    where a subscription would end.
    """

    _source: Subscription[T] | Subscription[T | Lagged]
    _lost: Callable[[], ConnectionLost | None]

    @property
    def next_seq(self) -> int:
        """The seq of the next event to read, if it is not lost by then."""
        return self._source.next_seq

    async def receive(self) -> T | Lagged:
        """
        Return the next event, or a `Lagged` for those that are lost; see `Subscription`.

        Raises:
            ConnectionLost: Nothing more will come, and nobody knows what there was.
            ChannelClosed: The thread has ended and everything was read.
        """
        try:
            return await self._source.receive()
        except ChannelClosed:
            self._check()
            raise

    def receive_nowait(self) -> T | Lagged:
        """Return the next event, if there is one; else as `receive`."""
        try:
            return self._source.receive_nowait()
        except ChannelClosed:
            self._check()
            raise

    async def receive_many(self) -> list[T | Lagged]:
        """Return everything there is to read; wait if there is nothing; else as `receive`."""
        try:
            return [*await self._source.receive_many()]
        except ChannelClosed:
            self._check()
            raise

    def __aiter__(self) -> Self:
        """Iterate until the thread has ended and everything was read."""
        return self

    async def __anext__(self) -> T | Lagged:
        try:
            return await self._source.__anext__()
        except StopAsyncIteration:
            self._check()
            raise

    def close(self) -> None:
        """Stop reading; see `Subscription.close`."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        lost = self._lost()
        if lost is not None:
            raise lost.again() from None

    def __repr__(self) -> str:
        return repr(self._source)
