"""Who is logged in, and when tokens are renewed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.models import (
    Account,
    AuthManager,
    AuthMode,
    CredentialsError,
    CredentialStore,
    CredentialStoreUnsupported,
    RefreshTokenFailed,
    stored_auth_mode,
)
from actors.models import auth_file as file_module
from actors.runtime import World
from tests.models.logins import TokenService, chatgpt, manager_of, read_login, write_login

from .auth_stage import KEY, disk_full, refusing

# --- who gives credentials ---------------------------------------------------


async def test_nobody_is_logged_in_in_a_new_home(tmp_path: Path) -> None:
    """And asking makes nothing."""
    manager = manager_of(tmp_path / "home")

    assert await manager.credentials() is None
    assert await manager.account() is None
    assert await manager.recover(chatgpt()) is None
    assert await manager.logout() is False
    assert stored_auth_mode(tmp_path / "home", {}) is None


async def test_key_of_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """The file is not even looked at."""
    (tmp_path / "auth.json").write_text("garbage")
    manager = manager_of(tmp_path, CODEX_API_KEY=" sk-1 ")

    assert await manager.credentials() == KEY
    assert await manager.account() == Account(mode=AuthMode.API_KEY)
    assert stored_auth_mode(tmp_path, {"CODEX_API_KEY": "sk-1"}) is AuthMode.API_KEY


async def test_login_of_another_process_counts_at_once(tmp_path: Path) -> None:
    """So does its logout; nothing has to be reloaded."""
    manager, other = manager_of(tmp_path), manager_of(tmp_path)

    await other.login_with_api_key(" sk-1\n")
    assert await manager.credentials() == KEY
    assert stored_auth_mode(tmp_path, {}) is AuthMode.API_KEY

    assert await other.logout() is True
    assert await other.logout() is False
    assert await manager.credentials() is None


async def test_login_with_a_key_drops_the_tokens(tmp_path: Path) -> None:
    """There is one login at a time."""
    write_login(tmp_path)

    await manager_of(tmp_path).login_with_api_key("sk-1")

    assert read_login(tmp_path) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}


@pytest.mark.parametrize("key", ["", "  ", "sk secret", "sk-\nsecret", "sk-sécret"])
async def test_what_is_no_key_is_not_stored(tmp_path: Path, key: str) -> None:
    """And not repeated."""
    with pytest.raises(CredentialsError, match="expected an API key") as caught:
        await manager_of(tmp_path).login_with_api_key(key)

    assert "cret" not in str(caught.value)
    assert not (tmp_path / "auth.json").exists()


async def test_login_that_cannot_be_stored_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one stays."""
    write_login(tmp_path)
    monkeypatch.setattr(file_module, "replace_file", disk_full)

    with pytest.raises(CredentialsError, match="they cannot be written: No space left"):
        await manager_of(tmp_path).login_with_api_key("sk-1")

    assert await manager_of(tmp_path).credentials() == chatgpt()


async def test_file_that_is_just_being_written_is_read_again(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """Codex writes in place, and what is read may be half of it."""
    members = write_login(tmp_path)
    path = tmp_path / "auth.json"
    path.write_text('{"auth_mode": "chatg')
    manager, got = manager_of(tmp_path), []

    async def ask() -> None:
        got.append(await manager.credentials())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        while trio.lowlevel.current_statistics().seconds_to_next_deadline > 1:
            await trio.to_thread.run_sync(lambda: None)
        path.write_text(json.dumps(members))
        mock_clock.jump(0.1)

    assert got == [chatgpt()]


async def test_account_is_told_from_the_id_token(tmp_path: Path) -> None:
    """For `treadle login` and clients that show who it is."""
    write_login(tmp_path)

    assert await manager_of(tmp_path).account() == Account(
        mode=AuthMode.CHATGPT, email="ann@example.org", plan_type="plus", account_id="workspace"
    )


@pytest.mark.parametrize("store", [s for s in CredentialStore if s is not CredentialStore.FILE])
def test_store_that_we_do_not_have_is_refused(store: CredentialStore, tmp_path: Path) -> None:
    """When the configuration asks for it, not when it is used."""
    with pytest.raises(CredentialStoreUnsupported, match=f"store '{store.value}': only 'file'"):
        AuthManager(home=tmp_path, environ={}, world=World.system(), store=store)


# --- when tokens are renewed -------------------------------------------------


@pytest.mark.parametrize(("days_old", "renewed"), [(-1, 0), (0, 0), (7.9, 0), (8.1, 1), (400, 1)])
async def test_tokens_are_renewed_after_eight_days(
    tmp_path: Path, days_old: float, renewed: int
) -> None:
    """Before they are refused."""
    write_login(tmp_path, days_old=days_old)
    service = TokenService()

    credentials = await manager_of(tmp_path, service).credentials()

    assert len(service.spent) == renewed
    assert credentials == chatgpt(f"access-token-{1 + renewed}")


async def test_renewal_is_stored_for_codex_too(tmp_path: Path) -> None:
    """What the service left out stays; the time is that of the world."""
    before = write_login(tmp_path, days_old=9, more="kept")
    service = TokenService()

    await manager_of(tmp_path, service).credentials()

    assert read_login(tmp_path) == {
        **before,
        "tokens": {
            **before["tokens"],
            "access_token": "access-token-2",
            "refresh_token": "refresh-token-2",
        },
        "last_refresh": "2026-01-01T00:00:00Z",
    }
    assert await manager_of(tmp_path).credentials() == chatgpt("access-token-2")


@pytest.mark.parametrize("service", [refusing(500), refusing(401, "refresh_token_expired")])
async def test_old_tokens_do_when_they_cannot_be_renewed(
    tmp_path: Path, service: TokenService, caplog: pytest.LogCaptureFixture, mock_clock: MockClock
) -> None:
    """They may still be good; the service is left alone for a minute."""
    write_login(tmp_path, days_old=9)
    manager = manager_of(tmp_path, service)
    transient = service.answer(1).status_code == 500

    for _ in range(3):
        assert await manager.credentials() == chatgpt()
    assert len(service.spent) == 1
    assert caplog.text.count("the login was not renewed, and is used as it is") == 1

    mock_clock.jump(61)
    assert await manager.credentials() == chatgpt()
    assert len(service.spent) == (2 if transient else 1)


async def test_keys_are_never_renewed(tmp_path: Path) -> None:
    """There is nothing to renew them with."""
    service = TokenService()
    manager = manager_of(tmp_path, service)
    await manager.login_with_api_key("sk-1")

    assert await manager.recover(KEY) is None
    assert service.spent == []


# --- what others see ---------------------------------------------------------


async def test_manager_never_shows_its_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither when it is printed nor in what it logs."""
    caplog.set_level(logging.DEBUG)
    write_login(tmp_path, days_old=9)
    manager = manager_of(tmp_path, refusing(401), OPENAI_API_KEY="sk-secret")
    await manager.credentials()
    with pytest.raises(RefreshTokenFailed) as caught:
        await manager.recover(chatgpt())

    for shown in (repr(manager), caplog.text, str(caught.value), repr(chatgpt())):
        assert "token-1" not in shown
        assert "sk-secret" not in shown
    assert repr(manager) == f"AuthManager(home={tmp_path!r}, store=<CredentialStore.FILE: 'file'>)"
