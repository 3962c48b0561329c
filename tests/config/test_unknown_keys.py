"""Keys that nothing reads."""

from __future__ import annotations

import pytest

from actors.config.codex_keys import is_left_to_codex

from .places import Places, toml


def told(places: Places, text: str) -> list[str]:
    places.write(places.user, text)
    prefix = f"{places.user}: "
    lines = places.load().warnings
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("modle = 1", "modle: nothing reads this key; did you mean 'model'?"),
        ("[colour]\na = 1\nb = 2", "colour: nothing reads this key; 'treadle config' lists the keys that count"),
        ("features.colab = true", "features.colab: nothing reads this key; did you mean 'collab'?"),
        ("agents.max_thread = 1", "agents.max_thread: nothing reads this key; did you mean 'max_threads'?"),
        ("[mcp_servers.a]\ncommand = 'x'\narg = []", "mcp_servers.a.arg: nothing reads this key; did you mean 'args'?"),
        ("[model_providers.a]\nhttp_header = {}", "model_providers.a.http_header: nothing reads this key; did you mean 'http_headers'?"),
        ("[projects.'/x']\ntrust = true", "projects./x.trust: nothing reads this key; known here: trust_level"),
        ("[sandbox_workspace_write]\nroots = []", "sandbox_workspace_write.roots: nothing reads this key; known here: writable_roots, network_access, exclude_tmpdir_env_var, exclude_slash_tmp"),
        ("profile = 'p'\n[profiles.p]\nmodle = 1", "profiles.p.modle: nothing reads this key; did you mean 'model'?"),
        ("profile = 'p'\n[profiles.p.features]\ncolab = true", "profiles.p.features.colab: nothing reads this key; did you mean 'collab'?"),
        ("[profiles.q]\nmodle = 1", "profiles.q.modle: nothing reads this key; did you mean 'model'?"),
        ("[skills]\npaths = []", "skills.paths: nothing reads this key; known here: config"),
    ],
)  # fmt: skip
def test_a_key_that_is_most_likely_misspelt_is_told(places: Places, text: str, line: str) -> None:
    """Once, with the file, the place in it and the way out."""
    assert told(places, text) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "notify = ['x']",
        "[tui]\nanything = 1",
        "[otel.exporter.otlp-http]\nendpoint = 'x'",
        "features.js_repl = true",
        "[mcp_servers.a]\ncommand = 'x'\nscopes = []\n[mcp_servers.a.tools.t]\napproval_mode = 'auto'",
        "[model_providers.a]\nsupports_websockets = true",
        "[agents.helper]\ndescription = 'x'",
        "skills.bundled.enabled = false",
        "shell_environment_policy.experimental_use_profile = true",
        "[profiles.q]\nweb_search = 'live'\nmodel = 5",
        "profile = 'p'\n[profiles.p]\nmodel_verbosity = 'low'\nfeatures.undo = true",
    ],
)
def test_keys_of_codex_are_left_alone(places: Places, text: str) -> None:
    """A home may belong to both."""
    assert told(places, text) == []


def test_names_that_the_user_gives_are_no_keys_of_codex() -> None:
    """Only the keys below them are."""
    assert is_left_to_codex(("mcp_servers", "scopes", "scopes"), [])
    assert not is_left_to_codex(("mcp_servers", "scopes", "colour"), [])
    assert not is_left_to_codex(("mcp_servers", "scopes"), [])
    assert is_left_to_codex(("agents", "any"), {})
    assert not is_left_to_codex(("agents", "any"), 1)
    assert not is_left_to_codex((), 1)


def test_each_file_is_told_of_by_its_own_name(places: Places) -> None:
    """The same key in two of them is two mistakes."""
    places.write(places.system, "modle = 1")
    places.write(places.user, "modle = 1\n" + places.trust)
    path = places.write("project/.codex/config.toml", "modle = 1")

    lines = places.load().warnings

    assert [line.partition(": ")[0] for line in lines] == [
        str(places.system), str(places.user), str(path),
    ]  # fmt: skip


def test_many_are_counted(places: Places) -> None:
    """A file that is for something else does not fill the screen."""
    lines = told(places, toml({f"odd_{n}": n for n in range(25)}))

    assert len(lines) == 11
    assert lines[-1] == "15 more keys that nothing reads"


def test_values_are_not_told(places: Places) -> None:
    """They may be secrets that stand in the wrong place."""
    lines = told(places, 'api_key = "hush"\n[model_providers.a]\nkey = "hush"')

    assert len(lines) == 2
    assert "hush" not in "".join(lines)
