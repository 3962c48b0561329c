"""Playing the cases of a group to Codex and to ours, both at once, and keeping what came."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import trio

from tests.interop.alike.client import Client, EndLost, Played
from tests.interop.alike.comparing import Side
from tests.interop.app_server import AppServer, JsonObject, ServerRequest, open_app_server
from tests.interop.codex_home import write_config
from tests.interop.mock_responses import (
    MockResponses,
    RecordedRequest,
    Reply,
    open_mock_responses,
)

__all__ = ["Case", "CaseResults", "Group", "Script", "play_group", "read_results", "write_results"]

Script: TypeAlias = Callable[[Client], Awaitable[None] | AsyncGenerator[None]]
"""A script that yields goes on with another server, in the same home."""

_TRIES: Final = 3
_END: Final = object()


@attrs.frozen(kw_only=True)
class Case:
    """
    One script.

    Attributes:
        name: A file could be called so.
        own_server: The script runs servers itself, in a home of its own.
    """

    name: str
    script: Script
    own_server: bool = False


CaseResults: TypeAlias = dict[Side, Played]


@attrs.define
class Group:
    """
    Cases that share a server, in the order in which they are played.

    Attributes:
        name: A file could be called so.
    """

    name: str
    cases: list[Case] = attrs.field(factory=list)

    def case(self, *, own_server: bool = False) -> Callable[[Script], Script]:
        """Make a decorator that adds a script, which gives the case its name."""

        def put(script: Script) -> Script:
            self.add(script.__name__, script, own_server=own_server)
            return script

        return put

    def add(self, name: str, script: Script, *, own_server: bool = False) -> None:
        """Add a script by a name."""
        self.cases.append(Case(name=name, script=script, own_server=own_server))


@attrs.define(eq=False)
class _Table:
    """One side of a group: its shared server, its model, and the case that is played."""

    program: Path
    folder: Path
    client: Client | None = None
    # Threads of cases that are over: what is still said of them is nobody's.
    _old: set[str] = attrs.field(factory=set)

    def hear(self, direction: Any, message: JsonObject) -> None:
        if self.client is None or (direction == "came" and _thread_of(message) in self._old):
            return
        self.client.hear(direction, message)

    def end_case(self, *, goes_on: bool) -> None:
        if self.client is not None and not goes_on:
            self._old |= set(map(_thread_of, self.client.heard())) - {None}
        self.client = None

    async def decide(self, request: ServerRequest) -> JsonObject:
        assert self.client is not None, "asked only within a case"
        return await self.client.decide(request)

    def reply(self, request: RecordedRequest) -> Reply:
        assert self.client is not None, "the model is asked only within a case"
        return self.client.reply(request)


def _thread_of(message: JsonObject) -> str | None:
    params = message.get("params") or {}
    thread = params.get("thread") or {}
    return params.get("threadId") or params.get("conversationId") or thread.get("id")


def play_group(
    cases: Sequence[Case], programs: dict[Side, Path], folder: Path
) -> dict[str, CaseResults]:
    """Play all cases on both sides; what fails is part of the results."""
    results: dict[str, CaseResults] = {case.name: {} for case in cases}

    async def play() -> None:
        async with trio.open_nursery() as nursery:
            for side, program in programs.items():
                nursery.start_soon(_play_side, cases, side, _Table(program, folder / side), results)

    trio.run(play)
    return results


async def _play_side(
    cases: Sequence[Case], side: Side, table: _Table, results: dict[str, CaseResults]
) -> None:
    async with open_mock_responses(table.reply) as mock:
        home = table.folder / "home"
        write_config(home, mock.base_url)
        plays = [_Play(case, table, home, mock) for case in cases if not case.own_server]
        while plays:
            async with open_app_server(
                table.program, home=home, handler=table.decide, listener=table.hear
            ) as server:
                for play in plays:
                    await play.go_on(server)
            for play in plays:
                results[play.case.name][side] = play.client.played(play.crash)
            plays = [play for play in plays if play.goes_on]
        for case in cases:
            if case.own_server:
                play = _Play(case, table, table.folder / case.name / "home", mock)
                await play.go_on(None)
                results[case.name][side] = play.client.played(play.crash)


@attrs.define(eq=False)
class _Play:
    """
    A case that is played on one side.

    Attributes:
        goes_on: It has more to say to another server.
    """

    case: Case
    table: _Table
    home: Path
    mock: MockResponses
    client: Client = attrs.field(init=False)
    crash: str | None = attrs.field(default=None, init=False)
    goes_on: bool = attrs.field(default=False, init=False)
    _steps: AsyncGenerator[None] | None = attrs.field(default=None, init=False)

    async def go_on(self, server: AppServer | None) -> None:
        """Play to the end, or to the next change of servers; what fails is noted."""
        for number in range(_TRIES):
            if not self.goes_on:
                await self._begin(number)
            self.goes_on = False
            self.table.client = self.client
            self.client.use(server)
            try:
                await self._step()
            except EndLost:
                if self._steps is None:
                    continue
                self.crash = "the end of a turn was lost"
            except Exception as exc:  # noqa: BLE001 -- told by the test of the case
                self.crash = f"{type(exc).__name__}: {exc}"
            finally:
                self.table.end_case(goes_on=self.goes_on)
            return

    async def _begin(self, number: int) -> None:
        name = self.case.name if number == 0 else f"{self.case.name}-{number}"
        project = self.table.folder / name / "project"
        await trio.Path(project).mkdir(parents=True)
        self.client = Client(self.table.program, self.home, project, self.mock)

    async def _step(self) -> None:
        if self._steps is None:
            script = self.case.script(self.client)
            if not isinstance(script, AsyncGenerator):
                await script
            else:
                self._steps = script
        if self._steps is not None:
            self.goes_on = await anext(self._steps, _END) is not _END
        if not self.case.own_server:
            await self.client.settle()


def write_results(path: Path, results: dict[str, CaseResults]) -> None:
    """Write results for other processes of the same test run."""
    raw = {
        name: {side: attrs.asdict(played) for side, played in sides.items()}
        for name, sides in results.items()
    }
    path.write_text(json.dumps(raw), encoding="utf-8")


def read_results(path: Path) -> dict[str, CaseResults]:
    """Read what `write_results` wrote."""
    raw: dict[str, dict[Side, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: {side: Played(**played) for side, played in sides.items()}
        for name, sides in raw.items()
    }
