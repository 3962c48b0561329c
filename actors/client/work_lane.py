"""The submissions of one thread on their way to a server, one after another."""

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

from actors.runtime import MailboxFull, Reply
from actors.thread import SUBMISSION_CAPACITY
from messages.ids import ThreadId
from messages.ops import Op
from messages.rpc.treadle import TreadleSubmitParams

from .errors import ConnectionLost
from .refusals import thread_refusals
from .rpc_client import RpcClient

__all__ = ["SUBMIT", "WorkLane"]

SUBMIT: Final = "treadle/submit"


@attrs.define(eq=False)
class _Entry:
    """One submission, and who waits for it or hears of its failure."""

    params: TreadleSubmitParams
    reply: Reply[None] | None
    refused: Callable[[Exception], None] | None = None

    def fail(self, error: Exception) -> None:
        """Tell that nothing comes of it, where that belongs."""
        if self.reply is not None:
            self.reply.fail(error)
        elif self.refused is not None:
            self.refused(error)


@attrs.define(eq=False)
class WorkLane:
    """
    Submits what a thread does one after another, in the order in which it was given.

    Servers take submissions beside each other; so the next one is sent when the one
    before it is queued there.  A task of its own runs while there is something to send.
    """

    thread_id: ThreadId
    _rpc: RpcClient
    _nursery: trio.Nursery
    # As many as a thread's own queue holds may wait without a task that waits with them.
    _entries: deque[_Entry] = attrs.field(factory=deque[_Entry], init=False)
    _running: bool = attrs.field(default=False, init=False)

    async def submit(self, submission_id: str, op: Op) -> None:
        """
        Submit an op, and wait until it is queued.

        Cancellation:
            It may be queued.
        """
        reply = Reply[None]()
        entry = _Entry(self._params(submission_id, op, nowait=False), reply)
        self._enter(entry)
        try:
            await reply.wait()
        except trio.Cancelled:
            if entry in self._entries:
                self._entries.remove(entry)
            raise

    def submit_nowait(
        self, submission_id: str, op: Op, refused: Callable[[Exception], None]
    ) -> None:
        """
        Submit an op and go on; *refused* hears if nothing comes of it.

        Raises:
            MailboxFull: 64 wait already.
        """
        if len(self._entries) >= SUBMISSION_CAPACITY:
            raise MailboxFull(f"thread/{self.thread_id}", SUBMISSION_CAPACITY)
        self._enter(_Entry(self._params(submission_id, op, nowait=True), None, refused))

    def _params(self, submission_id: str, op: Op, *, nowait: bool) -> TreadleSubmitParams:
        return TreadleSubmitParams(
            thread_id=self.thread_id, op=op, submission_id=submission_id, nowait=nowait
        )

    def _enter(self, entry: _Entry) -> None:
        self._entries.append(entry)
        if not self._running:
            self._running = True
            self._nursery.start_soon(self._run, name=f"submissions of {self.thread_id}")

    async def _run(self) -> None:
        try:
            while self._entries:
                await self._send(self._entries.popleft())
        finally:
            # No checkpoint between the last look and this, so nothing gets lost in the lane.
            self._running = False
            # There are some only when the client is closed.
            while self._entries:
                self._entries.popleft().fail(self._lost(sent=False))

    async def _send(self, entry: _Entry) -> None:
        try:
            with thread_refusals(self.thread_id):
                await self._rpc.request(SUBMIT, entry.params)
        except Exception as error:  # noqa: BLE001 -- raised or told where it belongs
            entry.fail(error)
        except trio.Cancelled:
            entry.fail(self._lost(sent=True))
            raise
        else:
            if entry.reply is not None:
                entry.reply.answer(None)

    def _lost(self, *, sent: bool) -> ConnectionLost:
        """Say that the client is closed; who waits for a submission may be outside of its block."""
        return ConnectionLost(self._rpc.server, "the client was closed").about(SUBMIT, sent=sent)
