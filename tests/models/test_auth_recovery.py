"""A credential that was refused: it is renewed once, by whoever comes first."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import httpx2
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import (
    AuthManager,
    Credentials,
    ModelError,
    RefreshFailure,
    RefreshTokenFailed,
    TokenRefreshFailed,
)
from actors.models import auth_file as file_module
from tests.models.logins import TokenService, chatgpt, manager_of, write_login

from .auth_stage import KEY, refusing


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
