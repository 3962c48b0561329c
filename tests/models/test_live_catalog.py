"""The catalog as it stands: where its list comes from, and for whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import (
    SCRIPTED_PROVIDER,
    AuthMode,
    ConnectionFailed,
    CredentialsError,
    RefreshStrategy,
    find_model_info,
    http_models_fetch,
)
from actors.models.models_cache import CACHE_NAME, TTL, CachedModels
from tests.models.logins import manager_of, write_login
from tests.models.model_lists import (
    NOON,
    OPENAI,
    OTHER,
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
from tests.waiting import PATIENCE

ONLINE, OFFLINE = RefreshStrategy.ONLINE, RefreshStrategy.OFFLINE
ONLINE_IF_UNCACHED = RefreshStrategy.ONLINE_IF_UNCACHED


# --- strategies -----------------------------------------------------------------


def test_catalog_begins_with_our_own_list(tmp_path: Path) -> None:
    """Without file, network or waiting."""
    catalog = catalog_of(tmp_path, None)

    assert slugs(catalog.presets) == OWN
    assert catalog.default == "gpt-5.2-codex"
    assert catalog.model_info("gpt-5.2-x") == find_model_info("gpt-5.2-x")
    assert [*tmp_path.iterdir()] == []


async def test_online_asks_the_server_and_fills_the_cache(tmp_path: Path) -> None:
    """The next program finds it there."""
    server = Server.of(entry("a"), etag="1")

    presets = await catalog_of(tmp_path, server).list_models(ONLINE)
    again = await catalog_of(tmp_path, None).list_models(OFFLINE)

    assert slugs(presets) == ["a"]
    assert again == presets
    assert read(tmp_path) == CachedModels(
        fetched_at=NOON,
        etag="1",
        client_version="0.1.0",
        base_url=OTHER.base_url,
        models=listed(entry("a")),
    )


async def test_offline_never_asks(tmp_path: Path) -> None:
    """Also when there is no cache."""
    server = Server.of(entry("a"))

    assert slugs(await catalog_of(tmp_path, server).list_models(OFFLINE)) == OWN
    assert server.asked == []


async def test_online_if_uncached_asks_only_once_in_five_minutes(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """A list that the server confirms is fresh for another five."""
    server = Server.of(entry("a"), etag="1")
    catalog = catalog_of(tmp_path, server, world=moving())

    asked = []
    for seconds in (0, TTL, 1, TTL - 1, 1, 1):
        mock_clock.jump(seconds)
        assert slugs(await catalog.list_models(ONLINE_IF_UNCACHED)) == ["a"]
        asked.append(len(server.asked))

    assert asked == [1, 1, 2, 2, 2, 3]
    assert server.asked == [None, "1", "1"]


async def test_fresh_cache_is_as_good_as_the_server(tmp_path: Path) -> None:
    """The file of another program too."""
    write(tmp_path, entry("cached"))
    server = Server.of(entry("a"))

    assert slugs(await catalog_of(tmp_path, server).list_models(ONLINE_IF_UNCACHED)) == ["cached"]
    assert server.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"fetched_at": NOON - TTL - 1},
        {"fetched_at": NOON + TTL + 1},
        {"client_version": "0.1.1"},
        {"client_version": ""},
        {"base_url": "http://third/v1"},
        {"base_url": None},
    ],
)
async def test_cache_of_another_time_client_or_provider_is_a_miss(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Offline there is our own list then."""
    write(tmp_path, entry("cached"), **changes)
    server = Server.of(entry("a"))

    assert slugs(await catalog_of(tmp_path, None).list_models(OFFLINE)) == OWN
    assert slugs(await catalog_of(tmp_path, server).list_models(ONLINE_IF_UNCACHED)) == ["a"]


async def test_cache_of_codex_is_good_for_openai(tmp_path: Path) -> None:
    """It has no address; hidden models and priorities come with it."""
    write(tmp_path, entry("a", priority=-1, visibility="hide"), base_url=None)

    presets = await catalog_of(tmp_path, None, OPENAI).list_models(OFFLINE)

    assert slugs(presets) == ["a", *OWN]
    assert [preset.model for preset in presets if preset.is_default] == ["gpt-5.2-codex"]


async def test_corrupt_cache_is_a_miss(tmp_path: Path) -> None:
    """And is repaired by the next fetch."""
    (tmp_path / CACHE_NAME).write_text("{")
    server = Server.of(entry("a"))

    assert slugs(await catalog_of(tmp_path, server).list_models(ONLINE_IF_UNCACHED)) == ["a"]
    assert read(tmp_path).models == listed(entry("a"))


@pytest.mark.parametrize("strategy", RefreshStrategy)
async def test_catalog_that_is_not_remote_knows_its_own_list_only(
    tmp_path: Path, strategy: RefreshStrategy
) -> None:
    """No file is read or written, nobody is asked."""
    write(tmp_path, entry("cached"))
    server = Server.of(entry("a"))

    async with catalog_of(tmp_path, server, remote=False) as catalog:
        catalog.heard_etag("new")
        await wait_all_tasks_blocked()
        assert slugs(await catalog.list_models(strategy)) == OWN

    assert server.asked == []


async def test_default_is_what_the_list_says(tmp_path: Path) -> None:
    """The provider's own if it is in the list, else the first; OpenAI's list decides alone."""
    other = attrs.evolve(OTHER, default_model="b")
    fetched = Server.of(entry("z", priority=0), entry("b"))
    chatgpt = Accounts(AuthMode.CHATGPT)

    assert await catalog_of(tmp_path / "1", fetched, other).default_model(ONLINE) == "b"
    assert await catalog_of(tmp_path / "2", fetched).default_model(ONLINE) == "z"
    openai = catalog_of(tmp_path / "3", fetched, OPENAI, accounts=chatgpt)
    assert await openai.default_model(ONLINE) == "z"
    scripted = catalog_of(tmp_path / "4", None, SCRIPTED_PROVIDER)
    assert await scripted.default_model(ONLINE) == "scripted"


async def test_answer_changes_what_models_can_do(tmp_path: Path) -> None:
    """From then on, at once."""
    catalog = catalog_of(tmp_path, Server.of(entry("gpt-5.2", context_window=7)))
    before = catalog.model_info("gpt-5.2").context_window

    await catalog.list_models(ONLINE)

    assert (before, catalog.model_info("gpt-5.2").context_window) == (272_000, 7)


# --- logins ---------------------------------------------------------------------


async def test_openai_is_asked_for_chatgpt_accounts_only(tmp_path: Path) -> None:
    """It is looked at each time; models that keys cannot use show with an account."""
    accounts = Accounts()
    server = Server.of(entry("a", supported_in_api=False))
    catalog = catalog_of(tmp_path, server, OPENAI, accounts=accounts)
    lists = []

    for mode in (None, AuthMode.API_KEY, AuthMode.CHATGPT, AuthMode.API_KEY):
        accounts.mode = mode
        lists.append("a" in slugs(await catalog.list_models(ONLINE)))

    assert lists == [False, False, True, False]
    assert len(server.asked) == 1


async def test_login_that_cannot_be_read_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The list is no reason to fail."""
    accounts = Accounts(error=CredentialsError(tmp_path / "auth.json", "no JSON"))
    catalog = catalog_of(tmp_path, Server.of(entry("a")), OPENAI, accounts=accounts)

    assert slugs(await catalog.list_models(ONLINE)) == OWN
    assert "without a login" in caplog.text


async def test_openai_lists_are_kept_for_the_address_they_came_from(tmp_path: Path) -> None:
    """A key's list is not an account's."""
    accounts = Accounts(AuthMode.CHATGPT)
    server = Server.of(entry("a"))

    await catalog_of(tmp_path, server, OPENAI, accounts=accounts).list_models(ONLINE)

    assert read(tmp_path).base_url == "https://chatgpt.com/backend-api/codex"
    with_key = catalog_of(tmp_path, server, OPENAI, accounts=Accounts(AuthMode.API_KEY))
    assert slugs(await with_key.list_models(OFFLINE)) == OWN


async def test_login_of_the_home_is_the_one_that_counts(tmp_path: Path) -> None:
    """The real one, of which Codex knows too."""
    write_login(tmp_path)
    login = manager_of(tmp_path)
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"models": [entry("a", supported_in_api=False)]})

    def open_client() -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(handle))

    fetch = http_models_fetch(
        OPENAI, environ={}, version="0.1.0", auth=login, open_client=open_client
    )
    catalog = catalog_of(tmp_path, fetch, OPENAI, accounts=login)

    assert "a" in slugs(await catalog.list_models(ONLINE_IF_UNCACHED))
    assert [request.headers["authorization"] for request in asked] == ["Bearer access-token-1"]
    assert await login.logout()
    assert "a" not in slugs(await catalog.list_models(ONLINE))
    assert len(asked) == 1


# --- failures -------------------------------------------------------------------


async def test_failed_fetch_keeps_what_was_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged in one short line."""
    server = Server.of(entry("a"))
    catalog = catalog_of(tmp_path, server)
    before = await catalog.list_models(ONLINE)
    server.answer = lambda _: ConnectionFailed("no\nroute " + "x" * 5_000)

    assert await catalog.list_models(ONLINE) == before
    (record,) = caplog.records
    assert (
        "the models of 'other' are not refreshed: Connection failed: no route x" in record.message
    )
    assert len(record.message) < 300


async def test_cache_that_cannot_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The list is good all the same."""
    home = tmp_path / "home"
    home.write_text("a file")

    assert slugs(await catalog_of(home, Server.of(entry("a"))).list_models(ONLINE)) == ["a"]
    assert "the cache of models is not written" in caplog.text


async def test_bug_of_a_fetch_is_told_to_who_asked(tmp_path: Path) -> None:
    """It is no failure of the network."""
    catalog = catalog_of(tmp_path, Server(lambda _: LookupError("bug")))

    with pytest.raises(LookupError):
        await catalog.list_models(ONLINE)

    assert slugs(catalog.presets) == OWN


async def test_empty_answer_keeps_our_list(tmp_path: Path) -> None:
    """Nobody has no models."""
    assert slugs(await catalog_of(tmp_path, Server.of()).list_models(ONLINE)) == OWN


# --- the block ----------------------------------------------------------------------


async def test_block_reads_the_cache_in_the_background(tmp_path: Path) -> None:
    """Entering does not wait for it."""
    write(tmp_path, entry("cached"))

    async with catalog_of(tmp_path, None) as catalog:
        before = slugs(catalog.presets)
        await Quiet(catalog).settle()
        assert (before, slugs(catalog.presets)) == (OWN, ["cached"])


async def test_outside_of_the_block_etags_are_not_heard(tmp_path: Path) -> None:
    """There is nobody who could act on them."""
    server = Server.of(entry("a"))
    catalog = catalog_of(tmp_path, server)

    catalog.heard_etag("1")
    async with catalog:
        await Quiet(catalog).settle()
    catalog.heard_etag("2")
    await Quiet(catalog).settle()

    assert server.asked == []


async def test_leaving_the_block_drops_a_fetch(tmp_path: Path) -> None:
    """Nobody waits for a server that does not answer."""
    server = Server.of(entry("a"), hold=trio.Event())

    with trio.fail_after(PATIENCE):
        async with catalog_of(tmp_path, server) as catalog:
            await Quiet(catalog).hear("1")

    assert server.asked == [None]
    assert slugs(catalog.presets) == OWN


async def test_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    """Not in a group; and a catalog is entered once."""
    catalog = catalog_of(tmp_path, None)

    with pytest.raises(LookupError):
        async with catalog:
            raise LookupError

    with pytest.raises(RuntimeError, match="make a new one"):
        async with catalog:
            pass


async def test_catalog_says_how_it_stands(tmp_path: Path) -> None:
    """In numbers and in its repr."""
    catalog = catalog_of(tmp_path, Server.of(entry("a"), entry("b"), etag="1"))

    await catalog.list_models(ONLINE)

    assert attrs.asdict(catalog.statistics()) == {
        "models": 2,
        "told": 2,
        "etag": "1",
        "fetched_at": NOON,
        "fetches": 1,
    }
    assert repr(catalog) == "<ModelCatalog of 'other': 2 models, 2 told, 1 fetches>"


async def test_cache_is_json_that_codex_can_read(tmp_path: Path) -> None:
    """Each model with every member that it requires, whatever the server left out."""
    await catalog_of(tmp_path, Server.of({"slug": "bare"})).list_models(ONLINE)

    (model,) = json.loads((tmp_path / CACHE_NAME).read_text())["models"]

    assert {*entry("bare")} <= {*model}
