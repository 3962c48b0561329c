"""A thread lets go of its tools between turns, unless something of them is still needed."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
from trio.testing import MockClock

from actors.testing import ManualModel, open_test_supervisor
from actors.tools.builtin import ToolParts
from actors.tools.tool import Tool
from messages.ops import Interrupt, RefreshMcpServers

from .stage import CONFIG, TURN_ENDS, Stage


@attrs.define
class Makers:
    """Makes tools, none at all, and counts how often."""

    stage: Stage
    count: Callable[[], int]
    parts: list[ToolParts]


@asynccontextmanager
async def open_makers() -> AsyncGenerator[Makers]:
    parts: list[ToolParts] = []

    def make(made: ToolParts) -> Sequence[Tool]:
        parts.append(made)
        return ()

    model = ManualModel()
    async with open_test_supervisor(provider=model, make_tools=make) as supervisor:
        new = await supervisor.start_thread(CONFIG)
        before = len(parts)
        yield Makers(Stage(supervisor, model, new), lambda: len(parts) - before, parts)


async def test_each_turn_has_its_tools_anew(mock_clock: MockClock) -> None:
    """And between turns there are none."""
    async with open_makers() as makers:
        await makers.stage.run_turn()
        await makers.stage.run_turn()

        assert makers.count() == 2


async def test_tools_with_processes_stay(mock_clock: MockClock) -> None:
    """Also if nothing is left of a process but output that the model has not read."""
    async with open_makers() as makers:
        response = await makers.stage.begin()
        left: Any = SimpleNamespace(id=7, ended=True)
        makers.parts[-1].sessions._kept[7] = left
        response.say("hello").complete()
        await makers.stage.until(*TURN_ENDS)
        await makers.stage.run_turn()
        one = makers.count()
        response = await makers.stage.begin()
        makers.parts[-1].sessions.forget(left)
        response.say("hello").complete()
        await makers.stage.until(*TURN_ENDS)
        await makers.stage.run_turn()

        assert (one, makers.count()) == (1, 2)


async def test_tools_of_a_stopped_turn_stay(mock_clock: MockClock) -> None:
    """What is left of the turn may still use them."""
    async with open_makers() as makers:
        await makers.stage.begin()
        await makers.stage.do(Interrupt())
        await makers.stage.until(*TURN_ENDS)
        await makers.stage.run_turn()
        one = makers.count()
        await makers.stage.run_turn()

        assert (one, makers.count()) == (1, 2)


async def test_tools_with_mcp_servers_stay(mock_clock: MockClock) -> None:
    """Servers that were asked for later count as well, for as long as the thread lives."""
    async with open_makers() as makers:
        await makers.stage.do(RefreshMcpServers(config={"mcp_servers": {}}))
        for _ in range(3):
            await makers.stage.run_turn()

        assert makers.count() == 1
