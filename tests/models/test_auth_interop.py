"""The login goes back and forth between Treadle and the real Codex."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import trio

from actors.models import Account, AuthManager, AuthMode, Credentials
from tests.interop.codex_binary import codex_executable, why_no_codex
from tests.interop.mock_responses import Refusal, open_mock_responses
from tests.models.logins import chatgpt, manager_of, read_login, world_at, write_login

pytestmark = [pytest.mark.interop, pytest.mark.slow]


@pytest.fixture
def codex() -> Path:
    executable = codex_executable()
    if executable is None:
        pytest.skip(why_no_codex())
    return executable


async def run(codex: Path, home: Path, *arguments: str, stdin: str = "") -> str:
    """Run one command of Codex's; return what it says."""
    done = await trio.run_process(
        [str(codex), *arguments],
        stdin=stdin.encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home)},
    )
    return (done.stdout + done.stderr).decode()


async def test_key_that_codex_stored_is_ours_and_ours_is_codexs(
    codex: Path, tmp_path: Path
) -> None:
    """And either may log out."""
    manager = manager_of(tmp_path)

    await run(codex, tmp_path, "login", "--with-api-key", stdin="sk-codex-1234567890\n")
    theirs = (tmp_path / "auth.json").read_bytes()
    assert await manager.credentials() == Credentials(
        token="sk-codex-1234567890", mode=AuthMode.API_KEY
    )

    await manager.login_with_api_key("sk-codex-1234567890")
    assert (tmp_path / "auth.json").read_bytes() == theirs
    assert "Logged in using an API key" in await run(codex, tmp_path, "login", "status")

    await run(codex, tmp_path, "logout")
    assert await manager.credentials() is None

    await manager.login_with_api_key("sk-ours-1234567890")
    assert await manager.logout()
    assert "Not logged in" in await run(codex, tmp_path, "login", "status")


async def test_tokens_that_we_renewed_are_codexs(codex: Path, tmp_path: Path) -> None:
    """It sees the plan's login in the file that we wrote."""
    write_login(tmp_path, days_old=9)
    tokens = {"access_token": "access-token-2", "refresh_token": "refresh-token-2"}
    script = [Refusal(status=200, body=json.dumps(tokens).encode())]

    async with open_mock_responses(script) as server:
        environ = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{server.base_url}/responses"}
        manager = AuthManager(home=tmp_path, environ=environ, world=world_at())
        assert await manager.credentials() == chatgpt("access-token-2")

    assert read_login(tmp_path)["tokens"]["refresh_token"] == "refresh-token-2"
    assert "Logged in using ChatGPT" in await run(codex, tmp_path, "login", "status")
    assert await manager.account() == Account(
        mode=AuthMode.CHATGPT, email="ann@example.org", plan_type="plus", account_id="workspace"
    )
