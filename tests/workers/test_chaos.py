"""A pool under load whose workers die and stand still at random: nothing is lost."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from actors.client import open_rpc_client
from actors.runtime import Intensity
from actors.workers import open_pool
from tests.interop.process_tree import marked

from .chaos import SCENARIO, Chaos, Storm

# The storm is no reason to give up a place.
_ENDLESS = Intensity(restarts=1000, period=60.0, backoff_base=0.02, backoff_cap=0.1)
_MARK = "TREADLE_CHAOS"


async def _run(
    tmp_path: Path, storm: Storm, *, workers: int, threads: int, clients: int
) -> tuple[Chaos, list[str]]:
    home, mark = tmp_path / "home", f"{_MARK}={tmp_path.name}"
    scenario = tmp_path / "chaos.toml"
    home.mkdir()
    scenario.write_text(SCENARIO)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), _MARK: tmp_path.name}
    url = f"unix://{tmp_path}/pool.sock"
    async with (
        open_pool(
            workers=workers,
            home=home,
            listen=url,
            scenario=scenario,
            environ=environ,
            intensity=_ENDLESS,
            heartbeat=0.2,
            patience=1.0,
            # Every blow hits busy threads, and none of them is to blame.
            quarantine_after=1000,
        ),
        AsyncExitStack() as stack,
    ):
        opened = [await stack.enter_async_context(open_rpc_client(url)) for _ in range(clients)]
        chaos = Chaos(tuple(opened), threads)
        with trio.fail_after(storm.seconds + 100):
            await chaos.run(storm, tmp_path)
        problems = await chaos.problems(home)
    orphans = marked(mark)
    if orphans:
        problems.append(f"{len(orphans)} processes outlive the pool")
    return chaos, problems


@pytest.mark.slow
async def test_nothing_is_lost_when_workers_die_at_random(tmp_path: Path) -> None:
    """A short storm over a few threads; the long one is below."""
    storm = Storm(seconds=4, pause=(0.4, 0.9))

    chaos, problems = await _run(tmp_path, storm, workers=2, threads=8, clients=2)

    assert problems == []
    assert chaos.blows.total() >= 3
    assert chaos.turns > 8


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_nothing_is_lost_in_a_long_storm(tmp_path: Path) -> None:
    """Sixty threads on three workers, for a minute."""
    storm = Storm(seconds=60)

    chaos, problems = await _run(tmp_path, storm, workers=3, threads=60, clients=6)

    print(f"\n{chaos.turns} turns, {dict(chaos.blows)} blows, {chaos.refused} refused")
    assert problems == []
    assert chaos.blows["SIGKILL"] >= 20
    assert chaos.blows["SIGSTOP"] >= 5
