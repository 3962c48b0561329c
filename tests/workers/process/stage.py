"""Real worker processes over a scripted model, and clients that talk to one of them."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.server.serving import ServeRecipe
from actors.server.transports.message_stream import Farewell, MessageStream
from actors.workers.process.fork_link import ForkServer
from actors.workers.process.worker import Worker

Json = dict[str, Any]

SCENARIO = """
name = "work"
[[reply]]
times = "always"
when = { last = "output" }
[[reply.steps]]
say = "done"
[[reply]]
times = "always"
when = { user = "sleep" }
[[reply.steps]]
call = "shell"
arguments = { command = ["sleep", "1000"], timeout_ms = 1000000 }
[[reply]]
times = "always"
[[reply.steps]]
say = "I heard: {user}"
"""

OPEN = {"approvalPolicy": "never", "sandbox": "danger-full-access"}
"""So that a tool runs, whatever the machine has of sandboxes."""


def make_recipe(folder: Path, **changes: Any) -> ServeRecipe:
    home, work = folder / "home", folder / "work"
    for each in (home, work):
        each.mkdir(exist_ok=True)
    scenario = folder / "scenario.toml"
    scenario.write_text(SCENARIO)
    recipe = ServeRecipe(home=str(home), cwd=str(work), scenario=str(scenario))
    return attrs.evolve(recipe, **changes)


def environ_for(folder: Path) -> dict[str, str]:
    """
    Let processes keep what they compile, beside the folders of this run's tests.

    To compile everything again takes each fork server seconds.
    """
    cache = {"PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    return {**os.environ, **cache}


@asynccontextmanager
async def open_forks(folder: Path, **changes: Any) -> AsyncGenerator[ForkServer]:
    """Make workers; nothing here takes longer than 20 seconds."""
    forks = ForkServer(make_recipe(folder, **changes), environ=environ_for(folder))
    try:
        with trio.fail_after(20):
            yield forks
    finally:
        await forks.close()


@attrs.define(eq=False)
class Client:
    """One client of one worker; reads in the order in which things come."""

    stream: MessageStream
    told: list[Json] = attrs.field(factory=list[Json])
    _last_id: int = 0

    async def send(self, method: str, **params: Any) -> int:
        self._last_id += 1
        line = json.dumps({"id": self._last_id, "method": method, "params": params})
        await self.stream.send([line.encode()], lambda: None)
        return self._last_id

    async def hear(self) -> Json | None:
        """Wait for the next message; None at the end, however it came."""
        try:
            text = await self.stream.receive()
        except trio.BrokenResourceError:
            return None
        if text is None:
            return None
        self.told.append(json.loads(text))
        return self.told[-1]

    async def until(self, method: str) -> Json:
        while (message := await self.hear()) is not None:
            if message.get("method") == method:
                return message["params"]  # type: ignore[no-any-return]
        raise AssertionError(f"no {method}, but {self.told}")

    async def ask(self, method: str, **params: Any) -> Json:
        number = await self.send(method, **params)
        while (message := await self.hear()) is not None:
            if message.get("id") == number and "method" not in message:
                return message["result"]  # type: ignore[no-any-return]
        raise AssertionError(f"no answer to {method}, but {self.told}")

    async def rest(self) -> list[Json]:
        """Read to the end."""
        since = len(self.told)
        while await self.hear() is not None:
            pass
        return self.told[since:]

    async def start_thread(self, **params: Any) -> str:
        answer = await self.ask("thread/start", **{**OPEN, **params})
        return answer["thread"]["id"]  # type: ignore[no-any-return]

    async def start_turn(self, thread_id: str, text: str) -> str:
        words = [{"type": "text", "text": text}]
        answer = await self.ask("turn/start", threadId=thread_id, input=words)
        return answer["turn"]["id"]  # type: ignore[no-any-return]


@asynccontextmanager
async def open_client(worker: Worker, number: int = 1) -> AsyncGenerator[Client]:
    """Talk to a worker as its client; the handshake is made."""
    client = Client(await worker.connect(number))
    try:
        await client.ask("initialize", clientInfo={"name": "test", "version": "1"})
        yield client
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await client.stream.aclose(Farewell())
