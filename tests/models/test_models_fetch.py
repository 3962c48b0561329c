"""Asking a provider over HTTP which models it has."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import attrs
import httpx2
import pytest
import trio
from trio.testing import MockClock

from actors.models import (
    AuthMode,
    ConnectionFailed,
    Credentials,
    FetchedModels,
    InternalServerError,
    InvalidRequest,
    MissingKey,
    ModelError,
    ModelsFetch,
    ProviderInfo,
    UnexpectedStatus,
    http_models_fetch,
)
from actors.models import models_fetch as fetch_module
from tests.interop.mock_connection import Connection
from tests.interop.mock_responses import Refusal, Silence
from tests.interop.recorded_request import Outcome, RecordedRequest
from tests.interop.scripted_replies import Reply
from tests.models.model_lists import OPENAI, entry, listed

BASE = "http://mock.invalid/v1"
KEY = "sk-very-secret"


def provider(**changes: Any) -> ProviderInfo:
    return ProviderInfo(**{"id": "mock", "name": "Mock", "base_url": BASE, **changes})


def fetching(
    handle: Callable[[httpx2.Request], Any], info: ProviderInfo | None = None, **values: Any
) -> ModelsFetch:
    def open_client() -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(handle))

    given: dict[str, Any] = {"environ": {"MOCK_KEY": KEY}, "version": "1.2.3-alpha", **values}
    return http_models_fetch(info or provider(), open_client=open_client, **given)


def answering(status: int = 200, **values: Any) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda _: httpx2.Response(status, **values)


@attrs.define
class Login:
    """Gives these credentials one by one."""

    tokens: list[str]
    mode: AuthMode = AuthMode.CHATGPT

    async def credentials(self) -> Credentials | None:
        return await self.recover(None)

    async def recover(self, failed: Credentials | None) -> Credentials | None:
        await trio.lowlevel.checkpoint()
        if not self.tokens:
            return None
        return Credentials(token=self.tokens.pop(0), mode=self.mode, account_id="acc")


# --- the question ---------------------------------------------------------------


async def test_question_is_asked_as_model_requests_are() -> None:
    """Key, configured headers and query; version and etag beside them."""
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"models": [entry("a")]}, headers={"ETag": 'W/"2"'})

    info = provider(
        env_key="MOCK_KEY", http_headers={"X-Own": "1"}, query_params={"api-version": "9"}
    )
    fetched = await fetching(handle, info)('W/"1"')

    assert fetched == FetchedModels(models=listed(entry("a")), etag='W/"2"')
    (request,) = asked
    assert (request.method, str(request.url)) == (
        "GET",
        f"{BASE}/models?api-version=9&client_version=1.2.3",
    )
    sent = request.headers
    assert sent["authorization"] == f"Bearer {KEY}"
    assert (sent["x-own"], sent["if-none-match"], sent["accept"]) == (
        "1",
        'W/"1"',
        "application/json",
    )
    assert sent["user-agent"] == "treadle/1.2.3-alpha"
    assert "content-type" not in sent


@pytest.mark.parametrize("etag", [None, "", "two\nlines", "é"])
async def test_etag_that_cannot_be_sent_is_not_sent(etag: str | None) -> None:
    """It comes from a file."""
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"models": []})

    await fetching(handle)(etag)

    assert "if-none-match" not in asked[0].headers


async def test_login_is_used_where_it_is_good_and_recovered_once() -> None:
    """With the account, at the address of its kind."""
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        old = request.headers["authorization"] == "Bearer old"
        return httpx2.Response(401 if old else 200, json={"models": []})

    await fetching(handle, OPENAI, auth=Login(["old", "new"]))(None)

    assert [request.headers["authorization"] for request in asked] == ["Bearer old", "Bearer new"]
    assert {request.headers["chatgpt-account-id"] for request in asked} == {"acc"}
    assert {request.url.path for request in asked} == {"/backend-api/codex/models"}


@pytest.mark.parametrize("tokens", [["old"], ["old", "new"]])
async def test_login_that_stays_refused_is_an_error(tokens: list[str]) -> None:
    """After the one recovery that there is, or without."""
    fetch = fetching(answering(401, text="no"), OPENAI, auth=Login(tokens))

    with pytest.raises(UnexpectedStatus) as caught:
        await fetch(None)

    assert caught.value.status == 401


async def test_login_is_not_for_providers_with_a_key_of_their_own() -> None:
    """It would be told to a stranger."""
    login = Login(["token"])

    await fetching(answering(json={"models": []}), provider(), auth=login)(None)

    assert login.tokens == ["token"]


# --- the answer -----------------------------------------------------------------


async def test_list_that_did_not_change_is_none() -> None:
    """The known one is still good."""
    fetched = await fetching(answering(304, headers={"ETag": "e"}))("e")

    assert fetched == FetchedModels(models=None, etag="e")


async def test_answer_without_an_etag_has_none() -> None:
    """What that means is the catalog's to say."""
    fetched = await fetching(answering(json={"models": []}))("old")

    assert fetched == FetchedModels(models=(), etag=None)


async def test_plain_list_will_do_except_for_openai() -> None:
    """OpenAI lists by id whatever it sells."""
    body = answering(json={"object": "list", "data": [{"id": "llama"}]})

    fetched = await fetching(body)(None)
    with pytest.raises(InvalidRequest, match="no list of models"):
        await fetching(body, OPENAI, auth=Login(["t"]))(None)

    assert [model.slug for model in fetched.models or ()] == ["llama"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"models": 5}', b"\xff"])
async def test_answer_that_is_no_list_is_an_error(content: bytes) -> None:
    """It says where it came from."""
    with pytest.raises(InvalidRequest, match=f"no list of models.*{BASE}/models"):
        await fetching(answering(content=content))(None)


async def test_answer_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is fine."""
    body = b'{"models": []}'
    monkeypatch.setattr(fetch_module, "_SIZE_LIMIT_BYTES", len(body))

    assert (await fetching(answering(content=body))(None)).models == ()
    with pytest.raises(InvalidRequest, match="more than 14 bytes"):
        await fetching(answering(content=body + b" "))(None)


async def test_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit ends it."""
    monkeypatch.setattr(fetch_module, "_SIZE_LIMIT_BYTES", 100)
    given = 0

    async def endless() -> Any:
        nonlocal given
        while True:
            await trio.lowlevel.checkpoint()
            given += 1
            yield b" " * 10

    with pytest.raises(InvalidRequest, match="more than 100 bytes"):
        await fetching(answering(content=endless()))(None)

    assert given == 11


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, InternalServerError), (404, UnexpectedStatus), (302, UnexpectedStatus)],
)
async def test_refusal_is_the_error_it_is_for_model_requests(
    status: int, error: type[ModelError]
) -> None:
    """Redirects too: keys follow nowhere."""
    with pytest.raises(error):
        await fetching(answering(status, headers={"Location": "http://else.invalid"}))(None)


async def test_key_that_the_server_repeats_is_in_no_error() -> None:
    """Nor in a repr."""
    info = provider(env_key="MOCK_KEY")
    fetch = fetching(answering(403, text=f"bad key {KEY}"), info)

    with pytest.raises(UnexpectedStatus) as caught:
        await fetch(None)

    assert KEY not in f"{caught.value} {caught.value!r} {fetch!r}"


async def test_missing_key_is_told() -> None:
    """Nothing is asked."""
    with pytest.raises(MissingKey):
        await fetching(answering(), provider(env_key="NOT_THERE"))(None)


async def test_connection_that_breaks_is_an_error() -> None:
    """Of a kind that may be tried again."""

    def handle(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route")

    with pytest.raises(ConnectionFailed, match="no route") as caught:
        await fetching(handle)(None)

    assert caught.value.retryable


async def test_whole_request_gets_five_seconds(autojump_clock: MockClock) -> None:
    """Until the last byte, not between two of them."""

    async def drip() -> Any:
        while True:
            await trio.sleep(1)
            yield b" "

    with pytest.raises(ConnectionFailed, match="within 5 s"):
        await fetching(answering(content=drip()))(None)

    assert trio.current_time() == pytest.approx(5, abs=0.1)


# --- a real server --------------------------------------------------------------


@attrs.define
class Loopback:
    """A server that answers one thing, and what it was asked."""

    reply: Reply
    requests: list[RecordedRequest] = attrs.field(factory=list, init=False)
    asked: trio.Event = attrs.field(factory=trio.Event, init=False)

    def decide(self, request: Any, body: bytes) -> tuple[RecordedRequest, Reply]:
        recorded = RecordedRequest(
            number=len(self.requests),
            method=request.method.decode(),
            target=request.target.decode(),
            headers=tuple((k.decode(), v.decode()) for k, v in request.headers),
            body=body,
        )
        self.requests.append(recorded)
        self.asked.set()
        return recorded, self.reply

    async def run(self, *, task_status: trio.TaskStatus[str]) -> None:
        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                await Connection(stream, self.decide, 1024).run()

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        task_status.started(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1")
        await trio.serve_listeners(serve, listeners)


async def test_real_server_is_asked_over_http(caplog: pytest.LogCaptureFixture) -> None:
    """Everything arrives, and the log of the client library stays quiet."""
    body = b'{"models": [{"slug": "a"}]}'
    server = Loopback(Refusal(status=200, body=body, headers=(("ETag", "e1"),)))

    with caplog.at_level(logging.INFO), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(server.run)
            fetch = http_models_fetch(provider(base_url=url), environ={}, version="1.2.3")
            fetched = await fetch("e0")
            nursery.cancel_scope.cancel()

    assert fetched == FetchedModels(models=listed({"slug": "a"}), etag="e1")
    (request,) = server.requests
    assert request.target == "/v1/models?client_version=1.2.3"
    assert request.header("if-none-match") == "e0"
    assert [record for record in caplog.records if record.name.startswith("httpx2")] == []


async def test_cancelled_fetch_closes_its_connection() -> None:
    """The server sees the client go."""
    server = Loopback(Silence())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(server.run)
            fetch = http_models_fetch(provider(base_url=url), environ={}, version="1")
            async with trio.open_nursery() as asking:
                asking.start_soon(fetch, None)
                await server.asked.wait()
                asking.cancel_scope.cancel()
            outcome = await server.requests[0].wait_ended()
            nursery.cancel_scope.cancel()

    assert outcome is Outcome.CLIENT_LEFT


async def test_key_that_cannot_be_sent_is_in_no_error() -> None:
    """The client library would quote it."""
    server = Loopback(Refusal(status=200))
    environ = {"MOCK_KEY": f"{KEY}\nx"}

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(server.run)
            info = provider(base_url=url, env_key="MOCK_KEY")
            with pytest.raises(ConnectionFailed, match="a character that headers") as caught:
                await http_models_fetch(info, environ=environ, version="1")(None)
            nursery.cancel_scope.cancel()

    assert KEY not in f"{caught.value} {caught.value.__cause__!r}"
    assert server.requests == []
