"""Everything a run takes from outside: wall clock, ids and randomness."""

import random
import time
import uuid
from collections.abc import Callable
from typing import Self

import attrs
import trio

__all__ = ["World"]

# Layout of a version 7 UUID (RFC 9562, 5.7), most significant bits first:
# 48 bits of milliseconds since the epoch, 4 of version, 12 of "rand_a", 2 of
# variant, 62 of "rand_b".
_VERSION = 7 << 76
_VARIANT = 2 << 62


@attrs.frozen(kw_only=True)
class World:
    """
    The wall clock, the ids and the randomness of one run.

    Passed to whatever needs them, so that a test can run the whole program
    under `trio.testing.MockClock` with the same result each time.

    Attributes:
        now: Returns the wall clock time, in seconds since the Unix epoch, UTC.
        new_id:
            Returns a new id: a version 7 UUID as text, above all those it
            returned before.
        random: For jitter and choices; never for secrets.
    """

    now: Callable[[], float]
    new_id: Callable[[], str]
    random: random.Random

    @classmethod
    def system(cls) -> Self:
        """Return the real world of this process."""
        # Imported here: 2 ms that a deterministic run does not need.
        import uuid_utils  # noqa: PLC0415

        def new_id() -> str:
            return str(uuid_utils.uuid7())

        # ruff's S311 is about secrets; see the attribute.
        return cls(now=time.time, new_id=new_id, random=random.Random())  # noqa: S311

    @classmethod
    def deterministic(cls, seed: int, start: float) -> Self:
        """
        Return a world in which equal runs see equal values.

        Its clock follows `trio.current_time`, so that it only moves when a
        mock clock moves; it can be read inside `trio.run` only.

        Args:
            seed: Of the random numbers and the ids.
            start: What the clock shows when the clock of trio shows 0, in
                seconds since the Unix epoch.
        """
        source = random.Random(seed)  # noqa: S311

        def now() -> float:
            return start + trio.current_time()

        # Ids draw from their own source: another id more or less must not
        # shift every later random number.
        new_id = _Uuid7(now, random.Random(seed))  # noqa: S311
        return cls(now=now, new_id=new_id, random=source)


@attrs.define
class _Uuid7:
    """Version 7 UUIDs in strictly rising order, from a clock and a random source."""

    _now: Callable[[], float]
    _random: random.Random
    # Of the last id: its milliseconds, and how many came before it in them.
    _milliseconds: int = attrs.field(default=-1, init=False)
    _count: int = attrs.field(default=0, init=False)

    def __call__(self) -> str:
        # rand_a counts within a millisecond (RFC 9562, 6.2, method 1); when its
        # 4096 values are used up, or the clock goes back, the id runs ahead of
        # the clock by a millisecond.
        milliseconds = int(self._now() * 1000)
        if milliseconds > self._milliseconds:
            self._milliseconds, self._count = milliseconds, 0
        elif self._count < 0xFFF:  # noqa: PLR2004 -- 12 bits, as above
            self._count += 1
        else:
            self._milliseconds, self._count = self._milliseconds + 1, 0
        bits = self._milliseconds << 80 | _VERSION | self._count << 64 | _VARIANT
        return str(uuid.UUID(int=bits | self._random.getrandbits(62)))
