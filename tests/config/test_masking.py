"""What is shown of a configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.config import masked, masked_text
from actors.config.masking import MASK, is_secret


@pytest.mark.parametrize(
    "key",
    [
        "model_providers.a.experimental_bearer_token",
        "model_providers.a.http_headers.X",
        "model_providers.a.query_params.version",
        "mcp_servers.a.env.A",
        "mcp_servers.a.http_headers.X-Key",
        "mcp_servers.a.bearer_token",
        "shell_environment_policy.set.CI",
        "api_key",
        "OPENAI_PASSWORD",
        "model_providers.a.http_headers",
        "config.mcp_servers.a.env.A",
    ],
)
def test_secrets_are_hidden(key: str) -> None:
    """All of what variables and headers are set to: nobody can tell which of them matter."""
    assert is_secret(key.split("."))
    assert masked(key.split("."), "hush") == MASK


@pytest.mark.parametrize(
    "key",
    [
        "model",
        "model_auto_compact_token_limit",
        "cli_auth_credentials_store",
        "model_providers.a.env_key",
        "model_providers.a.env_key_instructions",
        "model_providers.a.env_http_headers.Authorization",
        "mcp_servers.a.bearer_token_env_var",
        "mcp_servers.a.env_vars",
        "mcp_servers.env.command",
        "mcp_servers.token.command",
        "profile",
        "",
    ],
)
def test_names_and_numbers_are_shown(key: str) -> None:
    """Names of variables say where a secret is, and not what it is."""
    assert not is_secret(key.split("."))
    assert masked(key.split("."), "shown") == "shown"


def test_there_is_nothing_to_hide_in_no_key() -> None:
    """Such as in a complaint about the whole file."""
    assert not is_secret(())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hush@host/x", f"https://{MASK}@host/x"),
        ("https://host/x?key=hush&b=hush#c", f"https://host/x?key={MASK}&b={MASK}#c"),
        ("--api-key=hush", f"--api-key={MASK}"),
        ("Authorization: Bearer hush", f"Authorization: Bearer {MASK}"),
        ("use sk-abcdefgh now", f"use {MASK} now"),
        ("gpt-5.2-codex", "gpt-5.2-codex"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_a_secret_within_a_text_is_hidden(text: str, shown: str) -> None:
    """The rest is told."""
    assert masked_text(text) == shown


def test_values_of_options_are_hidden_in_lists() -> None:
    """Behind the option, in the same word or the next."""
    arguments = ["--token", "hush", "--port", "80", "--secret=hush", 5]

    assert masked(("mcp_servers", "a", "args"), arguments) == [
        "--token", MASK, "--port", "80", f"--secret={MASK}", 5,
    ]  # fmt: skip


@settings(max_examples=50)
@given(
    st.text(max_size=30),
    st.lists(st.none() | st.text(max_size=30) | st.integers() | st.just([]), max_size=4),
)
def test_masking_never_fails(key: str, value: Any) -> None:
    """Whatever somebody has written."""
    masked(key.split("."), value)
