"""The user's ``config.toml``, with the keys and meanings that Codex gives them."""

from __future__ import annotations

import os.path
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from actors.models import SCRIPTED_PROVIDER, ProviderInfo, WireApi
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from messages.value import Json

from .builtin_providers import OPENAI, OPENAI_PROVIDER
from .config_table import ConfigTable
from .errors import ConfigError

__all__ = ["Config", "load_config"]

_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
_SANDBOX_MODES: Final = ("read-only", "workspace-write", "danger-full-access")


@attrs.frozen(kw_only=True)
class Config:
    """
    What the user configured, with defaults for the rest.

    Attributes:
        path: The file; it need not exist.
        model: None asks for the provider's default.
        model_provider: One of `providers`.
        providers: By id; those of the house and the user's.
    """

    path: Path
    model: str | None = None
    model_provider: str = OPENAI
    providers: Mapping[str, ProviderInfo]
    approval_policy: AskForApproval = AskForApproval.ON_REQUEST
    sandbox_policy: SandboxPolicy = attrs.field(factory=ReadOnly)


def load_config(home: Path) -> Config:
    """
    Read ``config.toml`` of a home; without such a file everything has its default.

    Read are ``model``, ``model_provider``, ``[model_providers.*]``,
    ``approval_policy``, ``sandbox_mode`` and ``[sandbox_workspace_write]``.  Other
    keys are left alone without a word, because a file that Codex uses too has
    many of them.

    Blocks while it reads; call it before the work begins.

    Raises:
        ConfigError: The file cannot be read or is no TOML, or one of those keys
            has a value it cannot have.
    """
    path = home / "config.toml"
    table = ConfigTable(_parse(path), str(path))
    return Config(
        path=path,
        model=table.text("model"),
        providers=(providers := _providers(table)),
        model_provider=_chosen(table, providers),
        approval_policy=_approval_policy(table),
        sandbox_policy=_sandbox_policy(table, home),
    )


def _parse(path: Path) -> Mapping[str, Json]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as exc:
        raise ConfigError(str(path), "", f"it is no UTF-8 text: {exc}") from exc
    except OSError as exc:
        raise ConfigError(str(path), "", f"it cannot be read: {exc.strerror or exc}") from exc
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(str(path), "", "it is nested too deep") from None
    except ValueError as exc:  # TOMLDecodeError is one; so is a number with too many digits
        line = _LINE.search(str(exc))
        number = None if line is None else int(line[1])
        raise ConfigError(str(path), "", f"it is no TOML: {exc}", number) from exc


def _providers(table: ConfigTable) -> Mapping[str, ProviderInfo]:
    own = {provider.id: provider for provider in (OPENAI_PROVIDER, SCRIPTED_PROVIDER)}
    users: dict[str, ProviderInfo] = {}
    for name, entry in table.tables("model_providers"):
        if name in own:
            entry.refuse("", "this name is taken by a provider of the house; choose another")
        users[name] = _provider(name, entry)
    return {**own, **users}


def _provider(name: str, table: ConfigTable) -> ProviderInfo:
    wire_api = table.choice("wire_api", [api.value for api in WireApi])
    base_url = table.text("base_url")
    if base_url is not None and not re.fullmatch(r"https?://[^/\s]+\S*", base_url):
        table.refuse("base_url", f"expected a URL with http or https, got {base_url!r}")
    default = ProviderInfo(id=name, name=name)
    return ProviderInfo(
        id=name,
        name=table.text("name") or name,
        base_url=base_url,
        env_key=table.text("env_key"),
        env_key_instructions=table.text("env_key_instructions"),
        experimental_bearer_token=table.text("experimental_bearer_token"),
        wire_api=default.wire_api if wire_api is None else WireApi(wire_api),
        query_params=table.texts("query_params"),
        http_headers=table.texts("http_headers"),
        env_http_headers=table.texts("env_http_headers"),
        request_max_retries=table.integer("request_max_retries", default.request_max_retries),
        stream_max_retries=table.integer("stream_max_retries", default.stream_max_retries),
        stream_idle_timeout_ms=table.integer(
            "stream_idle_timeout_ms", default.stream_idle_timeout_ms, least=1
        ),
        requires_openai_auth=table.flag("requires_openai_auth"),
    )


def _chosen(table: ConfigTable, providers: Mapping[str, ProviderInfo]) -> str:
    name = table.text("model_provider")
    if name is None:
        return OPENAI
    if name not in providers:
        known = ", ".join(providers)
        table.refuse(
            "model_provider",
            f"there is no provider {name!r}; known: {known}; "
            f"add [model_providers.{name}] or choose one of these",
        )
    return name


def _approval_policy(table: ConfigTable) -> AskForApproval:
    value = table.choice("approval_policy", [policy.value for policy in AskForApproval])
    return AskForApproval.ON_REQUEST if value is None else AskForApproval(value)


def _sandbox_policy(table: ConfigTable, home: Path) -> SandboxPolicy:
    # Read in any mode, so that a mistake in it does not wait for a change of mode.
    workspace = _workspace(table.table("sandbox_workspace_write"), home)
    match table.choice("sandbox_mode", _SANDBOX_MODES):
        case "workspace-write":
            return workspace
        case "danger-full-access":
            return DangerFullAccess()
        case _:
            return ReadOnly()


def _workspace(table: ConfigTable, home: Path) -> WorkspaceWrite:
    return WorkspaceWrite(
        writable_roots=tuple(
            _root(table, home, root) for root in table.text_list("writable_roots")
        ),
        network_access=table.flag("network_access"),
        exclude_tmpdir_env_var=table.flag("exclude_tmpdir_env_var"),
        exclude_slash_tmp=table.flag("exclude_slash_tmp"),
    )


def _root(table: ConfigTable, home: Path, root: str) -> str:
    # Codex takes a relative root from the folder of the file, and "~" for the user's home.
    try:
        return os.path.normpath(home / Path(root).expanduser())
    except RuntimeError as exc:  # "~somebody", and there is nobody of that name
        table.refuse("writable_roots", f"{root!r} names no folder: {exc}")
