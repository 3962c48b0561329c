"""Settings given with ``-c``, which go before those of the file."""

import os.path
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import attrs

from actors.config import OPENAI_PROVIDER, Config
from actors.config.config_table import ConfigTable
from actors.models import SCRIPTED_PROVIDER, ProviderInfo, WireApi
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    ReasoningEffort,
    SandboxPolicy,
    WorkspaceWrite,
)
from messages.value import Json

from .errors import UsageError

__all__ = ["Overrides", "read_overrides", "sandbox_of_mode"]

_Table: TypeAlias = dict[str, Json]
_Reader: TypeAlias = Callable[[ConfigTable, str], Any]

_SOURCE: Final = "--config"
_HOUSE: Final = (OPENAI_PROVIDER.id, SCRIPTED_PROVIDER.id)
_SANDBOX_MODES: Final = ("read-only", "workspace-write", "danger-full-access")


def _text(table: ConfigTable, key: str) -> Any:
    return table.text(key)


def _texts(table: ConfigTable, key: str) -> Any:
    return table.texts(key)


def _flag(table: ConfigTable, key: str) -> Any:
    return table.flag(key)


def _count(table: ConfigTable, key: str) -> Any:
    return table.integer(key, 0)


def _roots(table: ConfigTable, key: str) -> Any:
    here = Path.cwd()
    return tuple(os.path.normpath(here / Path(root).expanduser()) for root in table.text_list(key))


def _wire_api(table: ConfigTable, key: str) -> Any:
    return WireApi(table.choice(key, [api.value for api in WireApi]))


_PROVIDER_KEYS: Final[Mapping[str, _Reader]] = {
    "name": _text,
    "base_url": _text,
    "env_key": _text,
    "env_key_instructions": _text,
    "experimental_bearer_token": _text,
    "wire_api": _wire_api,
    "query_params": _texts,
    "http_headers": _texts,
    "env_http_headers": _texts,
    "request_max_retries": _count,
    "stream_max_retries": _count,
    "stream_idle_timeout_ms": lambda table, key: table.integer(key, 1, least=1),
    "requires_openai_auth": _flag,
}
_WORKSPACE_KEYS: Final[Mapping[str, _Reader]] = {
    "writable_roots": _roots,
    "network_access": _flag,
    "exclude_tmpdir_env_var": _flag,
    "exclude_slash_tmp": _flag,
}
_KEYS: Final = (
    "model",
    "model_provider",
    "model_reasoning_effort",
    "approval_policy",
    "sandbox_mode",
    "sandbox_workspace_write",
    "model_providers",
)


@attrs.frozen(kw_only=True)
class Overrides:
    """
    What ``-c`` said, read and checked.

    Attributes:
        config: The configuration with the overrides in it.
        effort: None when none was named.
    """

    config: Config
    effort: ReasoningEffort | None = None


def read_overrides(config: Config, words: Sequence[str]) -> Overrides:
    """
    Put the settings of ``-c`` into a configuration.

    Each is ``KEY=VALUE`` with a dotted key.  A value that is no TOML is taken as
    text, so that ``model=gpt-5`` needs no quotes in quotes.

    Raises:
        UsageError: One is not of that form, or its key is not one this version reads.
        ConfigError: A value is not one its key can have.

    Source:
        Codex, ``CliConfigOverrides``; there unknown keys are ignored.
    """
    raw: _Table = {}
    for word in words:
        _put(raw, word)
    table = ConfigTable(raw, _SOURCE)
    effort = table.text("model_reasoning_effort")
    providers = _providers(table, config.providers)
    table.choice("approval_policy", [policy.value for policy in AskForApproval])
    return Overrides(
        config=attrs.evolve(
            config,
            model=table.text("model") or config.model,
            providers=providers,
            model_provider=_provider_name(table, providers) or config.model_provider,
            sandbox_policy=_sandbox(table, config.sandbox_policy),
        ),
        effort=None if effort is None else ReasoningEffort(effort),
    )


def sandbox_of_mode(mode: str, configured: SandboxPolicy) -> SandboxPolicy:
    """
    Return the policy of a mode; what is configured about it already is kept.

    Raises:
        UsageError: There is no such mode.
    """
    if mode not in _SANDBOX_MODES:
        raise UsageError(f"no sandbox {mode!r}; choose from: {', '.join(_SANDBOX_MODES)}")
    match mode:
        case "read-only":
            return configured if isinstance(configured, ReadOnly) else ReadOnly()
        case "workspace-write":
            return configured if isinstance(configured, WorkspaceWrite) else WorkspaceWrite()
        case _:
            return DangerFullAccess()


def _put(raw: _Table, word: str) -> None:
    key, equals, value = word.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise UsageError(f"--config {word!r} is not of the form KEY=VALUE")
    _check_known(path, word)
    table = raw
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--config {word!r}: {part!r} was given a value of its own before")
        table = cast("_Table", inner)  # only this function puts tables in
    table[path[-1]] = _value(value)


def _check_known(path: list[str], word: str) -> None:
    match path:
        case ["model_providers", _]:
            return
        case ["model_providers", _, key, *_]:
            known: Sequence[str] = [*_PROVIDER_KEYS]
        case ["sandbox_workspace_write", key, *_]:
            known = [*_WORKSPACE_KEYS]
        case [key, *_]:
            known = _KEYS
        case _:  # a key has at least one part
            raise AssertionError(path)
    if key not in known:
        raise UsageError(
            f"--config {word!r}: this version does not read {key!r}; known: {', '.join(known)}"
        )


def _value(text: str) -> Json:
    try:
        return cast("_Table", tomllib.loads(f"value = {text}"))["value"]
    except (ValueError, RecursionError):
        return text.strip()


def _provider_name(table: ConfigTable, providers: Mapping[str, ProviderInfo]) -> str | None:
    name = table.text("model_provider")
    if name is not None and name not in providers:
        table.refuse(
            "model_provider", f"there is no provider {name!r}; known: {', '.join(providers)}"
        )
    return name


def _providers(
    table: ConfigTable, configured: Mapping[str, ProviderInfo]
) -> Mapping[str, ProviderInfo]:
    providers = dict(configured)
    for name, entry in table.tables("model_providers"):
        if name in _HOUSE:
            entry.refuse("", "this name is taken by a provider of the house; choose another")
        changes = _read(entry, _PROVIDER_KEYS)
        base = providers.get(name) or ProviderInfo(id=name, name=name)
        try:
            providers[name] = attrs.evolve(base, **changes)
        except ValueError as exc:
            entry.refuse("", str(exc))
    return providers


def _sandbox(table: ConfigTable, configured: SandboxPolicy) -> SandboxPolicy:
    mode = table.choice("sandbox_mode", _SANDBOX_MODES)
    changes = _read(table.table("sandbox_workspace_write"), _WORKSPACE_KEYS)
    policy = configured if mode is None else sandbox_of_mode(mode, configured)
    return attrs.evolve(policy, **changes) if isinstance(policy, WorkspaceWrite) else policy


def _read(table: ConfigTable, readers: Mapping[str, _Reader]) -> dict[str, Any]:
    for key in table.raw:
        if key not in readers:
            table.refuse(key, f"this version does not read it; known: {', '.join(readers)}")
    return {key: readers[key](table, key) for key in table.raw}
