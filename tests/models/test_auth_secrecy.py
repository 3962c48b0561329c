"""No secret leaves: a whole thread, with everything it logs, tells and records, is searched."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from actors.config import ThreadConfig
from actors.models import AuthManager, ProviderInfo, ResponsesProvider
from actors.supervisor import Supervisor
from actors.testing import collect_until, open_test_supervisor
from actors.thread import Thread
from messages.codec import to_json
from messages.content import TextInput
from messages.events import (
    CodexErrorCode,
    ErrorEvent,
    Event,
    StreamError,
    TurnComplete,
)
from messages.ops import UserInput
from messages.settings import AskForApproval, DangerFullAccess
from tests.interop.mock_responses import (
    RecordedRequest,
    Refusal,
    Reply,
    answer,
    open_mock_responses,
    refusal,
    text_message,
)
from tests.models.logins import jwt, world_at, write_login

pytestmark = pytest.mark.slow

SECRETS = (
    "access-secret-1", "access-secret-2", "access-secret-3",
    "refresh-secret-1", "refresh-secret-2", "refresh-secret-3",
    "key-secret-of-the-file", "key-secret-of-the-environment",
    jwt(chatgpt_account_id="workspace"), jwt(chatgpt_plan_type="new"),
)  # fmt: skip

HI = UserInput(items=(TextInput(text="hi"),))


@attrs.define
class Gossip:
    """A model service and a token service that repeat every secret they are told."""

    accepted: set[str] = attrs.field(factory=set)
    renewals: list[Reply] = attrs.field(factory=list)
    heard: list[str] = attrs.field(factory=list)

    def model(self, request: RecordedRequest) -> Reply:
        token = (request.header("authorization") or "").removeprefix("Bearer ")
        self.heard.append(token)
        if token in self.accepted:
            return answer(text_message("hello"), headers=(("X-Models-Etag", "v1"),))
        return refusal(401, f"{token} is not welcome, Bearer {token}", code=token)

    def tokens(self, request: RecordedRequest) -> Reply:
        self.heard.append(request.json["refresh_token"])
        return self.renewals.pop(0)


def granted(number: int) -> Reply:
    tokens = {
        "access_token": f"access-secret-{number}",
        "refresh_token": f"refresh-secret-{number}",
        "id_token": jwt(chatgpt_plan_type="new"),
    }
    return Refusal(status=200, body=json.dumps(tokens).encode())


async def turn(thread: Thread) -> list[Event]:
    await thread.submit(HI)
    return await collect_until(thread, TurnComplete)


async def test_no_secret_is_told_logged_or_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Five turns: one that renews, one that works, one whose renewal fails for now and
    then for good, one with a key that is refused, one with a file that is broken.
    """
    caplog.set_level(logging.DEBUG)
    for name in ("actors", "httpx2", "httpcore2", "asyncio", "trio"):
        caplog.set_level(logging.DEBUG, logger=name)
    write_login(
        tmp_path,
        access_token="access-secret-1",
        refresh_token="refresh-secret-1",
        id_token=jwt(chatgpt_account_id="workspace"),
        days_old=9,
    )
    gossip = Gossip(accepted={"access-secret-3"})
    broken = Refusal(status=502, body=b"refresh-secret-3 broke me")
    ended = Refusal(status=401, body=b'{"error": {"code": "refresh_token_expired"}}')
    # The first is for the eight days, and the login is used as it is.
    gossip.renewals = [
        Refusal(status=500, body=b"refresh-secret-1 is too much"),
        granted(2), granted(3), broken, ended,
    ]  # fmt: skip
    shown: list[str] = []

    async with (
        open_mock_responses(gossip.model) as models,
        open_mock_responses(gossip.tokens) as tokens,
        _open(tmp_path, models.base_url, f"{tokens.base_url}/responses") as (supervisor, provider),
    ):
        thread = (await supervisor.start_thread(_CONFIG)).thread
        events: list[Event] = []
        events += await turn(thread)  # 1 -> 2, which is refused as well
        events += await turn(thread)  # 2 -> 3
        gossip.accepted.clear()
        events += await turn(thread)
        await provider.auth.login_with_api_key("key-secret-of-the-file")  # type: ignore[union-attr]
        events += await turn(thread)
        (tmp_path / "auth.json").write_text('{"tokens": {"access_token": "access-secret-1"')
        events += await turn(thread)
        (tmp_path / "auth.json").unlink()
        events += await turn(thread)
        shown += map(repr, (supervisor, provider, provider.auth, thread, provider.info))
        rollout = Path(thread.rollout_path or "")

    errors = [event.msg for event in events if isinstance(event.msg, ErrorEvent)]
    assert [error.codex_error_info for error in errors] == [CodexErrorCode.UNAUTHORIZED] * 5
    assert "refresh token has expired" in errors[1].message
    assert any(isinstance(event.msg, StreamError) for event in events)
    assert set(gossip.heard) == set(SECRETS[:8])

    shown += [json.dumps(to_json(event)) for event in events]
    shown += [repr(event) for event in events]
    shown += [str(error) for error in errors]
    shown += [caplog.text]
    for record in caplog.records:
        shown += [record.getMessage(), repr(record.args)]
        if record.exc_info:
            shown += traceback.format_exception(*record.exc_info)
    shown += [await trio.Path(rollout).read_text()]
    assert len(caplog.records) > 50
    assert "[hidden]" in errors[0].message
    for secret in SECRETS:
        found = [text for text in shown if secret in text]
        assert found == []


_CONFIG = ThreadConfig(
    cwd="/", approval_policy=AskForApproval.NEVER, sandbox_policy=DangerFullAccess()
)


@asynccontextmanager
async def _open(
    home: Path, base_url: str, token_url: str
) -> AsyncGenerator[tuple[Supervisor, ResponsesProvider]]:
    environ = {
        "CODEX_REFRESH_TOKEN_URL_OVERRIDE": token_url,
        "OPENAI_API_KEY": "key-secret-of-the-environment",
    }
    auth = AuthManager(home=home, environ=environ, world=world_at())
    info = ProviderInfo(id="openai", name="OpenAI", base_url=base_url, requires_openai_auth=True)
    async with (
        ResponsesProvider(info=info, environ=environ, auth=auth) as provider,
        open_test_supervisor(home=home, provider=provider) as supervisor,
    ):
        yield supervisor, provider
