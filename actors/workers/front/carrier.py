"""One request at one worker: what is reserved for it, and what follows from its answer."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from actors.server.rpc_connection import ClientRequest
from messages.ids import ThreadId
from messages.value import Json

from ..quarantine import Quarantine
from .call import Call
from .clients import Client
from .roster import Entry, Roster
from .roster_states import State
from .routing import Effect, Route
from .text import begun_turn_of, is_active, thread_id_of
from .upstream import Upstream

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Asked", "Carrier"]


@attrs.frozen(kw_only=True)
class Asked:
    """
    What a client asks.

    Attributes:
        typed: As methods take it.
        raw: As it came, which is what a worker gets.
    """

    typed: Any = attrs.field(repr=False)
    raw: Json = attrs.field(repr=False)


@attrs.define(eq=False)
class Carrier:
    """
    One request at one worker.

    Attributes:
        sent: Whether the worker may have got it.
    """

    _client: Client
    _request: ClientRequest
    _asked: Asked
    _way: Route
    _roster: Roster
    _quarantine: Quarantine
    sent: bool = attrs.field(default=False, init=False)

    async def carry(self, worker: "Worker", entry: Entry | None) -> object:
        """
        Let a worker answer.

        Raises:
            WorkerLost: It died before.
            RpcFailure: It refused what the front has to look into.
        """
        looks = self._request.method == "thread/list"
        with ExitStack() as stack:
            # Now, not when the client is known there: others must see where the thread goes.
            self._reserve(stack, worker)
            entry = entry or self._roster.find(self._way.thread_id)
            if entry is not None:
                stack.enter_context(entry.working())
            upstream = await self._client.at(worker)
            self.sent = True
            call = Call(
                self._request.method,
                rule=self._way.rule,
                request=None if looks else self._request,
                succeeded=lambda line: self._succeeded(upstream, line),
            )
            await upstream.call(call, self._asked.raw)
        return None if call.answer is None else _with_statuses(call.answer, self._roster)

    def _reserve(self, stack: ExitStack, worker: "Worker") -> None:
        way = self._way
        if way.rule.effect is Effect.OPENS:
            stack.enter_context(self._roster.opening(worker, way.opens, self._opening()))
        elif way.rule.holds and way.thread_id is not None:
            stack.enter_context(self._roster.opening(worker, way.thread_id, None))

    def _opening(self) -> Json:
        return {"method": self._request.method, "params": self._asked.raw}

    def _succeeded(self, upstream: Upstream, line: bytes) -> None:
        """Take in what follows from an answer, before the client can act on it."""
        match self._way.rule.effect:
            case Effect.OPENS:
                self._opened(upstream, line)
            case Effect.LEAVES if self._way.thread_id is not None:
                entry = self._roster.find(self._way.thread_id)
                if entry is not None:
                    entry.followers.pop(self._client, None)
                upstream.told.forget(self._way.thread_id)
            case Effect.BEGINS if self._way.thread_id is not None:
                self._began(upstream, self._way.thread_id, line)
            case Effect.FORGETS if self._way.thread_id is not None:
                self._quarantine.absolve(self._way.thread_id)
            case Effect.OVERRIDES:
                entry = self._roster.find(self._way.thread_id)
                if entry is not None:
                    entry.override(self._asked.typed.op)
            case Effect.NOTHING | Effect.LEAVES | Effect.BEGINS | Effect.FORGETS:
                pass

    def _opened(self, upstream: Upstream, line: bytes) -> None:
        worker, thread_id = upstream.worker, thread_id_of(line)
        entry = self._roster.answered(worker, thread_id, self._opening())
        if entry is None:
            return
        entry.followers[self._client] = None
        if is_active(line):
            thread = worker.threads.get(thread_id)
            upstream.told.began(thread_id, None if thread is None else thread.turn_id)

    def _began(self, upstream: Upstream, thread_id: ThreadId, line: bytes) -> None:
        begun = begun_turn_of(line)
        if begun.thread_id is not None and begun.thread_id != thread_id:
            # A review of its own: a copy of the thread, which the client follows.
            thread_id = begun.thread_id
            entry = self._roster.answered(upstream.worker, thread_id, None)
            if entry is not None:
                entry.followers[self._client] = None
        upstream.told.began(thread_id, begun.turn_id)


# Lists of threads ----------------------------------------------------------------------


def _with_statuses(line: bytes, roster: Roster) -> Json:
    """Say in a list of threads how those are that other workers have than the one that listed."""
    result: Any = orjson.loads(line)["result"]
    for thread in result["data"]:
        entry = roster.find(ThreadId(thread["id"]))
        if entry is not None and thread["status"]["type"] == "notLoaded":
            thread["status"] = _status(entry)
    return result


def _status(entry: Entry) -> Json:
    if entry.status is not None:
        return entry.status
    loaded = None if entry.worker is None else entry.worker.threads.get(entry.thread_id)
    if loaded is not None and loaded.turn_id is not None:
        return {"type": "active", "activeFlags": []}
    return {"type": "idle"} if entry.state is not State.RESERVED else {"type": "notLoaded"}
