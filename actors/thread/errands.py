"""Ops that take long and need no turn: worked on one after the other, beside everything else."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from messages.events import CodexErrorCode
from messages.ids import SubmissionId

from .jobs import Jobs
from .ports import ThreadPorts

__all__ = ["ERRANDS_CAPACITY", "Errands"]

ERRANDS_CAPACITY: Final = 64
"""Errands of one kind that wait, perhaps for another program; as many as submissions."""


@attrs.define(eq=False)
class Errands:
    """
    One kind of errands, done in the order of their submissions; each is answered.

    Attributes:
        problem: What did not happen, for the text of a refusal.
    """

    _ports: ThreadPorts
    _jobs: Jobs
    problem: str
    # None while no job works on them.
    _waiting: deque[tuple[SubmissionId, Callable[[], Awaitable[None]]]] | None = attrs.field(
        default=None, init=False
    )

    def add(self, submission_id: SubmissionId, errand: Callable[[], Awaitable[None]]) -> None:
        """Do it when its turn comes; refuse it when too many wait."""
        if self._waiting is None:
            self._waiting = deque()
            self._jobs.start("errands", self._work)
        if len(self._waiting) >= ERRANDS_CAPACITY:
            self._refuse(submission_id, f"{ERRANDS_CAPACITY} others wait before it")
        else:
            self._waiting.append((submission_id, errand))

    def close(self) -> None:
        """Answer those that a stopped thread leaves undone."""
        for submission_id, _ in self._waiting or ():
            self._refuse(submission_id, "the thread stopped before; send it again")

    async def _work(self) -> None:
        while self._waiting:
            await self._waiting[0][1]()
            self._waiting.popleft()
        self._waiting = None

    def _refuse(self, submission_id: SubmissionId, why: str) -> None:
        self._ports.refuse(submission_id, f"{self.problem}: {why}", CodexErrorCode.OTHER)
