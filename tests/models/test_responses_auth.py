"""The Responses provider with the user's login, against a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.models import (
    CHATGPT_BASE_URL,
    OPENAI_BASE_URL,
    AuthManager,
    AuthMode,
    Completed,
    ConnectionFailed,
    Credentials,
    MissingKey,
    ProviderInfo,
    RefreshTokenFailed,
    ResponsesProvider,
    TokenRefreshFailed,
    UnexpectedStatus,
    service_url,
)
from messages.events import CodexErrorCode
from tests.interop.mock_responses import (
    MockResponses,
    Outcome,
    RecordedRequest,
    Refusal,
    Reply,
    Script,
    answer,
    open_mock_responses,
    refusal,
)
from tests.models.asking import ask, request_of
from tests.models.logins import TokenService, chatgpt, manager_of, write_login

DENIED = refusal(401, "who are you?")


@asynccontextmanager
async def serving(
    script: Script, auth: AuthManager | None, environ: dict[str, str] | None = None, **changes: Any
) -> AsyncGenerator[tuple[ResponsesProvider, MockResponses]]:
    async with open_mock_responses(script) as server:
        values = {"base_url": server.base_url, "requires_openai_auth": True, **changes}
        info = ProviderInfo(id="openai", name="OpenAI", **values)
        async with ResponsesProvider(info=info, environ=environ or {}, auth=auth) as provider:
            yield provider, server


def keys(server: MockResponses) -> list[str | None]:
    return [request.header("authorization") for request in server.requests]


async def test_request_is_made_with_the_login(tmp_path: Path) -> None:
    """The token, and the workspace that pays."""
    write_login(tmp_path)

    async with serving([answer()], manager_of(tmp_path)) as (provider, server):
        await ask(provider, request_of("hi"))

    assert keys(server) == ["Bearer access-token-1"]
    assert server.requests[0].header("chatgpt-account-id") == "workspace"


async def test_key_has_no_workspace(tmp_path: Path) -> None:
    """There is none to name."""
    manager = manager_of(tmp_path)
    await manager.login_with_api_key("sk-1")

    async with serving([answer()], manager) as (provider, server):
        await ask(provider, request_of("hi"))

    assert keys(server) == ["Bearer sk-1"]
    assert server.requests[0].header("chatgpt-account-id") is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"env_key": "OWN", "experimental_bearer_token": "own-2"}, "Bearer own-1"),
        ({"experimental_bearer_token": "own-2"}, "Bearer own-2"),
        ({}, "Bearer access-token-1"),
        ({"requires_openai_auth": False}, None),
    ],
)
async def test_own_keys_of_a_provider_go_before_the_login(
    tmp_path: Path, changes: dict[str, Any], key: str | None
) -> None:
    """And nobody gets the user's login who does not ask for it."""
    write_login(tmp_path)
    environ = {"OWN": "own-1", "OPENAI_API_KEY": "sk-env"}

    async with serving([answer()], manager_of(tmp_path), environ, **changes) as (provider, server):
        await ask(provider, request_of("hi"))

    assert keys(server) == [key]


async def test_key_of_the_environment_does_for_who_is_not_logged_in(tmp_path: Path) -> None:
    """A login goes before ``OPENAI_API_KEY``, which may be there for other programs."""
    environ = {"OPENAI_API_KEY": "sk-env"}

    async with serving([answer()], manager_of(tmp_path), environ) as (provider, server):
        await ask(provider, request_of("hi"))

    assert keys(server) == ["Bearer sk-env"]


async def test_nobody_logged_in_and_no_key_sends_nothing(tmp_path: Path) -> None:
    """As without a manager."""
    for auth in (None, manager_of(tmp_path)):
        async with serving([answer()], auth) as (provider, server):
            with pytest.raises(MissingKey):
                await ask(provider, request_of("hi"))
        assert server.requests == []


async def test_refused_token_is_renewed_and_the_same_request_made_again(tmp_path: Path) -> None:
    """Nobody notices but the server."""
    write_login(tmp_path)
    service = TokenService()

    async with serving([DENIED, answer()], manager_of(tmp_path, service)) as (provider, server):
        events = await ask(provider, request_of("hi"))

    assert isinstance(events[-1], Completed)
    assert keys(server) == ["Bearer access-token-1", "Bearer access-token-2"]
    assert server.requests[0].body == server.requests[1].body
    assert service.spent == ["refresh-token-1"]


async def test_refusal_of_the_renewed_token_surfaces(tmp_path: Path) -> None:
    """Once for each request; else it would go on for ever."""
    write_login(tmp_path)
    service = TokenService()

    async with serving([DENIED] * 9, manager_of(tmp_path, service)) as (provider, server):
        with pytest.raises(UnexpectedStatus) as caught:
            await ask(provider, request_of("hi"))

        assert len(server.requests) == 2
        assert caught.value.info is CodexErrorCode.UNAUTHORIZED
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert len(server.requests) == 4


@pytest.mark.parametrize("logged_in", ["with a key", "environment", "not"])
async def test_key_that_is_refused_surfaces_at_once(tmp_path: Path, logged_in: str) -> None:
    """There is nothing to renew."""
    manager = manager_of(tmp_path)
    environ = {"OPENAI_API_KEY": "sk-env"}
    if logged_in == "with a key":
        await manager.login_with_api_key("sk-1")
    if logged_in == "environment":
        manager = manager_of(tmp_path, CODEX_API_KEY="sk-2")

    async with serving([DENIED] * 2, manager, environ) as (provider, server):
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert len(server.requests) == 1


async def test_logout_meanwhile_lets_the_refusal_surface(tmp_path: Path) -> None:
    """No request is made with a key that nobody chose."""
    write_login(tmp_path)

    def choose(request: RecordedRequest) -> Reply:
        (tmp_path / "auth.json").unlink()
        return DENIED

    environ = {"OPENAI_API_KEY": "sk-env"}
    async with serving(choose, manager_of(tmp_path), environ) as (provider, server):
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, RefreshTokenFailed), (503, TokenRefreshFailed)]
)
async def test_failed_renewal_is_what_surfaces(
    tmp_path: Path, status: int, error: type[Exception]
) -> None:
    """It says what to do; a refusal says only that there was one."""
    write_login(tmp_path)
    service = TokenService(lambda _: httpx2.Response(status))

    async with serving([DENIED, answer()], manager_of(tmp_path, service)) as (provider, server):
        with pytest.raises(error):
            await ask(provider, request_of("hi"))

    assert len(server.requests) == 1


async def test_two_threads_that_are_refused_at_once_spend_one_refresh_token(
    tmp_path: Path,
) -> None:
    """The single-use token is spent by one, and both go on (L34)."""
    write_login(tmp_path)
    service = TokenService(gate=trio.Event())
    ends: list[object] = []

    def choose(request: RecordedRequest) -> Reply:
        old = request.header("authorization") == "Bearer access-token-1"
        return DENIED if old else answer()

    async def run(provider: ResponsesProvider) -> None:
        ends.append((await ask(provider, request_of("hi")))[-1])

    async with (
        serving(choose, manager_of(tmp_path, service)) as (provider, server),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(run, provider)
        nursery.start_soon(run, provider)
        await server.wait_requests(2)
        await service.arrived.wait()
        await wait_all_tasks_blocked(0.01)
        assert service.gate is not None
        service.gate.set()

    assert [type(end) for end in ends] == [Completed, Completed]
    assert service.spent == ["refresh-token-1"]
    assert sorted(filter(None, keys(server))) == [
        *["Bearer access-token-1"] * 2,
        *["Bearer access-token-2"] * 2,
    ]


async def test_other_refusals_do_not_touch_the_login(tmp_path: Path) -> None:
    """403 is about what one may do, not about who one is."""
    write_login(tmp_path)
    service = TokenService()

    async with serving([refusal(403, "no")], manager_of(tmp_path, service)) as (provider, _):
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert service.spent == []


async def test_connection_serves_the_second_request_as_well(tmp_path: Path) -> None:
    """The refusal is read to its end before the request is made again."""
    write_login(tmp_path)
    async with serving([DENIED, answer(), answer()], manager_of(tmp_path, TokenService())) as (
        provider,
        server,
    ):
        await ask(provider, request_of("hi"))
        await ask(provider, request_of("hi"))

    assert len(server.requests) == 3


async def test_refusal_that_is_too_long_is_left(tmp_path: Path) -> None:
    """Its connection is closed before the request is made again."""
    write_login(tmp_path)
    script = [Refusal(status=401, body=b"no" * 8_000_000), answer()]

    async with serving(script, manager_of(tmp_path, TokenService())) as (provider, server):
        with trio.fail_after(10):
            async with provider.stream(request_of("hi")) as events:
                assert await server.requests[0].wait_ended() is Outcome.CLIENT_LEFT
                async for _ in events:
                    pass


async def test_version_of_the_list_of_models_is_told(tmp_path: Path) -> None:
    """By each response that names it, before its first event; not by refusals."""
    named = (("X-Models-Etag", "v1"),)
    heard: list[str] = []
    script = [answer(headers=named), answer(), Refusal(status=404, headers=named)]

    async with serving(script, None, {"OPENAI_API_KEY": "k"}) as (provider, _):
        await ask(provider, request_of("nobody listens"))
    async with serving(script, None, {"OPENAI_API_KEY": "k"}) as (provider, _):
        provider.on_models_etag = heard.append
        async with provider.stream(request_of("hi")) as events:
            assert heard == ["v1"]
            async for _ in events:
                pass
        await ask(provider, request_of("hi"))
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert heard == ["v1"]


@pytest.mark.parametrize(
    ("base_url", "mode", "url"),
    [
        (None, None, OPENAI_BASE_URL),
        (None, AuthMode.API_KEY, OPENAI_BASE_URL),
        (None, AuthMode.CHATGPT, CHATGPT_BASE_URL),
        ("http://own/v1/", AuthMode.CHATGPT, "http://own/v1"),
        ("http://own/v1", None, "http://own/v1"),
    ],
)
def test_address_is_the_providers_or_that_of_the_login(
    base_url: str | None, mode: AuthMode | None, url: str
) -> None:
    """A plan and a key are good at different places."""
    info = ProviderInfo(id="openai", name="OpenAI", base_url=base_url)
    credentials = None if mode is None else Credentials(token="t", mode=mode)

    assert service_url(info, credentials) == url


async def test_login_is_asked_below_its_own_address(tmp_path: Path) -> None:
    """Where the provider has none."""
    write_login(tmp_path)
    asked: list[str] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(404)

    provider = ResponsesProvider(
        info=ProviderInfo(id="openai", name="OpenAI", requires_openai_auth=True),
        auth=manager_of(tmp_path),
        open_client=lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(reply)),
    )
    async with provider:
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert asked == [f"{CHATGPT_BASE_URL}/responses"]


@pytest.mark.parametrize("key", ["sk-secret-key-1", "x"])
async def test_server_that_repeats_the_key_is_not_quoted(key: str) -> None:
    """Services do: "incorrect API key provided: ..."."""
    script = [refusal(401, f"incorrect API key provided: {key}")]

    async with serving(script, None, {"OPENAI_API_KEY": key}) as (provider, _):
        with pytest.raises(UnexpectedStatus) as caught:
            await ask(provider, request_of("hi"))

    assert ("incorrect API key provided: [hidden]" in str(caught.value)) == (len(key) > 1)
    assert "sk-secret" not in caught.value.body


async def test_server_that_repeats_a_configured_key_is_not_quoted() -> None:
    """Whatever its header is called, as far as the name tells."""
    script = [refusal(403, "secret-of-azure and secret-of-basic, for my-very-own-tool")]
    headers = {
        "api-key": "secret-of-azure", "authorization": "Basic secret-of-basic",
        "X-Tool": "my-very-own-tool",
    }  # fmt: skip

    async with serving(script, None, requires_openai_auth=False, http_headers=headers) as (
        provider,
        _,
    ):
        with pytest.raises(UnexpectedStatus) as caught:
            await ask(provider, request_of("hi"))

    assert "[hidden] and [hidden], for my-very-own-tool" in str(caught.value)


async def test_key_that_cannot_be_sent_is_not_quoted() -> None:
    """Nor is it in what a traceback of the error shows."""
    import traceback

    async with serving([], None, {"OPENAI_API_KEY": "sk-secret\nkey"}) as (provider, _):
        with pytest.raises(ConnectionFailed, match="headers cannot have") as caught:
            await ask(provider, request_of("hi"))

    assert "sk-secret" not in "".join(traceback.format_exception(caught.value))


@attrs.frozen
class Fixed:
    """A source of credentials that is not ours."""

    given: Credentials

    async def credentials(self) -> Credentials | None:
        await trio.lowlevel.checkpoint()
        return self.given

    async def recover(self, failed: Credentials) -> Credentials | None:
        await trio.lowlevel.checkpoint()
        return None


async def test_embedder_may_bring_credentials_of_their_own() -> None:
    """Anything with the two methods will do."""
    async with serving([DENIED], None) as (provider, server):
        provider.auth = Fixed(chatgpt("their-token"))
        with pytest.raises(UnexpectedStatus):
            await ask(provider, request_of("hi"))

    assert keys(server) == ["Bearer their-token"]
