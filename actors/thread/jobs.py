"""The child tasks of a thread's actor, and the queue loop that lives beside them."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs
import trio

from actors.runtime import MailboxFull

from .ports import JobEnded, ThreadPorts

__all__ = ["Jobs"]


@attrs.define(eq=False)
class Jobs:
    """
    Runs child tasks while there are any, in a nursery that ends with the last.

    An idle thread has no nursery: it would cost more memory than all the rest
    of it.  The number of jobs is bounded by what starts them: one turn and, once it
    was told to stop, whoever sees to that; `user_commands.COMMANDS_CAPACITY` commands of
    the user's; the sessions of the tools, which have a capacity of their own; one for
    renames, and one for lists that are asked for.  A turn that was given up because it did
    not stop comes on top until it does.
    """

    _ports: ThreadPorts
    _waiting: deque[tuple[str, Callable[[], Awaitable[object]]]] = attrs.field(
        factory=deque[tuple[str, Callable[[], Awaitable[object]]]], init=False
    )
    _running: int = attrs.field(default=0, init=False)
    # While there is one.
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)

    def start(self, name: str, job: Callable[[], Awaitable[object]]) -> None:
        """Let *job* run: at once, or when the actor is done with the present message."""
        if self._nursery is None:
            self._waiting.append((name, job))
        else:
            self._start(self._nursery, name, job)

    @property
    def any(self) -> bool:
        """Whether a job runs or is about to."""
        return bool(self._waiting) or self._running > 0

    async def serve(self, handle_next: Callable[[], Awaitable[None]]) -> None:
        """
        Run the jobs, and handle messages meanwhile, until no job is left.

        A job that raises stops the others and the actor: it is a crash.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                while self._waiting:
                    self._start(nursery, *self._waiting.popleft())
                while self._running:
                    await handle_next()
        finally:
            self._nursery = None

    def _start(
        self, nursery: trio.Nursery, name: str, job: Callable[[], Awaitable[object]]
    ) -> None:
        self._running += 1
        nursery.start_soon(self._run, job, name=name)

    async def _run(self, job: Callable[[], Awaitable[object]]) -> None:
        try:
            await job()
        finally:
            self._running -= 1
            # Full means that the loop is about to wake up anyway.
            with suppress(MailboxFull):
                self._ports.mailbox.send_control_nowait(JobEnded())
