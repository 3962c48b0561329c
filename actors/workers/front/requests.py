"""A request of a client on its way: which worker it goes to, when, and what if that dies."""

import logging
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.runtime import World
from actors.server.methods.listing import loaded_page
from actors.server.rpc_connection import ClientRequest
from actors.server.rpc_errors import RpcFailure
from messages.value import Json

from ..errors import WorkerLost
from ..quarantine import Quarantine
from . import words
from .call import Call
from .carrier import Asked, Carrier
from .clients import Client, Clients
from .roster import Entry, Roster
from .roster_states import State
from .routing import Route, Target, route
from .seats import Workers
from .upstream import Upstream

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Requests"]

_log = logging.getLogger("actors")

_PATIENCE: Final = 30.0
"""Seconds that a request waits for its thread, or for a worker at all."""

_TRIES: Final = 3
"""Workers that may die of one request; more of them are not risked."""


@attrs.define(eq=False)
class Requests:
    """
    Brings requests to workers.

    A request for a thread that is on its way to another worker waits until it is there,
    in a task of its own, of which a client has `Limits.in_flight` at most.

    Attributes:
        refusal: Why nothing new is taken; None when it is.
    """

    _world: World
    _workers: Workers
    _roster: Roster
    _clients: Clients
    _quarantine: Quarantine
    refusal: str | None = attrs.field(default=None, init=False)

    def check_open(self, problem: str) -> None:
        """
        Check that something new may begin.

        Raises:
            RpcFailure: Nothing new is taken.
        """
        if self.refusal is not None:
            raise words.not_now(f"{problem}: {self.refusal}")

    async def handle(self, client: Client, request: ClientRequest, asked: Asked) -> object:
        """
        Let a request be answered.

        Raises:
            RpcFailure: It is refused by the front.
        """
        way = route(request.method, asked.typed)
        match way.rule.target:
            case Target.FRONT:
                return loaded_page(self._roster.loaded_ids(), asked.typed)
            case Target.ALL:
                return await self._ask_all(client, request, asked)
            case Target.HOME | Target.THREAD | Target.OPEN | Target.NEW:
                return await self._bring(client, request, asked, way)

    # One worker ------------------------------------------------------------------

    async def _bring(
        self, client: Client, request: ClientRequest, asked: Asked, way: Route
    ) -> object:
        if way.rule.work:
            self.check_open("no new work is taken")
        for _ in range(_TRIES):
            worker, entry = await self._find_in_time(client, way)
            carrier = Carrier(client, request, asked, way, self._roster, self._quarantine)
            try:
                return await carrier.carry(worker, entry)
            except WorkerLost:
                if request.answered:
                    return None
                if carrier.sent and not way.rule.again:
                    raise words.died(worker.number, request.method, way.rule.aftermath) from None
            with trio.move_on_after(_PATIENCE):
                await self._workers.wait_cleared(worker)
        problem = f"{_TRIES} workers died during it; it is not tried again"
        raise RpcFailure.internal(f"{request.method}: {problem}")

    async def _find_in_time(self, client: Client, way: Route) -> "tuple[Worker, Entry | None]":
        with trio.move_on_after(_PATIENCE):
            return await self._find(client, way)
        raise self._too_long(way)

    async def _find(self, client: Client, way: Route) -> "tuple[Worker, Entry | None]":
        """Find out where a request goes; wait until it can go there."""
        while True:
            entry = self._roster.find(way.thread_id)
            if entry is None:
                self._check_free(way)
                worker = self._choose(client, way)
                if worker is not None:
                    return worker, None
                await self._workers.wait_for_another()
            elif not self._is_open(entry, way):
                await entry.settled.wait()
            elif (gate := client.rejoining.get(entry.thread_id)) is not None:
                await gate.wait()
            else:
                assert entry.worker is not None  # all but homeless ones have one
                return self._placed(entry.worker, way), entry

    def _is_open(self, entry: Entry, way: Route) -> bool:
        """Say whether a request for a thread has a worker to go to now."""
        lets_go = entry.state is State.RELEASING and way.rule.lets_go
        return entry.settled.is_set() or lets_go

    def _placed(self, worker: "Worker", way: Route) -> "Worker":
        """Let a copy of a thread be made elsewhere when the thread is about to leave."""
        copies = way.rule.target is Target.OPEN and way.opens is None
        if worker.accepting or not copies:
            return worker
        return self._workers.for_thread() or worker

    def _check_free(self, way: Route) -> None:
        if way.opens is not None:
            self.check_open("no thread is loaded")
        until = None
        if way.thread_id is not None and not way.rule.harmless:
            until = self._quarantine.held_until(way.thread_id, self._world.now())
        if until is not None:
            raise RpcFailure.invalid(f"thread {way.thread_id}: {words.held(until)}")

    def _choose(self, client: Client, way: Route) -> "Worker | None":
        if way.rule.target in (Target.OPEN, Target.NEW):
            return self._workers.for_thread()
        return self._clients.home_of(client)

    async def wait_home(self, client: Client) -> "Worker":
        """
        Wait until a client has a worker of its own.

        Raises:
            RpcFailure: There is none for too long.
        """
        with trio.move_on_after(_PATIENCE):
            while (home := self._clients.home_of(client)) is None or home.died.is_set():
                await self._workers.wait_for_another()
            return home
        raise words.not_now(f"no worker came up within {_PATIENCE:g} s; try again later")

    def _too_long(self, way: Route) -> RpcFailure:
        entry = self._roster.find(way.thread_id)
        if entry is None or entry.state is None:
            return words.not_now(f"no worker came up within {_PATIENCE:g} s; try again later")
        return words.not_now(
            f"thread {entry.thread_id} is {entry.state.value} for more than {_PATIENCE:g} s: it is "
            "on its way to another worker; try again later"
        )

    # All workers --------------------------------------------------------------------

    async def _ask_all(self, client: Client, request: ClientRequest, asked: Asked) -> Json:
        """Ask all workers at once; answer with the first refusal, or nothing."""
        refusals: dict[int, RpcFailure] = {}

        async def ask(upstream: Upstream) -> None:
            try:
                await upstream.call(Call(request.method), asked.raw)
            except RpcFailure as refusal:
                refusals[upstream.worker.number] = refusal
            except WorkerLost:
                return  # the next one begins with what is said now

        async with trio.open_nursery() as nursery:
            for upstream in tuple(client.upstreams.values()):
                nursery.start_soon(ask, upstream)
        if refusals:
            raise refusals[min(refusals)]
        return {}
