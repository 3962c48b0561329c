"""Logging in and out over the app-server, and what is left of limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.models import RateLimits
from messages.events import RateLimitSnapshot, RateLimitWindow

from .app_stage import Client, open_app

START, CANCEL = "account/login/start", "account/login/cancel"
NOBODY = {"authMode": None, "planType": None}
KEYED = {"authMode": "apikey", "planType": None}


async def account(client: Client) -> Any:
    return (await client.ask("account/read"))["account"]


async def test_a_key_is_kept_and_everybody_is_told(tmp_path: Path) -> None:
    """After the answer; it counts at once, and until it is forgotten."""
    async with open_app(tmp_path, requires_openai_auth=True) as stage:
        client, other = await stage.connect(), await stage.connect()
        before = await account(client)
        since = client.position
        answer = await client.ask(START, type="apiKey", apiKey=" sk-test ")
        completed = await other.notified("account/login/completed")
        updated = await other.notified("account/updated")
        await client.notified("account/updated")
        order = client.methods(since)
        kept = json.loads((stage.home / "auth.json").read_text())
        during = await other.ask("account/read")
        since = other.position
        left = await client.ask("account/logout")
        told = await other.notified("account/updated", since=since)
        after = await account(other)
        again = await client.ask("account/logout")

    assert before is None
    assert answer == {"type": "apiKey"}
    assert completed == {"loginId": None, "success": True, "error": None}
    assert updated == KEYED
    assert order[0].startswith("answer")
    assert order[1:] == ["account/login/completed", "account/updated"]
    assert kept["OPENAI_API_KEY"] == "sk-test"
    assert during == {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}
    assert left == again == {}
    assert told == NOBODY
    assert after is None


async def test_a_key_in_the_environment_outlives_a_logout(tmp_path: Path) -> None:
    """What is told is what holds."""
    async with open_app(tmp_path, environ={"CODEX_API_KEY": "sk-env"}) as stage:
        client = await stage.connect()
        await client.ask("account/logout")
        told = await client.notified("account/updated")
        found = await account(client)

    assert told == KEYED
    assert found == {"type": "apiKey"}


@pytest.mark.parametrize(
    ("method", "params", "problem"),
    [
        (START, {"type": "apiKey", "apiKey": ""}, "failed to save api key: "),
        (START, {"type": "apiKey", "apiKey": "two words"}, "failed to save api key: "),
        (START, {"type": "apiKey"}, "Invalid request: "),
        (START, {"type": "chatgpt"}, "logging in with ChatGPT is not supported by this server: "),
        (
            START,
            {"type": "chatgptAuthTokens", "accessToken": "x", "chatgptAccountId": "y"},
            "logging in with ChatGPT is not supported by this server: ",
        ),
        (START, {"type": "carrierPigeon"}, "Invalid request: "),
        (CANCEL, {"loginId": "x"}, "invalid login id: x"),
        ("account/rateLimits/read", {}, "codex account authentication required to read rate"),
    ],
)
async def test_what_cannot_be_is_refused_and_nobody_is_told(
    tmp_path: Path, method: str, params: dict[str, Any], problem: str
) -> None:
    """With the way out; no secret is in it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        code, message = await client.refused(method, **params)
        found = await account(client)
        told = client.methods()

    assert code == -32600
    assert message.startswith(problem)
    assert "two words" not in message
    assert found is None
    assert not any(each.startswith("account/") for each in told)


async def test_there_is_no_login_to_call_off(tmp_path: Path) -> None:
    """None waits for a browser here."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        answer = await client.ask(CANCEL, loginId="0190a1b2-0000-7000-8000-000000000000")

    assert answer == {"status": "notFound"}


async def test_a_login_that_is_kept_elsewhere_is_out_of_reach(tmp_path: Path) -> None:
    """Which the refusal says."""
    config = 'cli_auth_credentials_store = "keyring"\n'
    async with open_app(tmp_path, config=config) as stage:
        client = await stage.connect()
        start = await client.refused(START, type="apiKey", apiKey="sk-test")
        logout = await client.refused("account/logout")

    assert start == logout
    assert "'keyring'" in start[1]


async def test_the_limits_are_those_that_the_provider_told_last(tmp_path: Path) -> None:
    """Before it did, who is logged in decides what is wrong."""

    def limits(used: float) -> RateLimits:
        window = RateLimitWindow(used_percent=used, window_minutes=300, resets_at=5)
        return RateLimits(RateLimitSnapshot(limit_id="codex", primary=window))

    async with open_app(tmp_path, environ={"CODEX_API_KEY": "sk-env"}) as stage:
        client, other = await stage.connect(), await stage.connect()
        before = await client.refused("account/rateLimits/read")
        for used in (10.0, 20.0):
            thread_id = await client.start_thread()
            turn_id = await client.start_turn(thread_id)
            response = await stage.model.next_request()
            response.give(limits(used)).say("x").complete()
            await client.completed(turn_id)
        after = await other.ask("account/rateLimits/read")

    assert before == (-32600, "chatgpt authentication required to read rate limits")
    assert after["rateLimits"]["primary"]["usedPercent"] == 20
    assert after["rateLimitsByLimitId"] == {"codex": after["rateLimits"]}
