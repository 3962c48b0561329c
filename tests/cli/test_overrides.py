"""Settings given with ``-c``."""

from pathlib import Path

import attrs
import pytest

from actors.cli.errors import UsageError
from actors.cli.overrides import read_overrides, sandbox_of_mode
from actors.config import Config, ConfigError, load_config
from messages.settings import DangerFullAccess, ReadOnly, WorkspaceWrite


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(tmp_path)


def test_nothing_changes_nothing(config: Config) -> None:
    """Without ``-c`` the configuration is that of the file."""
    overrides = read_overrides(config, [])

    assert (overrides.config, overrides.effort) == (config, None)


def test_a_provider_is_made_and_chosen(config: Config) -> None:
    """A value is TOML, or plain text when it is none."""
    changed = read_overrides(
        config,
        [
            "model_providers.acme.base_url=http://127.0.0.1:9/v1",
            'model_providers.acme.http_headers={ "x-a" = "b" }',
            "model_providers.acme.query_params.version=one",
            "model_providers.acme.stream_max_retries=3",
            "model_providers.acme.stream_idle_timeout_ms=1000",
            "model_providers.acme.requires_openai_auth=false",
            'model_providers.acme.wire_api = "responses"',
            "model_provider=acme",
            "model_reasoning_effort='low'",
        ],
    )

    provider = changed.config.providers["acme"]
    assert changed.config.model_provider == "acme"
    assert changed.effort == "low"
    assert (provider.id, provider.name) == ("acme", "acme")
    assert provider.base_url == "http://127.0.0.1:9/v1"
    assert provider.http_headers == {"x-a": "b"}
    assert provider.query_params == {"version": "one"}
    assert (provider.stream_max_retries, provider.stream_idle_timeout_ms) == (3, 1000)


def test_a_provider_of_the_file_keeps_what_is_not_named(config: Config) -> None:
    """Only the named key changes."""
    first = read_overrides(config, ["model_providers.a={ name = 'A', env_key = 'KEY' }"]).config

    second = read_overrides(first, ["model_providers.a.env_key=OTHER"]).config.providers["a"]

    assert (second.name, second.env_key) == ("A", "OTHER")


def test_the_sandbox_has_a_mode_and_details(config: Config) -> None:
    """Details of another mode have no effect, as in the file."""
    changed = read_overrides(
        config,
        [
            "sandbox_mode=workspace-write",
            "sandbox_workspace_write.network_access=true",
            'sandbox_workspace_write.writable_roots=["/srv/../a", "~/b", "c"]',
        ],
    ).config.sandbox_policy
    unused = read_overrides(config, ["sandbox_workspace_write.network_access=true"]).config

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
def test_a_mode_keeps_what_is_configured_about_it(mode: str, policy: object) -> None:
    """The details of the configured mode, and defaults for the others."""
    configured = WorkspaceWrite(network_access=True)

    assert sandbox_of_mode(mode, configured) == policy


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["model"], "KEY=VALUE"),
        (["model.=x"], "KEY=VALUE"),
        (["colour=red"], "'colour'"),
        (["model_providers.a.colour=red"], "'colour'"),
        (["model=x", "model.y=z"], "'model.y=z'"),
    ],
)
def test_words_that_are_no_setting_are_refused(
    config: Config, words: list[str], problem: str
) -> None:
    """With what was written."""
    with pytest.raises(UsageError, match=problem):
        read_overrides(config, words)


@pytest.mark.parametrize(
    "word",
    [
        "model_providers=5",
        "model_providers.a=5",
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
def test_values_of_another_kind_are_refused(config: Config, word: str) -> None:
    """By the rules of the file."""
    before = attrs.evolve(config)

    with pytest.raises((ConfigError, UsageError)) as caught:
        read_overrides(config, [word])

    assert "--config" in str(caught.value)
    assert config == before
