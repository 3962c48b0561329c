"""What one client is told when one of the workers dies, in order."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from actors.server.rpc_calls import refuse
from actors.server.rpc_connections import Connections
from actors.server.rpc_errors import ConnectionGone
from messages.ids import ThreadId
from messages.rpc.turn import TurnStatus

from . import words
from .clients import Client
from .recorded_end import RecordedEnd
from .seats import Fate, Loss, Seat
from .upstream import Upstream
from .words import Message

__all__ = ["HeldUntil", "Teller", "ends_of", "find_ends"]

_log = logging.getLogger("actors")

HeldUntil: TypeAlias = Callable[[ThreadId], float | None]
"""See `Quarantine.held_until`."""


class Teller:
    """Tells clients of the front what workers cannot tell them any more."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def tell(self, client: Client, messages: Iterable[Message]) -> None:
        """Tell a client some notifications, but those that it does not want."""
        try:
            for method, params in messages:
                written = self._connections.notification(method, params)
                await client.connection.send_notification(written)
        except ConnectionGone:
            _log.debug("%s has left", client.connection.name)

    async def refuse(self, upstream: Upstream) -> None:
        """Answer what a dead worker was asked, but for what is asked again elsewhere."""
        try:
            for call in upstream.unanswered():
                if call.request is not None and call.rule is not None and not call.rule.again:
                    number, aftermath = upstream.worker.number, call.rule.aftermath
                    await refuse(call.request, words.died(number, call.method, aftermath))
        except ConnectionGone:
            _log.debug("%s has left", upstream.connection.name)


async def find_ends(seat: Seat, upstream: Upstream) -> dict[ThreadId, RecordedEnd | None]:
    """
    Look up how the turns ended of which a client does not know it, by thread.

    Called when the worker is gone, so that it records nothing more.
    """
    ends: dict[ThreadId, RecordedEnd | None] = {}
    for thread_id in tuple(upstream.told.turns):
        thread = seat.worker.threads.get(thread_id)
        turn_id = _turn_of(upstream, thread_id, (seat.losses or {}).get(thread_id))
        if thread is not None and turn_id is not None:
            ends[thread_id] = await seat.end_of(thread.path, turn_id)
    return ends


def ends_of(
    client: Client,
    seat: Seat,
    upstream: Upstream,
    ends: Mapping[ThreadId, RecordedEnd | None],
    held_until: HeldUntil,
) -> Iterator[Message]:
    """
    Say what a client must hear after the last word of a dead worker.

    First what is over of what it was told: questions, turns, work; then what becomes of
    the threads.

    Args:
        ends: See `find_ends`.
        held_until: Says until when a thread is left alone, None for not.
    """
    losses, told = seat.losses or {}, upstream.told
    questions: dict[ThreadId, list[int]] = {}
    for thread_id, question_id in upstream.relay.take_open():
        if thread_id is not None:
            questions.setdefault(thread_id, []).append(question_id)
    followed = [loss.thread_id for loss in losses.values() if client.connection in loss.followers]
    concerned = dict.fromkeys([*questions, *told.turns, *told.active, *followed, *losses])
    for thread_id in concerned:
        for question_id in questions.get(thread_id, ()):
            yield words.resolved(thread_id, question_id)
        loss = losses.get(thread_id)
        turn_id = _turn_of(upstream, thread_id, loss)
        turn: TurnStatus | None = None
        if turn_id is not None:
            end = ends.get(thread_id)
            turn = TurnStatus.INTERRUPTED if end is None else end.turn.status
            yield words.turn_ended(thread_id, turn_id, end, core=client.core)
        if thread_id in told.active:
            yield words.idle(thread_id)
        if loss is not None:
            yield from _fate(client, seat, loss, turn=turn, held_until=held_until)


def _turn_of(upstream: Upstream, thread_id: ThreadId, loss: Loss | None) -> str | None:
    turns = upstream.told.turns
    if thread_id not in turns:
        return None
    # None: the client joined a turn without being told which.
    return turns[thread_id] or (None if loss is None else loss.turn_id)


def _fate(
    client: Client, seat: Seat, loss: Loss, *, turn: TurnStatus | None, held_until: HeldUntil
) -> Iterator[Message]:
    follows = client.connection in loss.followers
    if loss.fate is not Fate.GOES_ON:
        yield from words.closed(loss.thread_id, followed=follows)
    if follows:
        until = held_until(loss.thread_id)
        text = words.lost_thread(seat.worker, loss.fate, turn=turn, until=until)
        yield words.warning(loss.thread_id, text, core=client.core)
