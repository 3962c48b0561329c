"""Taking a thread over from a process that is about to end."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.cli.handover import once_free
from actors.rollout import RolloutLocked


class Held:
    """A thread that another process has until some time."""

    def __init__(self, until: float, *, same_process: bool = False) -> None:
        self.until = trio.current_time() + until
        self.tried = 0
        self._locked = RolloutLocked(Path("/r"), 7, same_process=same_process)

    async def open(self) -> str:
        await trio.lowlevel.checkpoint()
        self.tried += 1
        if trio.current_time() < self.until:
            raise self._locked
        return "mine"


async def test_a_free_thread_is_opened_at_once(autojump_clock: MockClock) -> None:
    """Without a look at the clock."""
    held = Held(until=0)

    assert await once_free(held.open, 0) == "mine"
    assert (held.tried, trio.current_time()) == (1, 0)


@pytest.mark.parametrize("until", [0.01, 1.0, 1.99])
async def test_a_thread_is_opened_soon_after_the_other_process_has_let_go(
    autojump_clock: MockClock, until: float
) -> None:
    """If that is within the patience."""
    assert await once_free(Held(until).open, 2.0) == "mine"
    assert until <= trio.current_time() <= until + 0.1


async def test_a_thread_that_is_kept_is_refused_when_patience_runs_out(
    autojump_clock: MockClock,
) -> None:
    """And at once without any."""
    held = Held(until=10)

    with pytest.raises(RolloutLocked):
        await once_free(held.open, 0)
    assert (held.tried, trio.current_time()) == (1, 0)
    with pytest.raises(RolloutLocked):
        await once_free(held.open, 2.0)
    assert trio.current_time() == pytest.approx(2.0, abs=0.1)


async def test_nobody_waits_for_himself(autojump_clock: MockClock) -> None:
    """A thread of this process will not be let go of."""
    held = Held(until=1, same_process=True)

    with pytest.raises(RolloutLocked):
        await once_free(held.open, 2.0)
    assert trio.current_time() == 0
