"""Which provider answers, given the configuration and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from actors.models import (
    SCRIPTED_PROVIDER,
    AuthManager,
    AuthMode,
    CredentialsError,
    CredentialStore,
    MissingKey,
    ModelProvider,
    ProviderInfo,
    ResponsesProvider,
    ScriptedProvider,
    load_scenario,
    read_key,
    stored_auth_mode,
)
from actors.models.request_body import takes_login
from actors.runtime import World

from .builtin_providers import OPENAI
from .errors import ConfigError
from .loaded_config import Config
from .masking import masked_text
from .thread_config import own_version

__all__ = ["choose_info", "choose_provider", "login_mode", "open_login"]

_SCENARIO: Final = "TREADLE_SCENARIO"
_BASE_URL: Final = "OPENAI_BASE_URL"

# With "auto" Codex takes the file where there is nothing better, and so do we.
_FILES: Final = (CredentialStore.FILE, CredentialStore.AUTO)


def choose_provider(config: Config, environ: Mapping[str, str]) -> tuple[ModelProvider, str | None]:
    """
    Make the provider that the user wants; blocks while it looks for a login.

    ``TREADLE_SCENARIO``, a scenario file, goes before everything else.  OpenAI
    without a key or a login becomes the scripted model, because that is what a
    fresh installation has; any other provider without its key is a mistake.

    Args:
        config: See `load_config`.
        environ: The environment of the process.

    Returns:
        The provider, which the caller closes, and one line for the user, or None
        when there is nothing to say.

    Raises:
        ConfigError: A key, a login or an address is missing or wrong.
        ScenarioError: The scenario file cannot be played.

    Source:
        Codex: order of keys, ``OPENAI_BASE_URL``.  It has no scripted model and no
        scenarios.
    """
    if scenario := environ.get(_SCENARIO):
        return ScriptedProvider(load_scenario(scenario)), None
    info = choose_info(config, environ)
    if info.id == SCRIPTED_PROVIDER.id:
        return ScriptedProvider(), None
    auth = open_login(config, environ) if takes_login(info) else None
    if auth is None or login_mode(config, environ) is None:
        try:
            read_key(info, environ)
        except MissingKey as exc:
            if info.id == OPENAI:
                return ScriptedProvider(), _notice(config)
            raise _missing_key(config, info, exc) from exc
    return ResponsesProvider(info=info, environ=environ, version=own_version(), auth=auth), None


def choose_info(config: Config, environ: Mapping[str, str]) -> ProviderInfo:
    """
    Find the chosen provider, at the address where it is.

    Raises:
        ConfigError: ``OPENAI_BASE_URL`` is no address.
    """
    info = config.providers[config.model_provider]
    return _moved(info, environ) if info.id == OPENAI else info


def open_login(config: Config, environ: Mapping[str, str]) -> AuthManager | None:
    """
    Make the manager of the user's login; None where Codex keeps it out of our reach.

    It need not be closed.
    """
    if config.credential_store not in _FILES:
        return None
    return AuthManager(home=config.home, environ=environ, world=World.system())


def login_mode(config: Config, environ: Mapping[str, str]) -> AuthMode | None:
    """
    Say how the user is logged in; None for not at all.  Blocks shortly.

    Raises:
        ConfigError: There is a login that cannot be used.
    """
    try:
        return stored_auth_mode(config.home, environ)
    except CredentialsError as exc:
        raise ConfigError(str(exc.path), "", exc.problem) from exc


def _moved(info: ProviderInfo, environ: Mapping[str, str]) -> ProviderInfo:
    headers = {"version": own_version()}
    try:
        return attrs.evolve(
            info, base_url=environ.get(_BASE_URL) or info.base_url, http_headers=headers
        )
    except ValueError as exc:
        url = masked_text(environ[_BASE_URL])
        raise ConfigError(
            None, _BASE_URL, f"expected a URL with http or https, got {url!r}"
        ) from exc


def _notice(config: Config) -> str:
    store, where = config.credential_store, ""
    if store not in _FILES:
        where = f" (a login in the store {store.value!r} is out of our reach)"
    return (
        f"no API key{where}: playing the scripted model offline; for a real one set "
        "OPENAI_API_KEY, log in with 'treadle login --with-api-key', or name another provider "
        f"in {config.path}"
    )


def _missing_key(config: Config, info: ProviderInfo, error: MissingKey) -> ConfigError:
    advice = f" ({error.instructions})" if error.instructions else ""
    return ConfigError(
        str(config.path),
        f"model_providers.{info.id}",
        f"its key is not in the environment: set {error.variable}{advice}, "
        'or choose model_provider = "scripted" to work offline',
    )
