"""The login: who gives it, who renews it, and how many times."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import (
    Account,
    AuthManager,
    AuthMode,
    Credentials,
    CredentialsError,
    CredentialStore,
    CredentialStoreUnsupported,
    ModelError,
    RefreshFailure,
    RefreshTokenFailed,
    TokenRefreshFailed,
    stored_auth_mode,
)
from actors.models import auth_file as file_module
from actors.runtime import World
from tests.interop.mock_responses import MockResponses, Refusal, open_mock_responses
from tests.models.logins import (
    TokenService,
    chatgpt,
    manager_of,
    read_login,
    write_login,
)

KEY = Credentials(token="sk-1", mode=AuthMode.API_KEY)


def refusing(status: int, code: str = "") -> TokenService:
    return TokenService(lambda _: httpx2.Response(status, json={"error": {"code": code}}))


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
    monkeypatch.setattr(file_module, "_write", _full)

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


# --- recovery from a 401 -----------------------------------------------------


async def test_refused_token_is_renewed(tmp_path: Path) -> None:
    """However young it is."""
    write_login(tmp_path)
    service = TokenService()

    assert await manager_of(tmp_path, service).recover(chatgpt()) == chatgpt("access-token-2")
    assert service.spent == ["refresh-token-1"]


async def test_token_that_was_renewed_meanwhile_is_taken_from_the_file(tmp_path: Path) -> None:
    """By another process; the refresh token stays unspent."""
    write_login(tmp_path, access_token="access-token-7")
    service = TokenService()

    recovered = await manager_of(tmp_path, service).recover(chatgpt("access-token-6"))

    assert recovered == chatgpt("access-token-7")
    assert service.spent == []


async def test_login_with_a_key_meanwhile_recovers_too(tmp_path: Path) -> None:
    """The user has said with what to go on."""
    await manager_of(tmp_path).login_with_api_key("sk-1")

    assert await manager_of(tmp_path).recover(chatgpt()) == KEY


async def test_many_that_are_refused_at_once_spend_one_refresh_token(tmp_path: Path) -> None:
    """One asks, all have the answer (L34); over two managers as over two processes."""
    write_login(tmp_path)
    service = TokenService(gate=trio.Event())
    managers = [manager_of(tmp_path, service) for _ in range(2)]
    got: list[Credentials | None] = []

    async def recover(manager: AuthManager) -> None:
        got.append(await manager.recover(chatgpt()))

    async with trio.open_nursery() as nursery:
        for manager in managers * 5:
            nursery.start_soon(recover, manager)
        await service.arrived.wait()
        await wait_all_tasks_blocked(0.01)
        assert service.gate is not None
        service.gate.set()

    assert got == [chatgpt("access-token-2")] * 10
    assert service.spent == ["refresh-token-1"]


async def test_one_manager_spends_one_refresh_token_where_files_have_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads are kept apart without them."""
    write_login(tmp_path)
    service = TokenService()
    manager = manager_of(tmp_path, service)

    def refuse(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_module.fcntl, "flock", refuse)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(manager.recover, chatgpt())

    assert service.spent == ["refresh-token-1"]


async def test_many_that_find_old_tokens_at_once_spend_one_refresh_token(tmp_path: Path) -> None:
    """The same for the eight days."""
    write_login(tmp_path, days_old=9)
    service = TokenService()
    manager = manager_of(tmp_path, service)
    got: list[Credentials | None] = []

    async def ask() -> None:
        got.append(await manager.credentials())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)

    assert got == [chatgpt("access-token-2")] * 5
    assert service.spent == ["refresh-token-1"]


@pytest.mark.parametrize("service", [refusing(503), refusing(401, "refresh_token_reused")])
async def test_those_that_waited_for_a_renewal_fail_with_it(
    tmp_path: Path, service: TokenService
) -> None:
    """Ten timeouts one after the other would help nobody."""
    write_login(tmp_path)
    service.gate = trio.Event()
    manager = manager_of(tmp_path, service)
    errors: list[ModelError] = []

    async def recover() -> None:
        with pytest.raises(ModelError) as caught:
            await manager.recover(chatgpt())
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(recover)
        await service.arrived.wait()
        await wait_all_tasks_blocked(0.01)
        service.gate.set()

    assert len({str(error) for error in errors}) == 1
    assert len(set(map(id, errors))) == 5
    assert len(service.spent) == 1


async def test_what_failed_for_now_is_tried_again_by_the_next_one(tmp_path: Path) -> None:
    """The turn waits as for any other failure, and comes back."""
    write_login(tmp_path)
    answers = iter([httpx2.Response(503), httpx2.Response(200, json={"access_token": "new"})])
    service = TokenService(lambda _: next(answers))
    manager = manager_of(tmp_path, service)

    with pytest.raises(TokenRefreshFailed) as caught:
        await manager.recover(chatgpt())

    assert caught.value.retryable
    assert await manager.recover(chatgpt()) == chatgpt("new")
    assert service.spent == ["refresh-token-1"] * 2  # still good: the service kept it


async def test_refresh_token_that_was_refused_is_not_sent_again(tmp_path: Path) -> None:
    """Until the user logs in again, which counts at once."""
    write_login(tmp_path)
    service = refusing(401, "refresh_token_invalidated")
    manager = manager_of(tmp_path, service)

    for _ in range(3):
        with pytest.raises(RefreshTokenFailed) as caught:
            await manager.recover(chatgpt())
        assert caught.value.reason is RefreshFailure.REVOKED
    assert len(service.spent) == 1

    write_login(tmp_path, access_token="access-token-8", refresh_token="refresh-token-8")
    assert await manager.recover(chatgpt()) == chatgpt("access-token-8")
    with pytest.raises(RefreshTokenFailed):
        await manager.recover(chatgpt("access-token-8"))
    assert service.spent == ["refresh-token-1", "refresh-token-8"]


async def test_login_without_a_refresh_token_asks_for_another_login(tmp_path: Path) -> None:
    """There is nothing to ask the service with."""
    write_login(tmp_path, refresh_token="")
    service = TokenService()

    with pytest.raises(RefreshTokenFailed) as caught:
        await manager_of(tmp_path, service).recover(chatgpt())

    assert caught.value.reason is RefreshFailure.OTHER
    assert service.spent == []


async def test_service_that_does_not_answer_is_given_up(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """After fifteen seconds."""
    write_login(tmp_path)
    service = TokenService(gate=trio.Event())
    manager = manager_of(tmp_path, service)
    errors: list[str] = []

    async def recover() -> None:
        with pytest.raises(TokenRefreshFailed) as caught:
            await manager.recover(chatgpt())
        errors.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recover)
        await service.arrived.wait()
        mock_clock.jump(14.9)
        await wait_all_tasks_blocked()
        assert errors == []
        mock_clock.jump(0.1)

    assert errors == [
        "Failed to refresh token: no answer within 15 s (https://auth.openai.com/oauth/token)"
    ]


# --- what must not be lost ---------------------------------------------------


async def test_cancelled_renewal_is_finished_and_stored(tmp_path: Path) -> None:
    """The refresh token is spent by then; an interrupted turn must not log the user out."""
    write_login(tmp_path)
    service = TokenService(gate=trio.Event())
    manager = manager_of(tmp_path, service)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.recover, chatgpt())
        await service.arrived.wait()
        nursery.cancel_scope.cancel()
        assert service.gate is not None
        service.gate.set()

    assert await manager_of(tmp_path).credentials() == chatgpt("access-token-2")


async def test_tokens_that_cannot_be_stored_are_used_and_stored_later(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mock_clock: MockClock,
) -> None:
    """A full disk at the wrong moment must not log the user out; also over two renewals."""
    write_login(tmp_path)
    service = TokenService()
    manager = manager_of(tmp_path, service)

    with monkeypatch.context() as broken:
        broken.setattr(file_module, "_write", _full)
        assert await manager.recover(chatgpt()) == chatgpt("access-token-2")
        assert await manager.credentials() == chatgpt("access-token-2")
        assert await manager.recover(chatgpt("access-token-2")) == chatgpt("access-token-3")
        assert await manager.credentials() == chatgpt("access-token-3")
        mock_clock.jump(61)
        assert await manager.credentials() == chatgpt("access-token-3")
    assert "they cannot be written: No space left" in caplog.text
    assert read_login(tmp_path)["tokens"]["refresh_token"] == "refresh-token-1"

    mock_clock.jump(61)
    assert await manager.credentials() == chatgpt("access-token-3")

    assert read_login(tmp_path)["tokens"]["refresh_token"] == "refresh-token-3"
    assert service.spent == ["refresh-token-1", "refresh-token-2"]


@pytest.mark.parametrize("logs_in", [True, False])
async def test_tokens_that_cannot_be_stored_yield_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs_in: bool
) -> None:
    """Whoever logs in or out meanwhile means it."""
    write_login(tmp_path)
    manager = manager_of(tmp_path, TokenService())
    with monkeypatch.context() as broken:
        broken.setattr(file_module, "_write", _full)
        await manager.recover(chatgpt())

    if logs_in:
        write_login(tmp_path, access_token="access-token-9", refresh_token="refresh-token-9")
    else:
        await manager_of(tmp_path).logout()

    assert await manager.credentials() == (chatgpt("access-token-9") if logs_in else None)


async def test_folder_that_cannot_be_written_to_spends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor could not be kept for the next start."""
    write_login(tmp_path)
    service = TokenService()

    real = os.open

    def refuse(path: Path, flags: int, mode: int = 0) -> int:
        if str(path).endswith(".lock"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, mode)

    monkeypatch.setattr(file_module.os, "open", refuse)
    with pytest.raises(CredentialsError, match="its folder cannot be written to: Read-only"):
        await manager_of(tmp_path, service).recover(chatgpt())

    assert service.spent == []


@pytest.mark.parametrize(
    ("meanwhile", "expected"),
    [
        ("logout", CredentialsError),
        ("login", chatgpt("access-token-9")),
        ("garbage", chatgpt("access-token-2")),
    ],
)
async def test_codex_may_change_the_file_while_the_service_answers(
    tmp_path: Path, meanwhile: str, expected: object
) -> None:
    """It knows nothing of our lock; what its user did last counts, and nothing comes back."""
    write_login(tmp_path)
    path = tmp_path / "auth.json"
    service = TokenService(gate=trio.Event())
    manager = manager_of(tmp_path, service)
    got: list[object] = []

    async def recover() -> None:
        try:
            got.append(await manager.recover(chatgpt()))
        except CredentialsError as error:
            got.append(type(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recover)
        await service.arrived.wait()
        match meanwhile:
            case "logout":
                path.unlink()
            case "login":
                write_login(tmp_path, access_token="access-token-9", refresh_token="r-9")
            case _:
                path.write_text("{")
        assert service.gate is not None
        service.gate.set()

    assert got == [expected]
    assert path.exists() == (meanwhile != "logout")


async def test_logout_waits_for_a_renewal_and_is_final(tmp_path: Path) -> None:
    """Else the renewal would log the user in again."""
    write_login(tmp_path)
    service = TokenService(gate=trio.Event())
    manager, other = manager_of(tmp_path, service), manager_of(tmp_path)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.recover, chatgpt())
        await service.arrived.wait()
        nursery.start_soon(other.logout)
        await wait_all_tasks_blocked(0.01)
        assert (tmp_path / "auth.json").exists()
        assert service.gate is not None
        service.gate.set()

    assert not (tmp_path / "auth.json").exists()


_OTHER_PROCESS = """
import sys, time, trio
from pathlib import Path
from actors.models import AuthManager, AuthMode, Credentials
from actors.runtime import World

async def main():
    home, url = Path(sys.argv[1]), sys.argv[2]
    environ = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": url}
    manager = AuthManager(home=home, environ=environ, world=World.system())
    failed = Credentials(token="access-token-1", mode=AuthMode.CHATGPT)
    print((await manager.recover(failed)).token)

trio.run(main)
"""


@pytest.mark.slow
async def test_two_processes_that_are_refused_at_once_spend_one_refresh_token(
    tmp_path: Path,
) -> None:
    """The lock of the file is between them, and the second finds what the first got."""
    home = tmp_path / "home"
    write_login(home)
    tokens = {"access_token": "access-token-2", "refresh_token": "refresh-token-2"}
    script = [Refusal(status=200, body=json.dumps(tokens).encode())]
    outputs: list[str] = []

    async def run(server: MockResponses) -> None:
        program = [sys.executable, "-c", _OTHER_PROCESS, home, f"{server.base_url}/responses"]
        done = await trio.run_process(
            [str(word) for word in program],
            capture_stdout=True,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        outputs.append(done.stdout.decode().strip())

    with trio.fail_after(30):
        async with open_mock_responses(script) as server, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(run, server)

    assert outputs == ["access-token-2"] * 3
    assert len(server.requests) == 1


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


def _full(path: Path, data: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
