"""How the catalog is refreshed: one fetch at a time, and in the background by etags."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import (
    AuthMode,
    ConnectionFailed,
    FetchedModels,
    ProviderInfo,
    RefreshStrategy,
    ResponsesProvider,
    http_models_fetch,
)
from actors.models.models_cache import TTL
from tests.interop.mock_responses import answer, open_mock_responses
from tests.models.asking import ask, request_of
from tests.models.model_lists import (
    NOON,
    OPENAI,
    OWN,
    Accounts,
    Quiet,
    Server,
    catalog_of,
    entry,
    listed,
    moving,
    read,
    slugs,
    write,
)

ONLINE = RefreshStrategy.ONLINE

# --- one fetch at a time ----------------------------------------------------------


async def test_all_who_ask_at_once_share_one_fetch(tmp_path: Path) -> None:
    """And its outcome."""
    hold = trio.Event()
    server = Server.of(entry("a"), hold=hold)
    catalog = catalog_of(tmp_path, server)
    lists = []

    async def ask() -> None:
        lists.append(slugs(await catalog.list_models(ONLINE)))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        hold.set()

    assert lists == [["a"]] * 20
    assert server.asked == [None]


async def test_failure_is_shared_too(tmp_path: Path) -> None:
    """Twenty do not wait five seconds each."""
    hold = trio.Event()
    server = Server(lambda _: ConnectionFailed("no"), hold=hold)
    catalog = catalog_of(tmp_path, server)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(catalog.list_models, ONLINE)
        await wait_all_tasks_blocked()
        hold.set()

    assert len(server.asked) == 1


async def test_who_waits_takes_over_when_the_first_is_cancelled(tmp_path: Path) -> None:
    """A client that gives up must not cost the others their list."""
    hold = trio.Event()
    server = Server.of(entry("a"), hold=hold)
    catalog = catalog_of(tmp_path, server)
    lists = []

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            lists.append(slugs(await catalog.list_models(ONLINE)))

    first = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, first)
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, trio.CancelScope())
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        hold.set()

    assert lists == [["a"]]
    assert len(server.asked) == 2


# --- etags ------------------------------------------------------------------------


async def test_new_etag_leads_to_one_fetch_in_the_background(tmp_path: Path) -> None:
    """Whoever reads the stream does not wait, and the same etag again leads to none."""
    hold = trio.Event()
    server = Server.of(entry("a"), etag="1", hold=hold)

    async with catalog_of(tmp_path, server) as catalog:
        quiet = Quiet(catalog)
        for _ in range(5):
            catalog.heard_etag("1")
        await quiet.settle()
        before = slugs(catalog.presets)
        hold.set()
        await quiet.hear("1", "1")

        assert (before, slugs(catalog.presets)) == (OWN, ["a"])
    assert server.asked == [None]


async def test_list_without_an_etag_goes_by_the_one_that_was_heard(tmp_path: Path) -> None:
    """Or each response would lead to a fetch."""
    server = Server.of(entry("a"), etag=None)

    async with catalog_of(tmp_path, server) as catalog:
        await Quiet(catalog).hear("1", "1", "1")
        assert catalog.statistics().etag == "1"

    assert server.asked == [None]
    assert read(tmp_path).etag == "1"


async def test_online_refresh_without_an_etag_keeps_the_one_there_is(tmp_path: Path) -> None:
    """Nothing says that it changed."""
    server = Server.of(entry("a"), etag="1")

    async with catalog_of(tmp_path, server) as catalog:
        await catalog.list_models(ONLINE)
        server.answer = lambda _: FetchedModels(models=listed(entry("b")), etag=None)
        await catalog.list_models(ONLINE)
        await Quiet(catalog).hear("1")

        assert slugs(catalog.presets) == ["b"]
    assert server.asked == [None, "1"]


async def test_server_with_two_opinions_is_asked_once_in_five_minutes(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """Its responses may name another etag than its list."""
    server = Server.of(entry("a"), etag="list")

    async with catalog_of(tmp_path, server, world=moving()) as catalog:
        quiet = Quiet(catalog)
        await quiet.hear("response", "response", "list", "response")
        first = len(server.asked)
        mock_clock.jump(TTL + 1)
        await quiet.hear("response", "response")

    assert (first, len(server.asked)) == (1, 2)


async def test_list_that_did_not_change_stays(tmp_path: Path) -> None:
    """Under its new name."""
    write(tmp_path, entry("cached"))
    server = Server(lambda _: FetchedModels(models=None, etag="2"))

    async with catalog_of(tmp_path, server) as catalog:
        quiet = Quiet(catalog)
        await quiet.settle()
        await quiet.hear("2", "2")

        assert slugs(catalog.presets) == ["cached"]
    assert server.asked == ["cached"]
    assert (read(tmp_path).etag, read(tmp_path).models) == ("2", listed(entry("cached")))


async def test_known_etag_renews_the_cache_at_most_once_a_minute(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """The server has just confirmed it; not for each response a file is written."""
    server = Server.of(entry("a"), etag="1")
    times = []

    async with catalog_of(tmp_path, server, world=moving()) as catalog:
        await catalog.list_models(ONLINE)
        for seconds in (1, 58, 1, 1):
            mock_clock.jump(seconds)
            await Quiet(catalog).hear("1")
            times.append(read(tmp_path).fetched_at - NOON)

    assert times == [0, 0, 60, 60]
    assert len(server.asked) == 1


async def test_failed_fetch_is_not_repeated_for_each_response(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """A minute later it is."""
    server = Server.failing(ConnectionFailed("no"))

    async with catalog_of(tmp_path, server, world=moving()) as catalog:
        quiet = Quiet(catalog)
        await quiet.hear("1", "1", "2")
        first = len(server.asked)
        mock_clock.jump(60)
        await quiet.hear("2")

    assert (first, len(server.asked)) == (1, 2)


async def test_bug_in_the_background_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mock_clock: MockClock
) -> None:
    """It is logged as a crash, and the next etag is followed again."""
    server = Server(lambda _: LookupError("bug"))

    async with catalog_of(tmp_path, server, world=moving()) as catalog:
        quiet = Quiet(catalog)
        await quiet.hear("1")
        server.answer = lambda _: FetchedModels(models=listed(entry("a")), etag="2")
        mock_clock.jump(60)
        await quiet.hear("2")

        assert slugs(catalog.presets) == ["a"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_fetch_of_a_client_answers_the_etag_heard_meanwhile(tmp_path: Path) -> None:
    """They wait for the same lock; the second finds nothing left to do."""
    hold = trio.Event()
    server = Server.of(entry("a"), etag="1", hold=hold)

    async with catalog_of(tmp_path, server) as catalog:
        quiet = Quiet(catalog)
        await quiet.settle()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(catalog.list_models, ONLINE)
            await wait_all_tasks_blocked()
            catalog.heard_etag("1")
            await wait_all_tasks_blocked()
            hold.set()
        await quiet.settle()

    assert server.asked == [None]


async def test_etags_of_openai_are_followed_for_chatgpt_accounts_only(tmp_path: Path) -> None:
    """Also one that logged in meanwhile."""
    accounts = Accounts(AuthMode.API_KEY)
    server = Server.of(entry("a"), etag="1")

    async with catalog_of(tmp_path, server, OPENAI, accounts=accounts) as catalog:
        quiet = Quiet(catalog)
        await quiet.hear("1")
        before = len(server.asked)
        accounts.mode = AuthMode.CHATGPT
        await quiet.hear("1")

        assert "a" in slugs(catalog.presets)
    assert (before, len(server.asked)) == (0, 1)


async def test_etag_of_a_real_response_leads_to_one_request_for_models(tmp_path: Path) -> None:
    """Which no stream waits for."""
    replies = [answer(headers=(("X-Models-Etag", "2"),)) for _ in range(3)]
    fetched = trio.Event()

    with trio.fail_after(10):
        async with open_mock_responses(replies) as server:
            info = ProviderInfo(id="mock", name="Mock", base_url=server.base_url)
            ask_server = http_models_fetch(info, environ={}, version="0.1.0")

            async def fetch(etag: str | None, /) -> FetchedModels:
                models = await ask_server(etag)
                fetched.set()
                return models

            async with (
                catalog_of(tmp_path, fetch, info) as catalog,
                ResponsesProvider(info=info, on_models_etag=catalog.heard_etag) as provider,
            ):
                for _ in replies:
                    await ask(provider, request_of("hi"))
                await fetched.wait()
                await Quiet(catalog).hear("2")
                assert catalog.statistics().etag == "2"

    assert [request.path for request in server.other_requests] == ["/v1/models"]
