"""The commands about the user's login: ``treadle login`` and ``treadle logout``."""

import os
from collections.abc import Mapping
from typing import Final

import trio

from actors.config import ConfigError, load_config_async, open_login
from actors.models import Account, AuthManager, AuthMode

from .errors import FAILED, UsageError
from .options import HomeOptions
from .output import Output
from .pieces import Piece, visible
from .preparation import find_home
from .requests import LoginRequest, LogoutRequest, StatusRequest
from .screen import open_screen

__all__ = ["run_login", "run_logout", "run_status"]

_STDIN: Final = 0
_LIMIT_BYTES: Final = 1 << 16
_VARIABLES: Final = ("CODEX_API_KEY", "OPENAI_API_KEY")


async def run_login(request: LoginRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Keep the key that is on standard input.

    Raises:
        UsageError: There is none.
        ConfigError, CredentialsError: It cannot be kept.
    """
    manager = await _manager(request.options, environ)
    if os.isatty(_STDIN):
        raise UsageError(
            "no key on standard input: pipe it in, as in "
            "'printenv OPENAI_API_KEY | treadle login --with-api-key'"
        )
    # Abandoned when cancelled: nothing wakes a thread that reads from a pipe.
    key = _key(await trio.to_thread.run_sync(_read_stdin, abandon_on_cancel=True))
    await manager.login_with_api_key(key)
    _say(output, f"the key is kept in {manager.home / 'auth.json'}")
    return 0


async def run_status(request: StatusRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Say who is logged in; the exit code is 1 when nobody is.

    Raises:
        ConfigError, CredentialsError: It cannot be told.
    """
    manager = await _manager(request.options, environ)
    account = await manager.account()
    _say(output, _who(manager, account, environ))
    return 0 if account is not None else FAILED


async def run_logout(request: LogoutRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Forget the login.

    Raises:
        ConfigError, CredentialsError: It is still there.
    """
    manager = await _manager(request.options, environ)
    there_was_one = await manager.logout()
    said = "logged out" if there_was_one else f"nobody was logged in in {manager.home}"
    left = [name for name in _VARIABLES if environ.get(name, "").strip()]
    if left:
        said += f"; the key in {left[0]} is in the environment and stays"
    _say(output, said)
    return 0


async def _manager(options: HomeOptions, environ: Mapping[str, str]) -> AuthManager:
    folder = find_home(options, environ)
    config = await load_config_async(folder, cwd=folder)
    manager = open_login(config, environ)
    if manager is None:
        store = config.credential_store.value
        problem = f"credentials in the store {store!r} are out of our reach; take 'file' or 'auto'"
        raise ConfigError(str(config.path), "cli_auth_credentials_store", problem)
    return manager


def _who(manager: AuthManager, account: Account | None, environ: Mapping[str, str]) -> str:
    if account is None:
        return f"nobody is logged in in {manager.home}"
    if account.mode is AuthMode.CHATGPT:
        plan = f", plan {account.plan_type}" if account.plan_type else ""
        return f"logged in with ChatGPT: {account.email or 'without an address'}{plan}"
    if environ.get(_VARIABLES[0], "").strip():
        return f"logged in with the API key in {_VARIABLES[0]}"
    return f"logged in with an API key, kept in {manager.home / 'auth.json'}"


def _read_stdin() -> bytes:
    # Not through sys.stdin, as for a prompt.
    parts: list[bytes] = []
    left = _LIMIT_BYTES
    try:
        while left > 0 and (part := os.read(_STDIN, left)):
            parts.append(part)
            left -= len(part)
    except OSError as exc:
        raise UsageError(f"standard input cannot be read: {exc.strerror}") from exc
    return b"".join(parts)


def _key(data: bytes) -> str:
    key = data.decode("ascii", "replace").strip()
    if not key:
        raise UsageError("the key on standard input is empty; pipe one into it")
    if len(data) >= _LIMIT_BYTES or any(c.isspace() or not c.isprintable() for c in key):
        raise UsageError("what is on standard input is no key: expected one word, without spaces")
    return key


def _say(output: Output, line: str) -> None:
    open_screen(output).show((Piece(f"{visible(line)}\n"),))
