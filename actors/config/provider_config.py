"""The providers that the user configured, and which of them answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from actors.models import SCRIPTED_PROVIDER, CredentialStore, ProviderInfo, WireApi

from .builtin_providers import OPENAI, OPENAI_PROVIDER
from .config_table import ConfigTable
from .masking import masked_text

__all__ = ["read_chosen_provider", "read_credential_store", "read_providers"]


def read_providers(table: ConfigTable) -> Mapping[str, ProviderInfo]:
    """
    Read ``[model_providers.*]``; those of the house come first.

    ``openai_base_url`` says where OpenAI's own is.

    Raises:
        ConfigError: A value is of another kind, or a name is taken.
    """
    openai = attrs.evolve(OPENAI_PROVIDER, base_url=_url(table, "openai_base_url"))
    own = {provider.id: provider for provider in (openai, SCRIPTED_PROVIDER)}
    users: dict[str, ProviderInfo] = {}
    for name, entry in table.tables("model_providers"):
        if name in own:
            entry.refuse("", "this name is taken by a provider of the house; choose another")
        users[name] = _provider(name, entry)
    return {**own, **users}


def read_chosen_provider(table: ConfigTable, providers: Mapping[str, ProviderInfo]) -> str:
    """
    Read ``model_provider``.

    Raises:
        ConfigError: There is no such provider.
    """
    name = table.text("model_provider", OPENAI)
    if name not in providers:
        known = ", ".join(providers)
        table.refuse(
            "model_provider",
            f"there is no provider {name!r}; known: {known}; "
            f"add [model_providers.{name}] or choose one of these",
        )
    return name


def read_credential_store(table: ConfigTable) -> CredentialStore:
    """
    Read ``cli_auth_credentials_store``; what we cannot use is told when it is needed.

    Raises:
        ConfigError: There is no such store.
    """
    allowed = [store.value for store in CredentialStore]
    return CredentialStore(
        table.choice("cli_auth_credentials_store", allowed, CredentialStore.FILE.value)
    )


def _provider(name: str, table: ConfigTable) -> ProviderInfo:
    wire_api = table.choice("wire_api", [api.value for api in WireApi])
    default = ProviderInfo(id=name, name=name)
    return ProviderInfo(
        id=name,
        name=table.text("name") or name,
        base_url=_url(table, "base_url"),
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


def _url(table: ConfigTable, key: str) -> str | None:
    url = table.text(key)
    if url is not None and not re.fullmatch(r"https?://[^/\s]+\S*", url):
        table.refuse(key, f"expected a URL with http or https, got {masked_text(url)!r}")
    return url
