"""Settings given with ``-c``."""

from pathlib import Path

import pytest

from actors.cli.errors import UsageError
from actors.cli.overrides import read_overrides
from actors.config import Config, ConfigError, load_config
from messages.settings import DangerFullAccess, ReadOnly, WorkspaceWrite
from messages.tool_settings import McpServerConfig, McpStdio


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def overridden(home: Path, *words: str, sandbox: str | None = None) -> Config:
    return load_config(home, cwd=home, overrides=read_overrides(words, sandbox), system=None)


def test_nothing_changes_nothing(home: Path) -> None:
    """Without ``-c`` the configuration is that of the file."""
    assert overridden(home) == load_config(home, cwd=home, system=None)


def test_a_provider_is_made_and_chosen(home: Path) -> None:
    """A value is TOML, or plain text when it is none."""
    changed = overridden(
        home,
        "model_providers.acme.base_url=http://127.0.0.1:9/v1",
        'model_providers.acme.http_headers={ "x-a" = "b" }',
        "model_providers.acme.query_params.version=one",
        "model_providers.acme.stream_max_retries=3",
        "model_providers.acme.stream_idle_timeout_ms=1000",
        "model_providers.acme.requires_openai_auth=false",
        'model_providers.acme.wire_api = "responses"',
        "model_provider=acme",
        "model_reasoning_effort='low'",
    )

    provider = changed.providers["acme"]
    assert changed.model_provider == "acme"
    assert changed.effort == "low"
    assert (provider.id, provider.name) == ("acme", "acme")
    assert provider.base_url == "http://127.0.0.1:9/v1"
    assert provider.http_headers == {"x-a": "b"}
    assert provider.query_params == {"version": "one"}
    assert (provider.stream_max_retries, provider.stream_idle_timeout_ms) == (3, 1000)


def test_tools_are_configured(home: Path) -> None:
    """By the keys of the file."""
    changed = overridden(
        home,
        "features.collab=true",
        'mcp_servers.x.command="docs"',
        "mcp_servers.x.args=['-v']",
        "shell_environment_policy.set.CI=yes",
        "tool_output_token_limit=100",
        "agents.max_threads=2",
    )

    assert changed.features.collab
    assert changed.mcp_servers == {
        "x": McpServerConfig(transport=McpStdio(command="docs", args=("-v",)))
    }
    assert changed.environment_policy.set == {"CI": "yes"}
    assert changed.truncation_policy is not None
    assert (changed.truncation_policy.limit, changed.agent_max_threads) == (100, 2)


def test_a_provider_of_the_file_keeps_what_is_not_named(home: Path) -> None:
    """Only the named key changes."""
    (home / "config.toml").write_text("model_providers.a={ name = 'A', env_key = 'KEY' }")

    changed = overridden(home, "model_providers.a.env_key=OTHER").providers["a"]

    assert (changed.name, changed.env_key) == ("A", "OTHER")


def test_a_later_word_goes_before_an_earlier_one(home: Path) -> None:
    """As on every command line."""
    assert overridden(home, "model=a", "model=b").model == "b"


def test_the_sandbox_has_a_mode_and_details(home: Path) -> None:
    """Details of another mode have no effect, as in the file."""
    changed = overridden(
        home,
        "sandbox_mode=workspace-write",
        "sandbox_workspace_write.network_access=true",
        'sandbox_workspace_write.writable_roots=["/srv/../a", "~/b", "c"]',
    ).sandbox_policy
    unused = overridden(home, "sandbox_workspace_write.network_access=true")

    roots = ("/a", str(Path.home() / "b"), str(Path.cwd() / "c"))
    assert changed == WorkspaceWrite(network_access=True, writable_roots=roots)
    assert unused.sandbox_policy == ReadOnly()


@pytest.mark.parametrize(
    ("mode", "policy"),
    [
        ("read-only", ReadOnly()),
        ("workspace-write", WorkspaceWrite(network_access=True)),
        ("danger-full-access", DangerFullAccess()),
    ],
)
def test_a_mode_of_an_option_of_its_own_goes_before_all(
    home: Path, mode: str, policy: object
) -> None:
    """With the details that are configured about it."""
    (home / "config.toml").write_text("sandbox_workspace_write.network_access = true")

    assert overridden(home, "sandbox_mode=read-only", sandbox=mode).sandbox_policy == policy


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["model"], "KEY=VALUE"),
        (["model.=x"], "KEY=VALUE"),
        (["model=x", "model.y=z"], "'model.y'"),
    ],
)
def test_words_that_are_no_setting_are_refused(words: list[str], problem: str) -> None:
    """With what was written."""
    with pytest.raises(UsageError, match=problem):
        read_overrides(words)


@pytest.mark.parametrize(
    "word",
    [
        "colour=red",
        "features.colour=true",
        "features.collab=yes",
        "mcp_servers.x.url=ftp://x",
        "model_providers=5",
        "model_providers.a=5",
        "model_providers.a.colour=red",
        "model_providers.a.colour.depth=1",
        "model_providers.a.stream_max_retries=-1",
        "model_providers.a.http_headers=[1]",
        "model_providers.a={ colour = 1 }",
        "model_providers.scripted.name=x",
        "sandbox_workspace_write={ colour = 1 }",
        "sandbox_mode=true",
        "model=''",
        "model_reasoning_effort=1",
    ],
)
def test_values_of_another_kind_are_refused(home: Path, word: str) -> None:
    """By the rules of the file."""
    with pytest.raises(ConfigError) as caught:
        overridden(home, word)

    assert caught.value.path == "--config"
