"""The same scenario, seed and clock give the same bytes (P10)."""

from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from actors.models import ScriptedProvider, parse_scenario
from actors.runtime import World
from actors.supervisor import open_supervisor
from actors.testing import collect_until
from actors.tools import Offer, ToolCall, ToolContext, ToolOutput
from messages.codec import encode
from messages.events import TurnComplete
from messages.value import Json

from ..thread.stage import CONFIG, text_input

SCENARIO = """
name = "deterministic"
[[reply]]
when = { user = "add", last = "user" }
times = "always"
[[reply.steps]]
think = "I need to count."
[[reply.steps]]
call = "count"
[[reply]]
times = "always"
[[reply.steps]]
say = "So far {output}, and you said {user}."
"""

START = 1_767_225_600.0


class Count:
    """Counts its calls."""

    name = "count"
    parallel = True

    def __init__(self) -> None:
        self._calls = 0

    def spec(self, _offer: Offer) -> Json:
        return {"type": "function", "name": "count", "parameters": {"type": "object"}}

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        await trio.lowlevel.checkpoint()
        self._calls += 1
        return ToolOutput(output=f"{self._calls} {context.world.random.random()}")


def run(home: Path, seed: int) -> tuple[bytes, bytes]:
    """Run three turns and a fork; return the rollouts and the events."""

    async def main() -> tuple[bytes, bytes]:
        events: list[bytes] = []
        world = World.deterministic(seed=seed, start=START)
        provider = ScriptedProvider(parse_scenario(SCENARIO, syntax="toml"))
        async with open_supervisor(
            home=home, provider=provider, world=world, make_tools=lambda _: (Count(),)
        ) as supervisor:
            new = await supervisor.start_thread(CONFIG)
            for text in ("hi", "add", "add more"):
                clock.jump(1.375)
                await new.thread.submit(text_input(text))
                events += [encode(e.msg) for e in await collect_until(new.thread, TurnComplete)]
            path = new.thread.rollout_path
            assert path is not None
            fork = await supervisor.fork_thread(1, CONFIG, path)
            await fork.thread.submit(text_input("add"))
            events += [encode(e.msg) for e in await collect_until(fork.thread, TurnComplete)]
        rollouts = sorted((home / "sessions").rglob("*.jsonl"))
        assert len(rollouts) == 2
        written = b"".join(str(p.relative_to(home)).encode() + p.read_bytes() for p in rollouts)
        return written, b"\n".join(events)

    clock = MockClock()
    result: tuple[bytes, bytes] = trio.run(main, clock=clock)
    return result


def test_same_run_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Rollouts, their names, and what clients were told."""
    first, again = (run(tmp_path / name, seed=7) for name in ("a", "b"))

    assert first == again


@pytest.mark.parametrize("seed", [8])
def test_another_seed_gives_other_ids(tmp_path: Path, seed: int) -> None:
    """The ids come from the seed, not from the machine."""
    assert run(tmp_path / "a", seed=7) != run(tmp_path / "b", seed=seed)
