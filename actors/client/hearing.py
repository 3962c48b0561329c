"""What a server says of its threads, on its way to their handles."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, cast

import attrs
import trio

from actors.supervisor import ThreadNotFound, ThreadOrigin
from messages.codec import from_json
from messages.errors import DecodeError
from messages.events import EventMsg
from messages.ids import SubmissionId, ThreadId
from messages.rpc.envelope import Notification
from messages.rpc.treadle import TreadleThreadNotification

from .errors import ConnectionLost
from .mirror import Mirror
from .remote_thread import RemoteThread
from .rpc_client import RpcClient

__all__ = ["Hearing"]

_log = logging.getLogger("actors")

_EVENT: Final = "codex/event/"

_ENDS: Final = 1024
"""Ends of threads that are remembered, for those who wait for such a thread just then."""

Params = Mapping[str, Any]


@attrs.define(eq=False)
class Hearing:
    """
    Takes what a server says without being asked.

    What makes no sense is logged and left out: of an event, that it is missing is told
    to those who read the thread.

    Attributes:
        mirror: All live threads of the server.
        threads: The handles of those whose events are heard, oldest first.
        on_end: Told that a thread has ended.
        ended: How many threads have ended so far.
    """

    _new_id: Callable[[], str]
    mirror: Mirror = attrs.field(factory=Mirror, init=False)
    threads: dict[ThreadId, RemoteThread] = attrs.field(
        factory=dict[ThreadId, RemoteThread], init=False
    )
    on_end: Callable[[ThreadId], None] | None = attrs.field(default=None, init=False)
    _rpc: RpcClient | None = attrs.field(default=None, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _lost: ConnectionLost | None = attrs.field(default=None, init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    # How many threads have ended, and for the last of them which end it was.
    ended: int = attrs.field(default=0, init=False)
    _ends: OrderedDict[ThreadId, int] = attrs.field(factory=OrderedDict[ThreadId, int], init=False)

    def bind(self, rpc: RpcClient, nursery: trio.Nursery) -> None:
        """Begin: handles use this connection, and their tasks run there."""
        self._rpc, self._nursery = rpc, nursery

    async def wait_thread(self, thread_id: ThreadId, *, since: int) -> RemoteThread:
        """
        Wait for the handle of a thread that was opened or joined.

        Args:
            since: What `ended` was before the server was asked for it.

        Raises:
            ThreadNotFound: It has ended meanwhile.
            ConnectionLost: The connection has ended.
        """
        while (found := self.threads.get(thread_id)) is None:
            if self._lost is not None:
                raise self._lost.again()
            if self._ends.get(thread_id, -1) >= since:
                raise ThreadNotFound(thread_id)
            await self._changed.park()
        return found

    # What comes ----------------------------------------------------------------

    def take(self, message: Notification) -> None:
        """Take a notification."""
        params = message.params
        if not isinstance(params, Mapping):
            return
        known = cast("Params", params)
        try:
            if message.method.startswith(_EVENT):
                self._take_event(known)
            elif (handle := self._HANDLERS.get(message.method)) is not None:
                handle(self, known)
        except (DecodeError, KeyError, TypeError, ValueError) as exc:
            _log.warning("%s makes no sense: %s", message.method[:64], exc)

    def lose(self, lost: ConnectionLost) -> None:
        """Hear that nothing more will come."""
        self._lost = lost
        for thread in self.threads.values():
            thread.lose(lost)
        self.threads.clear()
        self.mirror.close()
        self._changed.unpark_all()

    def _take_event(self, params: Params) -> None:
        thread = self.threads.get(ThreadId(params["conversationId"]))
        if thread is None:
            return
        try:
            msg: EventMsg = from_json(params["msg"], EventMsg)
        except DecodeError:
            thread.lag(1)
            raise
        thread.hear(SubmissionId(params["id"]), msg)

    def _take_thread(self, params: Params) -> None:
        told = from_json(params, TreadleThreadNotification)
        thread_id = ThreadId(told.thread.thread_id)
        thread = self.threads.get(thread_id)
        if thread is not None:
            thread.stand(told.thread)
        elif told.begins and self._rpc is not None and self._nursery is not None:
            self.mirror.add(thread_id)
            self.threads[thread_id] = RemoteThread(
                told.thread, self._rpc, self._nursery, self._new_id
            )
            self._changed.unpark_all()

    def _take_lag(self, params: Params) -> None:
        thread = self.threads.get(ThreadId(params["threadId"]))
        if thread is not None:
            thread.lag(int(params["missed"]))

    def _take_created(self, params: Params) -> None:
        self.mirror.announce(ThreadId(params["threadId"]), ThreadOrigin(params["origin"]))

    def _take_closed(self, params: Params) -> None:
        thread_id = ThreadId(params["threadId"])
        self.mirror.remove(thread_id)
        thread = self.threads.pop(thread_id, None)
        if thread is not None:
            thread.end()
        self._ends[thread_id] = self.ended
        self.ended += 1
        if len(self._ends) > _ENDS:
            self._ends.popitem(last=False)
        if self.on_end is not None:
            self.on_end(thread_id)
        self._changed.unpark_all()

    def _take_status(self, params: Params) -> None:
        thread_id = ThreadId(params["threadId"])
        if thread_id in self.threads:
            return  # of which we hear more, and in order
        if params["status"]["type"] == "notLoaded":
            self.mirror.remove(thread_id)
        else:
            self.mirror.add(thread_id)

    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "treadle/thread": _take_thread,
        "treadle/lagged": _take_lag,
        "treadle/thread/created": _take_created,
        "thread/closed": _take_closed,
        "thread/status/changed": _take_status,
    }
