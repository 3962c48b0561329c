"""Renewed tokens must not be lost, whatever happens to the file, the task or the login."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import CredentialsError
from actors.models import auth_file as file_module
from tests.interop.mock_responses import MockResponses, Refusal, open_mock_responses
from tests.models.logins import TokenService, chatgpt, manager_of, read_login, write_login

from .auth_stage import disk_full


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
        broken.setattr(file_module, "replace_file", disk_full)
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
        broken.setattr(file_module, "replace_file", disk_full)
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
            for _ in range(2):
                nursery.start_soon(run, server)

    assert outputs == ["access-token-2"] * 2
    assert len(server.requests) == 1
