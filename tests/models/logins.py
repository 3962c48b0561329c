"""Homes with a login in them, and a token service that renews it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import httpx2
import trio

from actors.models import AuthManager, Credentials
from actors.models.auth_credentials import AuthMode
from actors.runtime import World

__all__ = [
    "DAY",
    "NOW",
    "TokenService",
    "chatgpt",
    "jwt",
    "manager_of",
    "read_login",
    "world_at",
    "write_login",
]

DAY = 24 * 3600.0
NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


def jwt(**auth: Any) -> str:
    claims = {"email": "ann@example.org", "https://api.openai.com/auth": auth}
    parts = [{"alg": "none"}, claims, {"signature": "none"}]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )


def write_login(home: Path, *, days_old: float = 0, **changes: Any) -> dict[str, Any]:
    """Write what Codex writes for a ChatGPT login; *changes* go into its tokens."""
    seconds = NOW - days_old * DAY
    stamp = f"{_stamp(seconds)}.123456789Z"
    tokens = {
        "id_token": jwt(chatgpt_plan_type="plus", chatgpt_account_id="workspace"),
        "access_token": "access-token-1",
        "refresh_token": "refresh-token-1",
        "account_id": "workspace",
        **changes,
    }
    members = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
    members["last_refresh"] = stamp
    home.mkdir(exist_ok=True)
    (home / "auth.json").write_text(json.dumps(members, indent=2))
    (home / "auth.json").chmod(0o600)
    return members


def _stamp(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def read_login(home: Path) -> dict[str, Any]:
    members: dict[str, Any] = json.loads((home / "auth.json").read_bytes())
    return members


def world_at(now: float = NOW) -> World:
    return attrs.evolve(World.system(), now=lambda: now)


def chatgpt(token: str = "access-token-1") -> Credentials:
    return Credentials(token=token, mode=AuthMode.CHATGPT, account_id="workspace")


def renewed_once(number: int) -> httpx2.Response:
    tokens = {"access_token": f"access-token-{number + 1}", "id_token": None}
    return httpx2.Response(200, json={**tokens, "refresh_token": f"refresh-token-{number + 1}"})


@attrs.define(eq=False)
class TokenService:
    """
    Stands for the token endpoint; each refresh token is good once.

    Attributes:
        answer: Says what to answer to the n-th request, counted from 1.
        gate: Set it to let the answers go.
        spent: The refresh tokens it was given, oldest first.
    """

    answer: Callable[[int], httpx2.Response] = renewed_once
    gate: trio.Event | None = None
    spent: list[str] = attrs.field(factory=list)
    requests: list[httpx2.Request] = attrs.field(factory=list)
    arrived: trio.Event = attrs.field(factory=trio.Event)

    def open_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle))

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.spent.append(json.loads(request.content)["refresh_token"])
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.spent.count(self.spent[-1]) > 1 and self.answer is renewed_once:
            return httpx2.Response(401, json={"error": {"code": "refresh_token_reused"}})
        return self.answer(len(self.requests))


def manager_of(
    home: Path, service: TokenService | None = None, *, now: float = NOW, **environ: str
) -> AuthManager:
    service = service or TokenService(lambda _: httpx2.Response(500))
    return AuthManager(
        home=home, environ=environ, world=world_at(now), open_client=service.open_client
    )
