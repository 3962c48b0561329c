"""Answers what agents ask that a turn has started: like everybody, they get a no."""

from contextlib import suppress

import trio

from actors.runtime import Lagged, MailboxFull, Subscription
from actors.supervisor import Supervisor, ThreadCreated, ThreadNotFound
from actors.thread import Thread, ThreadClosed
from messages.events import Event

from .refusals import refusal

__all__ = ["refuse_for_agents"]


async def refuse_for_agents(supervisor: Supervisor, created: Subscription[ThreadCreated]) -> None:
    """
    Refuse what threads ask that are created from now on, until cancelled.

    Nobody reads their events here; the thread that started them tells of them.  But a
    question that nobody answers would hold them up, and with them the turn.

    Args:
        supervisor: Of the threads.
        created: Says which threads there are.
    """
    async with trio.open_nursery() as nursery:
        async for new in created:
            if isinstance(new, Lagged):
                continue  # more threads at once than any limit of agents allows
            with suppress(ThreadNotFound):
                nursery.start_soon(_refuse, supervisor.get_thread(new.thread_id))


async def _refuse(thread: Thread) -> None:
    with thread.subscribe() as events:
        async for event in events:
            refused = refusal(event.msg) if isinstance(event, Event) else None
            if refused is not None:
                with suppress(ThreadClosed, MailboxFull):
                    thread.submit_nowait(refused.answer)
