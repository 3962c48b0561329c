"""Which provider answers, given the configuration and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from actors.models import (
    SCRIPTED_PROVIDER,
    MissingKey,
    ModelProvider,
    ProviderInfo,
    ResponsesProvider,
    ScriptedProvider,
    load_scenario,
    read_key,
)

from .builtin_providers import OPENAI
from .config_file import Config
from .errors import ConfigError
from .thread_config import own_version

__all__ = ["choose_provider"]

_SCENARIO: Final = "TREADLE_SCENARIO"
_BASE_URL: Final = "OPENAI_BASE_URL"


def choose_provider(config: Config, environ: Mapping[str, str]) -> tuple[ModelProvider, str | None]:
    """
    Make the provider that the user wants.

    ``TREADLE_SCENARIO``, a scenario file, goes before everything else.  OpenAI
    without a key becomes the scripted model, because that is what a fresh
    installation has; any other provider without its key is a mistake.

    Args:
        config: See `load_config`.
        environ: The environment of the process.

    Returns:
        The provider, which the caller closes, and one line for the user, or None
        when there is nothing to say.

    Raises:
        ConfigError: A key or an address is missing or wrong.
        ScenarioError: The scenario file cannot be played.

    Source:
        Codex: order of keys, ``OPENAI_BASE_URL``.  It has no scripted model and no
        scenarios.
    """
    if scenario := environ.get(_SCENARIO):
        return ScriptedProvider(load_scenario(scenario)), None
    info = config.providers[config.model_provider]
    if info.id == SCRIPTED_PROVIDER.id:
        return ScriptedProvider(), None
    if info.id == OPENAI:
        info = _moved(info, environ)
    try:
        read_key(info, environ)
    except MissingKey as exc:
        if info.id == OPENAI:
            return ScriptedProvider(), _notice(config)
        raise _missing_key(config, info, exc) from exc
    return ResponsesProvider(info=info, environ=environ, version=own_version()), None


def _moved(info: ProviderInfo, environ: Mapping[str, str]) -> ProviderInfo:
    headers = {"version": own_version()}
    try:
        return attrs.evolve(
            info, base_url=environ.get(_BASE_URL) or info.base_url, http_headers=headers
        )
    except ValueError as exc:
        raise ConfigError(
            None, _BASE_URL, f"expected a URL with http or https, got {environ[_BASE_URL]!r}"
        ) from exc


def _notice(config: Config) -> str:
    return (
        "no API key: playing the scripted model offline; for a real one set OPENAI_API_KEY, "
        f"or name another provider in {config.path}"
    )


def _missing_key(config: Config, info: ProviderInfo, error: MissingKey) -> ConfigError:
    advice = f" ({error.instructions})" if error.instructions else ""
    return ConfigError(
        str(config.path),
        f"model_providers.{info.id}",
        f"its key is not in the environment: set {error.variable}{advice}, "
        'or choose model_provider = "scripted" to work offline',
    )
