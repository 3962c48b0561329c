"""Which provider answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.config import (
    ConfigError,
    choose_provider,
    load_config,
    open_catalog,
    open_login,
)
from actors.models import (
    ModelProvider,
    ModelsFetch,
    ResponsesProvider,
    ScenarioError,
    ScriptedProvider,
    service_url,
)


def chosen(home: Path, text: str = "", **environ: str) -> tuple[ModelProvider, str | None]:
    (home / "config.toml").write_text(text)
    return choose_provider(load_config(home, cwd=home, system=None), environ)


@pytest.mark.parametrize("text", ["", 'model_provider = "openai"'])
@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": " "}])
def test_openai_without_a_key_is_the_scripted_model_and_says_so(
    tmp_path: Path, text: str, environ: dict[str, str]
) -> None:
    """In one line, with the way out."""
    provider, notice = chosen(tmp_path, text, **environ)

    assert isinstance(provider, ScriptedProvider)
    assert notice == (
        "no API key: playing the scripted model offline; for a real one set OPENAI_API_KEY, "
        "log in with 'treadle login --with-api-key', or name another provider in "
        f"{tmp_path / 'config.toml'}"
    )


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "CODEX_API_KEY"])
def test_openai_with_a_key_is_asked(tmp_path: Path, variable: str) -> None:
    """Without a word; at its own address."""
    provider, notice = chosen(tmp_path, **{variable: "k"})

    assert isinstance(provider, ResponsesProvider)
    assert provider.info.base_url is None
    assert service_url(provider.info, None) == "https://api.openai.com/v1"
    assert "version" in provider.info.http_headers
    assert notice is None


def test_openai_can_be_moved(tmp_path: Path) -> None:
    """By the environment."""
    provider, _ = chosen(tmp_path, OPENAI_API_KEY="k", OPENAI_BASE_URL="http://localhost:1/v1/")

    assert provider.info.base_url == "http://localhost:1/v1"


def test_senseless_address_is_named(tmp_path: Path) -> None:
    """With its variable."""
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, OPENAI_API_KEY="k", OPENAI_BASE_URL="localhost")

    assert str(caught.value) == (
        "OPENAI_BASE_URL: expected a URL with http or https, got 'localhost'"
    )


LOGIN = '{"OPENAI_API_KEY": "sk-kept-in-file"}'


def test_openai_with_a_login_is_asked(tmp_path: Path) -> None:
    """What 'treadle login' or Codex has kept is as good as a key in the environment."""
    (tmp_path / "auth.json").write_text(LOGIN)

    provider, notice = chosen(tmp_path)

    assert isinstance(provider, ResponsesProvider)
    assert provider.auth is not None
    assert notice is None
    assert "sk-kept" not in repr(provider)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_login_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    """It is not taken for none: the user thinks there is one."""
    (tmp_path / "auth.json").write_text(text)

    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path)

    assert caught.value.path == str(tmp_path / "auth.json")


@pytest.mark.parametrize("store", ["keyring", "ephemeral"])
def test_a_login_out_of_reach_is_no_login(tmp_path: Path, store: str) -> None:
    """A key in the environment does all the same; without one the user hears why."""
    text = f'cli_auth_credentials_store = "{store}"'
    (tmp_path / "auth.json").write_text(LOGIN)

    scripted, notice = chosen(tmp_path, text)
    provider, nothing = chosen(tmp_path, text, OPENAI_API_KEY="k")

    assert isinstance(scripted, ScriptedProvider)
    assert notice is not None
    assert f"(a login in the store {store!r} is out of our reach)" in notice
    assert isinstance(provider, ResponsesProvider)
    assert (provider.auth, nothing) == (None, None)


@pytest.mark.parametrize("store", ["file", "auto"])
def test_a_login_in_a_file_is_within_reach(tmp_path: Path, store: str) -> None:
    """With ``auto`` Codex takes the file where there is nothing better."""
    (tmp_path / "config.toml").write_text(f'cli_auth_credentials_store = "{store}"')

    assert open_login(load_config(tmp_path, cwd=tmp_path, system=None), {}) is not None


@pytest.mark.parametrize(
    ("text", "first", "asks"),
    [
        ("", "gpt-5.3-codex", True),
        ('model_provider = "scripted"', "scripted", False),
        ('model_provider = "acme"\nmodel_providers.acme.base_url = "http://a.test"', "gpt-5.3-codex", True),
    ],
)  # fmt: skip
def test_the_catalog_is_that_of_the_chosen_provider(
    tmp_path: Path, text: str, first: str, asks: bool
) -> None:
    """The scripted model has no list that could be asked for."""
    (tmp_path / "config.toml").write_text(text)
    watched: list[object] = []

    def watch(fetch: ModelsFetch) -> ModelsFetch:
        watched.append(fetch)
        return fetch

    catalog = open_catalog(load_config(tmp_path, cwd=tmp_path, system=None), {}, watch=watch)

    assert catalog.presets[0].model == first
    assert bool(watched) is asks


ACME = """
model_provider = "acme"
[model_providers.acme]
base_url = "http://acme.test"
"""


def test_other_provider_is_asked_without_a_key_when_it_needs_none(tmp_path: Path) -> None:
    """And the address for OpenAI does not move it."""
    provider, notice = chosen(tmp_path, ACME, OPENAI_BASE_URL="http://other.test")

    assert isinstance(provider, ResponsesProvider)
    assert provider.info.base_url == "http://acme.test"
    assert notice is None


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('env_key = "ACME_KEY"', "set ACME_KEY"),
        ('env_key = "ACME_KEY"\nenv_key_instructions = "Ask us"', "set ACME_KEY (Ask us)"),
        ("requires_openai_auth = true", "set OPENAI_API_KEY"),
    ],
)
def test_other_provider_without_its_key_is_a_mistake(
    tmp_path: Path, line: str, advice: str
) -> None:
    """Nobody who named a provider wants another to answer."""
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, f"{ACME}{line}\n", OTHER="k")

    assert str(caught.value) == (
        f"{tmp_path / 'config.toml'}: model_providers.acme: its key is not in the environment: "
        f'{advice}, or choose model_provider = "scripted" to work offline'
    )


def test_scripted_model_can_be_chosen(tmp_path: Path) -> None:
    """Then there is nothing to say about it."""
    provider, notice = chosen(tmp_path, 'model_provider = "scripted"', OPENAI_API_KEY="k")

    assert isinstance(provider, ScriptedProvider)
    assert provider.scenario.name == "built-in"
    assert notice is None


def test_scenario_goes_before_everything_else(tmp_path: Path) -> None:
    """Even before a provider with its key."""
    path = tmp_path / "mine.yaml"
    path.write_text("{name: mine, reply: [{steps: [{say: x}]}]}")

    provider, notice = chosen(tmp_path, ACME, TREADLE_SCENARIO=str(path), OPENAI_API_KEY="k")

    assert isinstance(provider, ScriptedProvider)
    assert provider.scenario.name == "mine"
    assert notice is None


def test_scenario_that_cannot_be_played_is_an_error(tmp_path: Path) -> None:
    """It is not replaced by another."""
    with pytest.raises(ScenarioError, match="it cannot be read"):
        chosen(tmp_path, TREADLE_SCENARIO=str(tmp_path / "missing.toml"))
