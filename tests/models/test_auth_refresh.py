"""What the token service is asked, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models import ModelError, RefreshFailure, RefreshTokenFailed, TokenRefreshFailed
from actors.models.auth_refresh import ask_new_tokens, read_refusal, refresh_url
from actors.models.auth_stored import NewTokens
from tests.interop.mock_responses import Refusal, open_mock_responses

URL = "https://tokens.test/oauth/token"
SECRET = "refresh-token-1"


async def ask(answer: Callable[[httpx2.Request], httpx2.Response]) -> NewTokens:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        return await ask_new_tokens(client, URL, SECRET)


async def error_of(answer: Callable[[httpx2.Request], httpx2.Response]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await ask(answer)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)
    return caught.value


async def test_service_is_asked_for_codexs_client() -> None:
    """The tokens were given to it."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"access_token": "a", "id_token": "", "more": 1})

    tokens = await ask(answer)

    [request] = seen
    assert tokens == NewTokens(access_token="a")
    assert (request.method, str(request.url)) == ("POST", URL)
    assert json.loads(request.content) == {
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "grant_type": "refresh_token",
        "refresh_token": SECRET,
        "scope": "openid profile email",
    }


async def test_real_server_is_asked_over_http() -> None:
    """One loopback server beside the mocks."""
    tokens = {"access_token": "a", "refresh_token": "r", "id_token": "i"}
    script = [Refusal(status=200, body=json.dumps(tokens).encode())]

    async with open_mock_responses(script) as server, httpx2.AsyncClient() as client:
        got = await ask_new_tokens(client, f"{server.base_url}/responses", SECRET)

    assert got == NewTokens(access_token="a", refresh_token="r", id_token="i")
    assert server.requests[0].json["refresh_token"] == SECRET


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"error": {"code": "refresh_token_expired"}}', RefreshFailure.EXPIRED),
        ('{"error": {"code": "Refresh_Token_Reused"}}', RefreshFailure.EXHAUSTED),
        ('{"error": "refresh_token_invalidated"}', RefreshFailure.REVOKED),
        ('{"code": "REFRESH_TOKEN_EXPIRED"}', RefreshFailure.EXPIRED),
        ('{"error": {"code": 7}, "code": "refresh_token_reused"}', RefreshFailure.EXHAUSTED),
        ('{"error": {"code": "other"}, "code": "refresh_token_reused"}', RefreshFailure.OTHER),
        ('{"error": {"code": "invalid_grant"}}', RefreshFailure.OTHER),
        ("go away", RefreshFailure.OTHER),
        ("", RefreshFailure.OTHER),
        ("[]", RefreshFailure.OTHER),
    ],
)
def test_refusal_with_401_ends_the_login(body: str, reason: RefreshFailure) -> None:
    """The code is looked for in three places, in any case of letters."""
    error = read_refusal(401, body)

    assert isinstance(error, RefreshTokenFailed)
    assert error.reason is reason


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, '{"error": {"message": "broken"}}', "500 Internal Server Error: broken"),
        (403, " no ", "403 Forbidden: no"),
        (400, '{"error": {"code": "refresh_token_expired"}}', "400 Bad Request: "),
        (302, "", "302 Found: Unknown error"),
    ],
)
def test_any_other_refusal_may_pass(status: int, body: str, text: str) -> None:
    """The request is made again later."""
    error = read_refusal(status, body)

    assert isinstance(error, TokenRefreshFailed)
    assert str(error).startswith(f"Failed to refresh token: {text}")
    assert error.retryable
    assert error.before_stream


@given(st.integers(300, 599), st.text())
def test_every_refusal_is_one_of_both(status: int, body: str) -> None:
    """Whatever the body is."""
    assert isinstance(read_refusal(status, body), RefreshTokenFailed) == (status == 401)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the answer is no JSON object"),
        (b"\xff", "the answer is no JSON object"),
        (b"[]", "the answer is no JSON object"),
        (b'{"access_token": 7}', "the access_token of the answer is no text"),
        (b" " * (1024 * 1024 + 1), "the answer is longer than 1048576 bytes"),
    ],
)
async def test_answer_that_makes_no_sense_may_pass(content: bytes, problem: str) -> None:
    """A page of some proxy, for example."""
    error = await error_of(lambda _: httpx2.Response(200, content=content))

    assert isinstance(error, TokenRefreshFailed)
    assert str(error).startswith(f"Failed to refresh token: {problem}")


async def test_no_answer_may_pass() -> None:
    """What the transport says is told, with the address, without what was sent."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError(f"refused {SECRET}", request=request)

    error = await error_of(answer)

    assert isinstance(error, TokenRefreshFailed)
    assert str(error) == f"Failed to refresh token: refused [hidden] ({URL})"


async def test_secret_that_the_service_repeats_is_not_told() -> None:
    """Error texts of services quote what they were sent."""
    error = await error_of(
        lambda _: httpx2.Response(400, json={"error": {"message": f"bad token {SECRET}"}})
    )

    assert str(error) == "Failed to refresh token: 400 Bad Request: bad token [hidden]"


def test_variable_moves_the_service() -> None:
    """For tests and companies with a service of their own."""
    variable = "CODEX_REFRESH_TOKEN_URL_OVERRIDE"

    assert refresh_url({}) == refresh_url({variable: " "}) == "https://auth.openai.com/oauth/token"
    assert refresh_url({variable: "http://here/"}) == "http://here/"
