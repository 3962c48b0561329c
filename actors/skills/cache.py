"""Keeps what was found, so that a turn need not look for skills."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from .loader import load_skills
from .outcome import SkillsOutcome
from .skill import SkillsQuery

__all__ = ["SkillsCache", "SkillsCacheStatistics"]

# A supervisor's threads mostly work in a handful of folders.
_CAPACITY: Final = 64

# Loading is mostly Python, so more OS threads would not make it faster.
_LOADS: Final = 2


@attrs.frozen(kw_only=True)
class SkillsCacheStatistics:
    """
    What a cache has done.

    Attributes:
        kept: Outcomes that are kept now.
        loading: Looks that run now, also those that nobody waits for any more.
        hits: How often a kept outcome was enough.
        loads: How often folders were looked into.
    """

    kept: int
    loading: int
    hits: int
    loads: int


@attrs.define(eq=False)
class _Flight:
    """
    One load that is under way.

    Attributes:
        ended: Set when it has ended, however it did.
        outcome: None until then, and if who ran it was cancelled.
    """

    ended: trio.Event = attrs.field(factory=trio.Event)
    outcome: SkillsOutcome | None = None


@attrs.define(eq=False, repr=False)
class SkillsCache:
    """
    Loads skills in OS threads and keeps the outcomes; one for all threads of a supervisor.

    Who asks for what is being loaded waits for that load.  A load that was under way when
    something was invalidated is given to those who wait for it, since they asked before,
    and then forgotten: whoever asks later gets a new one.

    At most two loads run at once; others wait.  Those who ask may be cancelled at any
    time; a look at a disk that does not answer goes on without them, and counts as running.

    Attributes:
        capacity: How many outcomes are kept; the one not asked for longest goes first.
        load: Looks for the skills of a query; blocks.

    Source:
        Codex, ``SkillsManager``; there the key is the working directory alone, whatever
        else decides the outcome, nothing ever goes, and a load that began before an
        invalidation may be kept after it.
    """

    capacity: int = attrs.field(default=_CAPACITY, kw_only=True, validator=attrs.validators.ge(1))
    load: Callable[[SkillsQuery], SkillsOutcome] = attrs.field(default=load_skills, kw_only=True)
    # Least recently asked for first.
    _kept: OrderedDict[SkillsQuery, SkillsOutcome] = attrs.field(
        factory=OrderedDict[SkillsQuery, SkillsOutcome], init=False
    )
    # Invariant: the outcome of a flight is kept if and only if it is still in here when
    # it ends.  As many as there are callers, at most.
    _flights: dict[SkillsQuery, _Flight] = attrs.field(
        factory=dict[SkillsQuery, _Flight], init=False
    )
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_LOADS), init=False
    )
    _hits: int = attrs.field(default=0, init=False)
    _loads: int = attrs.field(default=0, init=False)

    async def outcome(self, query: SkillsQuery, *, force: bool = False) -> SkillsOutcome:
        """
        Give the outcome of a query, kept or new.

        Args:
            query: What to look for.
            force:
                Look anew, and do not even wait for a load that began before this call: the
                file that it is about may already have been passed by.

        Cancellation:
            The load is left to itself; if others wait for it, one of them begins another.
        """
        await trio.lowlevel.checkpoint()
        if force:
            return await self._fly(query)
        while True:
            kept = self._kept.get(query)
            if kept is not None:
                self._kept.move_to_end(query)
                self._hits += 1
                return kept
            flight = self._flights.get(query)
            if flight is None:
                return await self._fly(query)
            await flight.ended.wait()
            if flight.outcome is not None:
                return flight.outcome

    def peek(self, query: SkillsQuery) -> SkillsOutcome | None:
        """Give the outcome of a query if it is kept; looks nowhere and counts as no use."""
        return self._kept.get(query)

    def invalidate(self, paths: Iterable[str] | None) -> None:
        """
        Forget what may be different now.

        Args:
            paths:
                What changed.  An outcome is forgotten when one of its folders is at, below
                or above one of them; those are its roots, as configured and as they are
                without links, and where links in them lead.  None or nothing: everything.
        """
        # It is not known yet what a load under way will have looked into.
        self._flights.clear()
        changed = tuple(paths or ())
        if not changed:
            self._kept.clear()
        for query, outcome in tuple(self._kept.items()):
            if _concerns(changed, query, outcome):
                del self._kept[query]

    def statistics(self) -> SkillsCacheStatistics:
        """Tell what it holds and did."""
        return SkillsCacheStatistics(
            kept=len(self._kept),
            loading=self._limiter.borrowed_tokens,
            hits=self._hits,
            loads=self._loads,
        )

    def __repr__(self) -> str:
        return (
            f"<SkillsCache of {len(self._kept)}/{self.capacity} outcomes, "
            f"{self._limiter.borrowed_tokens} loading>"
        )

    async def _fly(self, query: SkillsQuery) -> SkillsOutcome:
        flight = self._flights[query] = _Flight()
        self._loads += 1
        try:
            # The OS thread changes nothing of ours, so that it may be left behind.
            outcome = flight.outcome = await trio.to_thread.run_sync(
                self.load, query, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            current = self._flights.get(query) is flight
            if current:
                del self._flights[query]
            flight.ended.set()
        if current and outcome.lasting:
            self._keep(query, outcome)
        return outcome

    def _keep(self, query: SkillsQuery, outcome: SkillsOutcome) -> None:
        self._kept[query] = outcome
        self._kept.move_to_end(query)
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)


def _concerns(changed: Iterable[str], query: SkillsQuery, outcome: SkillsOutcome) -> bool:
    folders = {*(root.path for root in query.roots), *outcome.folders}
    return any(_related(path, folder) for path in changed for folder in folders)


def _related(one: str, other: str) -> bool:
    """Tell whether one path is the other, or above or below it."""
    one, other = one.rstrip(os.sep) + os.sep, other.rstrip(os.sep) + os.sep
    return one.startswith(other) or other.startswith(one)
