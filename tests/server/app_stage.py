"""An app-server over a test's own model, and clients in memory."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.config import ConfigLayer
from actors.models import ModelProvider
from actors.server.app import AppServer, open_app_server
from actors.server.ground import ServerSetup
from actors.supervisor import Supervisor
from actors.testing import ManualModel, open_test_supervisor
from messages.settings import SourceKind
from tests.waiting import PATIENCE

from .rpc_stage import StageStream

Json = dict[str, Any]


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@attrs.define(eq=False)
class Client:
    """One client; what it is told stays in ``stream.told``."""

    stream: StageStream = attrs.field(factory=StageStream)
    _last_id: int = 0

    def send(self, method: str, **params: Any) -> int:
        self._last_id += 1
        self.stream.say({"method": method, "id": self._last_id, "params": params})
        return self._last_id

    async def answer_to(self, number: int) -> Json:
        """Wait for the answer to a request of ours."""
        told = await self.until(lambda m: m.get("id") == number and "method" not in m)
        if "error" in told:
            raise RefusedError(told["error"]["code"], told["error"]["message"])
        result: Json = told["result"]
        return result

    async def ask(self, method: str, **params: Any) -> Json:
        return await self.answer_to(self.send(method, **params))

    async def refused(self, method: str, **params: Any) -> tuple[int, str]:
        try:
            result = await self.ask(method, **params)
        except RefusedError as error:
            return error.code, error.message
        raise AssertionError(f"not refused: {result}")

    async def until(self, fits: Any, *, since: int = 0) -> Json:
        """Wait for the first message that fits."""
        with trio.fail_after(PATIENCE):
            while True:
                for message in self.stream.told[since:]:
                    if fits(message):
                        return message  # type: ignore[no-any-return]
                since = len(self.stream.told)
                await self.stream.wait_told(since + 1)

    async def notified(self, method: str, *, since: int = 0, **members: Any) -> Json:
        """Wait for a notification, and return its params."""

        def fits(message: Json) -> bool:
            params = message.get("params") or {}
            return (
                message.get("method") == method
                and "id" not in message
                and all(params.get(name) == value for name, value in members.items())
            )

        return (await self.until(fits, since=since))["params"]  # type: ignore[no-any-return]

    async def asked(self, method: str, *, since: int = 0) -> Json:
        """Wait for a request of the server."""
        return await self.until(lambda m: m.get("method") == method and "id" in m, since=since)

    def answer(self, request: Json, result: Any) -> None:
        self.stream.say({"id": request["id"], "result": result})

    @property
    def position(self) -> int:
        return len(self.stream.told)

    def methods(self, since: int = 0) -> list[str]:
        """List what it was told, answers by their number."""
        return [m.get("method") or f"answer {m['id']}" for m in self.stream.told[since:]]

    async def start_thread(self, **params: Any) -> str:
        answer = await self.ask("thread/start", **params)
        await self.notified("thread/started")
        return answer["thread"]["id"]  # type: ignore[no-any-return]

    async def start_turn(self, thread_id: str, text: str = "hello", **params: Any) -> str:
        answer = await self.ask("turn/start", threadId=thread_id, input=say(text), **params)
        return answer["turn"]["id"]  # type: ignore[no-any-return]

    async def completed(self, turn_id: str, *, since: int = 0) -> Json:
        def fits(message: Json) -> bool:
            return (
                message.get("method") == "turn/completed"
                and message["params"]["turn"]["id"] == turn_id
            )

        return (await self.until(fits, since=since))["params"]["turn"]  # type: ignore[no-any-return]


def say(text: str) -> list[Json]:
    return [{"type": "text", "text": text}]


@attrs.define(eq=False)
class Stage:
    """A server and those who talk to it."""

    app: AppServer
    supervisor: Supervisor
    model: ManualModel
    home: Path
    work: Path
    _nursery: trio.Nursery

    async def connect(
        self, *, experimental: bool = True, opted_out: tuple[str, ...] = ()
    ) -> Client:
        client = Client()
        self._nursery.start_soon(self.app.connections.serve, client.stream)
        await client.ask(
            "initialize",
            clientInfo={"name": "test", "version": "1"},
            capabilities={
                "experimentalApi": experimental,
                "optOutNotificationMethods": list(opted_out),
            },
        )
        return client

    async def simple_turn(self, client: Client, thread_id: str, text: str = "hello") -> str:
        """Run a turn in which the model answers with the same words in capitals."""
        since = client.position
        turn_id = await client.start_turn(thread_id, text)
        response = await self.model.next_request()
        response.say(text.upper()).complete(100)
        await client.completed(turn_id, since=since)
        return turn_id


@asynccontextmanager
async def open_app(
    tmp_path: Path,
    *,
    provider: ModelProvider | None = None,
    config: str = "",
    warnings: tuple[str, ...] = (),
    overrides: ConfigLayer | None = None,
    environ: Mapping[str, str] | None = None,
    requires_openai_auth: bool = False,
) -> AsyncGenerator[Stage]:
    """Serve clients in memory; the test plays the model."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    if config:
        (home / "config.toml").write_text(config)
    model = ManualModel()
    used = provider or model
    setup = ServerSetup(
        environ={"PATH": "/usr/bin:/bin", "HOME": str(home), **(environ or {})},
        cwd=work,
        provider_id=used.info.id,
        requires_openai_auth=requires_openai_auth,
        overrides=overrides,
        warnings=warnings,
    )
    async with (
        open_test_supervisor(
            provider=used, home=home, session_source=SourceKind.VSCODE
        ) as supervisor,
        open_app_server(supervisor, setup) as app,
        trio.open_nursery() as nursery,
    ):
        yield Stage(app, supervisor, model, home, work, nursery)
        nursery.cancel_scope.cancel()
