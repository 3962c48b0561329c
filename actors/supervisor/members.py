"""The threads of a registry, and what ties some of them to the thread above them."""

import logging
import math
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import attrs
import trio

from actors.config import ThreadConfig
from actors.runtime import MailboxFull
from actors.thread import Thread, ThreadClosed, ThreadPorts
from actors.tools.agents import AgentLimitReached, AgentsUnavailable
from messages.ops import Shutdown

__all__ = ["CHILD_GRACE", "Member", "Tie", "check_room", "live_tied", "tell_to_end"]

_log = logging.getLogger("actors")

CHILD_GRACE: Final = 5.0
"""Seconds that threads below one that has ended get to end by themselves."""


@attrs.define(eq=False)
class Tie:
    """
    What ties a thread to its parent: it ends with it at the latest.

    A crash that the parent comes back from does not touch it, nor does one of its own.

    Attributes:
        parent: The thread above.
        is_agent: Whether a model started it; then it takes a slot for as long as it lives.
        told: Whether it was told to end.
        sent_version:
            The version of its status when it was last sent input; None before.  A status
            of this version or an older one says nothing about that input (L17).
        ended: Set when it has left the registry.
    """

    parent: "Member"
    is_agent: bool
    told: bool = False
    sent_version: int | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)
    # When it is cancelled, in the time of trio; of this life and those after it.
    _deadline: float = math.inf
    _scope: trio.CancelScope | None = None

    def end_by(self, deadline: float) -> None:
        """Let the thread be cancelled at this moment, unless it has ended or is earlier."""
        self._deadline = min(deadline, self._deadline)
        if self._scope is not None:
            self._scope.deadline = self._deadline

    @contextmanager
    def life(self) -> Generator[None]:
        """Run one life of the thread; a life that is cancelled here ends quietly."""
        with trio.CancelScope(deadline=self._deadline) as self._scope:
            yield


@attrs.define(eq=False)
class Member:
    """
    A thread in the registry.

    Attributes:
        config: What it was started with.
        tie: To its parent; None for a root thread.
        announced: Whether its creation was told; before, it is found by nobody (P13).
        children:
            Threads tied to it, oldest first.  One that has ended stays here until those
            below it have ended too, so that they are counted to their end.
    """

    thread: Thread
    ports: ThreadPorts
    config: ThreadConfig
    tie: Tie | None = None
    announced: bool = False
    children: tuple["Member", ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended for good."""
        return self.ports.channel.closed

    @property
    def root(self) -> "Member":
        """The thread above all; itself if there is none above it."""
        return self if self.tie is None else self.tie.parent.root

    @property
    def depth(self) -> int:
        """How many agents there are from the root down to this thread, itself included."""
        return 0 if self.tie is None else self.tie.parent.depth + self.tie.is_agent

    @property
    def open_agents(self) -> int:
        """How many slots are taken: agents below this thread that have not ended."""
        below = (member.tie for member in self.below() if not member.has_ended)
        return sum(tie is not None and tie.is_agent for tie in below)

    def below(self) -> Iterator["Member"]:
        """List the threads below this one, parents before their children."""
        for child in self.children:
            yield child
            yield from child.below()

    def is_below(self, other: "Member") -> bool:
        """Whether *other* is its parent, or a parent of its parent, and so on."""
        tie = self.tie
        return tie is not None and (tie.parent is other or tie.parent.is_below(other))

    def link(self) -> None:
        """Become a child of the parent."""
        if self.tie is not None:
            self.tie.parent.children += (self,)

    def unlink(self) -> None:
        """Stop being a child, when this thread and all below it have ended."""
        tie = self.tie
        if tie is None or self.children or not self.has_ended:
            return
        tie.parent.children = tuple(c for c in tie.parent.children if c is not self)
        tie.parent.unlink()


def check_room(tie: Tie | None) -> None:
    """
    Check that a thread of this tie may be started now.

    Raises:
        AgentsUnavailable: The thread above has ended meanwhile.
        AgentLimitReached: It would be an agent, and there are too many below the root.
    """
    if tie is None:
        return
    if tie.parent.has_ended:
        raise AgentsUnavailable
    root = tie.parent.root
    limit = root.config.agent_max_threads
    if tie.is_agent and root.open_agents >= limit:
        raise AgentLimitReached(limit)


async def live_tied(
    tie: Tie, live: Callable[..., Awaitable[None]], *, task_status: trio.TaskStatus[object]
) -> None:
    """Run one life of a thread that ends with its parent; else like *live*."""
    with tie.life():
        await live(task_status=task_status)


def tell_to_end(member: Member, grace: float) -> None:
    """
    Tell a tied thread to end, unless it was told before; never waits.

    It is cancelled when its grace is over, also if it cannot be told.
    """
    tie = member.tie
    if tie is None or tie.told or member.has_ended:
        return
    tie.told = True
    tie.end_by(trio.current_time() + grace)
    try:
        with suppress(ThreadClosed):  # it is ending already
            member.thread.submit_nowait(Shutdown())
    except MailboxFull:
        _log.warning("thread %s could not be told to end", member.thread.thread_id)
