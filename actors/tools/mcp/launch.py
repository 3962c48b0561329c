"""How a configured server is reached: its command and variables, or its address and headers."""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import PurePath
from typing import Final, TypeAlias, assert_never
from urllib.parse import parse_qsl, urlsplit

import attrs

from messages.tool_settings import McpHttp, McpServerConfig, McpStdio

from .errors import McpStartError, StartProblem

__all__ = ["HttpLaunch", "Launch", "Secrets", "StdioLaunch", "prepare_launch", "server_key"]

_INHERITED: Final = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
)
"""Variables that every server gets.  Source: Codex, ``rmcp-client``, ``DEFAULT_ENV_VARS``."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

_SHORTEST_SECRET: Final = 4
"""Hiding values such as ``1`` would hide half of every text, and nothing else."""


@attrs.frozen(repr=False)
class Secrets:
    """Values that must not be in any text; its own repr says how many there are."""

    _values: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> "Secrets":
        """Keep these values, and their parts when they have words, such as a bearer token."""
        words = {part for value in values for part in (value, *value.split())}
        kept = {word for word in words if len(word) >= _SHORTEST_SECRET}
        return cls(tuple(sorted(kept, key=len, reverse=True)))

    def hide(self, text: str) -> str:
        """Replace every one of them in *text*."""
        for value in self._values:
            text = text.replace(value, "[hidden]")
        return text

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._values)}>"


@attrs.frozen(kw_only=True)
class StdioLaunch:
    """A command to start, with exactly these variables."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(repr=False)
    cwd: str


@attrs.frozen(kw_only=True)
class HttpLaunch:
    """An address to talk to; headers hold the token, if there is one."""

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Launch:
    """
    One server, ready to be reached.

    Attributes:
        startup_timeout: Seconds for the handshake, and again for the list of tools.
        tool_timeout: Seconds that its slowest answer may take.
        secrets: What must not be in any text about it.
    """

    way: StdioLaunch | HttpLaunch
    startup_timeout: float
    tool_timeout: float
    secrets: Secrets


ServerKey: TypeAlias = Hashable


def server_key(config: McpServerConfig, cwd: str) -> ServerKey:
    """
    Return what two threads' servers must have in common to be one.

    Which tools are offered is not part of it, nor whether the server is required.

    Args:
        cwd: Of the thread; matters to servers that are started in it.
    """
    timeouts = (config.startup_timeout, config.tool_timeout)
    match config.transport:
        case McpStdio() as stdio:
            env = tuple(sorted(stdio.env.items()))
            place = _place(stdio, cwd)
            return ("stdio", stdio.command, stdio.args, env, stdio.env_vars, place, *timeouts)
        case McpHttp() as http:
            fixed = tuple(sorted(http.http_headers.items()))
            named = tuple(sorted(http.env_http_headers.items()))
            return ("http", http.url, http.bearer_token_env_var, fixed, named, *timeouts)
        case _:
            assert_never(config.transport)


def prepare_launch(config: McpServerConfig, cwd: str, environ: Mapping[str, str]) -> Launch:
    """
    Look up the variables that a configuration names.

    Raises:
        McpStartError: One is missing that is needed.
    """
    way: StdioLaunch | HttpLaunch
    match config.transport:
        case McpStdio() as stdio:
            way, secrets = _prepare_stdio(stdio, cwd, environ)
        case McpHttp() as http:
            way, secrets = _prepare_http(http, environ)
        case _:
            assert_never(config.transport)
    return Launch(
        way=way,
        startup_timeout=config.startup_timeout,
        tool_timeout=config.tool_timeout,
        secrets=secrets,
    )


def _prepare_stdio(
    stdio: McpStdio, cwd: str, environ: Mapping[str, str]
) -> tuple[StdioLaunch, Secrets]:
    handed_on = {name: environ[name] for name in stdio.env_vars if name in environ}
    inherited = {name: environ[name] for name in _INHERITED if name in environ}
    launch = StdioLaunch(
        command=stdio.command,
        args=stdio.args,
        env={**inherited, **handed_on, **stdio.env},
        cwd=_place(stdio, cwd),
    )
    return launch, Secrets.of((*handed_on.values(), *stdio.env.values()))


def _prepare_http(http: McpHttp, environ: Mapping[str, str]) -> tuple[HttpLaunch, Secrets]:
    headers = dict(http.http_headers)
    for name, variable in http.env_http_headers.items():
        if value := environ.get(variable, "").strip():
            headers[name] = value
    if http.bearer_token_env_var is not None:
        token = _token(http.bearer_token_env_var, environ)
        headers = {
            name: value for name, value in headers.items() if name.lower() != "authorization"
        }
        headers["Authorization"] = f"Bearer {token}"
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise McpStartError(f"header {name!r} has a name or value that HTTP does not allow")
    hidden = (*headers.values(), *_secrets_of_url(http.url))
    return HttpLaunch(url=http.url, headers=headers), Secrets.of(hidden)


def _secrets_of_url(url: str) -> tuple[str, ...]:
    """Find what an address says besides where: before the host, and behind the question mark."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise McpStartError("its url is not one") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise McpStartError("its url does not begin with http:// or https:// and a host")
    query = [value for _, value in parse_qsl(parts.query)]
    return tuple(value for value in (parts.password, *query) if value)


def _token(variable: str, environ: Mapping[str, str]) -> str:
    token = environ.get(variable)
    if token is None:
        raise McpStartError(f"environment variable {variable} is not set", StartProblem.LOGIN)
    if not token.strip():
        raise McpStartError(f"environment variable {variable} is empty", StartProblem.LOGIN)
    return token.strip()


def _place(stdio: McpStdio, cwd: str) -> str:
    """Say where a command runs; a relative folder starts at the thread's own."""
    return cwd if stdio.cwd is None else str(PurePath(cwd, stdio.cwd))
