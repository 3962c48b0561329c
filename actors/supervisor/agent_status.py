"""How an agent is doing with what it was last told (L17)."""

from contextlib import suppress
from typing import Final

import trio

from actors.runtime import ChannelClosed, MailboxFull
from actors.thread import SteerError, ThreadClosed, ThreadState
from actors.tools.agents import is_final
from messages.events import AgentStatus, Errored, StatusKind

from .members import Member

__all__ = ["current_status", "final_status", "wait_final"]

_REFUSED: Final = Errored(errored="the input was refused; nothing was done about it")

_BUSY: Final = frozenset({ThreadState.STARTING, ThreadState.RUNNING, ThreadState.CLOSING})


def final_status(member: Member) -> AgentStatus | None:
    """
    Tell how an agent ended everything that it was told; None while it has something to do.

    A status alone does not say that: the one of an earlier turn stays until the next turn
    has begun.  But what an agent is sent is in its queue until its actor takes it, and from
    that very moment until the turn's end the agent runs.  So a status counts once the queue
    is empty and no turn runs, and it must be newer than the last input: if none is, the
    thread refused that input.
    """
    watch = member.thread.watch_status()
    status = watch.value
    if member.has_ended:
        return status if is_final(status) else StatusKind.NOT_FOUND
    if member.thread.state in _BUSY or _has_mail(member):
        return None
    sent = None if member.tie is None else member.tie.sent_version
    if sent is not None and watch.version <= sent:
        return _REFUSED
    return status if is_final(status) else None


def current_status(member: Member) -> AgentStatus:
    """Tell what an agent does; one that has something to do is never told as done."""
    final = final_status(member)
    if final is not None:
        return final
    status = member.thread.agent_status()
    closing = member.thread.state is ThreadState.CLOSING
    return StatusKind.RUNNING if is_final(status) and not closing else status


async def wait_final(member: Member) -> None:
    """
    Wait until there is a `final_status`.

    Cancellation:
        Changes nothing.
    """
    # Not the watch alone: a failed turn has its last status before its end.  An event comes
    # behind everything that can make a status final.
    with member.thread.subscribe() as events, suppress(ChannelClosed):
        while final_status(member) is None:
            if member.thread.state not in _BUSY and await _was_served(member):
                continue
            await events.receive_many()
    await trio.lowlevel.checkpoint()


def _has_mail(member: Member) -> bool:
    """Whether something waits that may start a turn."""
    return member.ports.mailbox.statistics().work > 0


async def _was_served(member: Member) -> bool:
    """
    Wait until the actor of an idle agent has taken what is in its queue.

    It is on its way to it, but not everything that it takes there causes an event: so it
    is asked for something, of which it answers that it is nothing.

    Returns:
        Whether it was asked; not when there is nothing in the queue, or no room to ask.
    """
    if not _has_mail(member):
        return False
    try:
        with suppress(SteerError, ThreadClosed):
            await member.thread.steer_input(())
    except MailboxFull:
        return False
    return True
