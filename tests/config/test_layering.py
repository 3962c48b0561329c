"""Which layer counts, and what is said to come from where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.config import (
    SYSTEM_CONFIG,
    ConfigError,
    ConfigLayer,
    LayerKind,
    Origin,
    load_config,
    load_config_async,
)
from actors.config.config_table import ConfigTable

from .places import Places, toml

# The order, lowest first, and how each layer is known.
KINDS = ("system", "user", "project", "sub", "profile of the system", "profile", "session")


def paths(places: Places) -> dict[str, Path]:
    return {
        "system": places.system,
        "user": places.user,
        "project": places.project / ".codex" / "config.toml",
        "sub": places.sub / ".codex" / "config.toml",
    }


def origin(places: Places, kind: str) -> Origin:
    files = {name: str(path) for name, path in paths(places).items()}
    return {
        "system": Origin(kind=LayerKind.SYSTEM, source=files["system"]),
        "user": Origin(kind=LayerKind.USER, source=files["user"]),
        "project": Origin(kind=LayerKind.PROJECT, source=files["project"]),
        "sub": Origin(kind=LayerKind.PROJECT, source=files["sub"]),
        "profile of the system": Origin(kind=LayerKind.SYSTEM, source=files["system"], profile="p"),
        "profile": Origin(kind=LayerKind.USER, source=files["user"], profile="p"),
        "session": Origin(kind=LayerKind.SESSION, source="--config"),
    }[kind]


def write(places: Places, layers: Mapping[str, Mapping[str, Any]]) -> None:
    """Put each layer where it belongs; the project is trusted and the profile chosen."""
    files: dict[str, dict[str, Any]] = {name: dict(layers.get(name, {})) for name in paths(places)}
    files["system"]["profiles"] = {"p": layers.get("profile of the system", {})}
    files["user"]["profiles"] = {"p": layers.get("profile", {})}
    for name, path in paths(places).items():
        places.write(path, toml(files[name]))
    with places.user.open("a") as file:
        file.write(places.trust)


def merged(layers: list[tuple[Any, Mapping[str, Any]]]) -> dict[tuple[str, ...], tuple[Any, Any]]:
    """Merge layers the simple way: one after the other into a tree, each leaf with its layer."""

    def put(tree: dict[str, Any], raw: Mapping[str, Any], layer: Any) -> None:
        for key, value in raw.items():
            if isinstance(value, Mapping):
                if not isinstance(tree.get(key), dict):
                    tree[key] = {}
                put(tree[key], value, layer)
            elif value is not None:
                tree[key] = (value, layer)

    def leaves(tree: dict[str, Any], path: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
        found: dict[tuple[str, ...], Any] = {}
        for key, value in tree.items():
            inner = (*path, key)
            found.update(leaves(value, inner) if isinstance(value, dict) else {inner: value})
        return found

    tree: dict[str, Any] = {}
    for layer, raw in layers:
        put(tree, raw, layer)
    return leaves(tree, ())


names = st.sampled_from("abc")
trees = st.recursive(
    st.none() | st.integers(0, 3) | st.booleans(),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def read_all(table: ConfigTable) -> None:
    for name in table.names():
        if isinstance(table.raw(name), dict):
            read_all(table.table(name))


@pytest.mark.slow
@given(st.lists(st.dictionaries(names, trees, max_size=3), max_size=5))
def test_layers_are_merged_as_a_simple_model_does_it(raws: list[dict[str, Any]]) -> None:
    """Tables are merged, everything else is replaced, null is nothing; with any shapes."""
    layers = tuple(
        ConfigLayer(raw=raw, source=str(number), folder=Path("/"))
        for number, raw in enumerate(raws)
    )
    table = ConfigTable(layers)

    read_all(table)

    found = {
        setting.path: (setting.value, None if setting.origin is None else setting.origin.source)
        for setting in table.settings()
    }
    assert found == merged([(layer.source, layer.raw) for layer in layers])
    assert list(table.unread()) == []


texts = st.sampled_from(["one", "two"])
some_settings = st.fixed_dictionaries(
    {},
    optional={
        "model": texts,
        "review_model": texts,
        "agents": st.fixed_dictionaries({}, optional={"max_depth": st.integers(0, 3)}),
        "features": st.dictionaries(
            st.sampled_from(["collab", "shell_tool"]), st.booleans(), max_size=2
        ),
        "shell_environment_policy": st.fixed_dictionaries(
            {"set": st.dictionaries(st.sampled_from("AB"), texts, max_size=2)}
        ),
        "mcp_servers": st.dictionaries(
            st.sampled_from(["x", "y"]),
            st.fixed_dictionaries({"command": texts}, optional={"cwd": texts}),
            max_size=2,
        ),
    },
)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.dictionaries(st.sampled_from(KINDS), some_settings))
def test_effective_values_and_origins_are_those_of_a_simple_model(
    places: Places, layers: dict[str, dict[str, Any]]
) -> None:
    """For files in all places, a profile and a session."""
    write(places, layers)
    session = {**layers.get("session", {}), "profile": "p"}

    config = places.load(session)

    expected = merged([(kind, layers.get(kind, {})) for kind in KINDS])
    found = {
        setting.path: (setting.value, setting.origin)
        for setting in config.settings
        if setting.origin is not None and setting.path[0] not in ("profile", "projects")
    }
    assert found == {
        path: (value, origin(places, kind)) for path, (value, kind) in expected.items()
    }
    assert config.warnings == ()
    assert config.model == expected.get(("model",), (None,))[0]
    assert config.agent_max_depth == expected.get(("agents", "max_depth"), (1,))[0]
    assert config.features.collab == expected.get(("features", "collab"), (False,))[0]
    assert config.environment_policy.set == {
        path[-1]: value for path, (value, _) in expected.items() if path[0].startswith("shell")
    }
    assert set(config.mcp_servers) == {path[1] for path in expected if path[0] == "mcp_servers"}


def test_each_layer_goes_before_those_below_it(places: Places) -> None:
    """System, user, project, folder in the project, profile, session."""
    layers = {kind: {"model": kind} for kind in KINDS}
    for kind in reversed(KINDS):
        write(places, layers)
        session = {**layers.get("session", {}), "profile": "p"}

        config = places.load(session)

        assert (config.model, config.origins["model"]) == (kind, origin(places, kind))
        del layers[kind]


def test_missing_places_are_no_layers(places: Places) -> None:
    """Not even a home is needed."""
    shutil.rmtree(places.home)

    config = places.load()

    assert config.origins == {}
    assert config.warnings == ()
    assert config.cwd == str(places.sub)
    assert load_config(places.home, cwd=places.sub, system=None).origins == {}


def test_the_usual_system_file_is_codex_s() -> None:
    """So that both are administered in one place."""
    assert Path("/etc/codex/config.toml") == SYSTEM_CONFIG


# Trust --------------------------------------------------------------------


def test_a_project_is_not_believed_before_the_user_trusts_it(places: Places) -> None:
    """Its files could make us run anything; the user is told how to trust it."""
    path = places.write("project/.codex/config.toml", 'model = "theirs"')

    config = places.load()

    assert config.model is None
    assert config.warnings == (
        f"{path}: it is not read, because nothing says that you trust this project; if you do, "
        f'add [projects."{places.project}"] with trust_level = "trusted" to {places.user}',
    )


def test_a_project_that_is_not_trusted_is_not_even_read(places: Places) -> None:
    """What is wrong in it harms nobody."""
    os.mkfifo((places.write("project/.codex/x", "").parent) / "config.toml")

    assert len(places.load().warnings) == 1


def test_nothing_is_said_of_a_project_that_the_user_does_not_trust(places: Places) -> None:
    """The decision was made."""
    places.write("project/.codex/config.toml", 'model = "theirs"')
    places.write(places.user, places.trust.replace('"trusted"', '"untrusted"'))

    config = places.load()

    assert (config.model, config.warnings) == (None, ())


@pytest.mark.parametrize("layer", ["system", "project", "profile", "session"])
def test_only_the_user_s_own_file_gives_trust(places: Places, layer: str) -> None:
    """A project does not vouch for itself, and nobody else does for the user."""
    trust = {"projects": {str(places.project): {"trust_level": "trusted"}}}
    write(places, {"sub": {"model": "theirs"}, layer: trust})
    own = {"profiles": {"p": trust if layer == "profile" else {}}}
    places.write(places.user, toml(own))  # and says nothing of trust itself

    config = places.load({"profile": "p", **(trust if layer == "session" else {})})

    assert config.model is None
    assert any("sub/.codex/config.toml: it is not read" in line for line in config.warnings)
    told = [line for line in config.warnings if "projects: does not count in" in line]
    assert len(told) == (0 if layer == "project" else 1)  # a project's was not even read


def test_rules_count_only_of_trusted_folders(places: Places) -> None:
    """Those of any other could let commands run unasked and outside of every sandbox."""
    paths = [
        places.write(f"{folder}/.codex/rules/x.rules", "prefix_rule(pattern=['rm'])").parent
        for folder in ("project", "project/sub")
    ]
    system = str(places.system.parent / "rules")

    told = places.load()
    places.write(places.user, places.trust)
    trusted = places.load()
    with places.user.open("a") as file:
        file.write(f'[projects."{places.project}/sub"]\ntrust_level = "untrusted"\n')
    partly = places.load()
    places.write(places.user, places.trust.replace('"trusted"', '"untrusted"'))
    untrusted = places.load()

    assert told.rule_folders == untrusted.rule_folders == (system,)
    assert [line.partition(":")[0] for line in told.warnings] == [str(path) for path in paths]
    assert trusted.rule_folders == (system, *map(str, paths))
    assert partly.rule_folders == (system, str(paths[0]))
    assert (trusted.warnings, partly.warnings, untrusted.warnings) == ((), (), ())
    assert trusted.thread_config().rule_folders == trusted.rule_folders


def test_what_is_said_of_a_folder_goes_before_what_is_said_of_its_project(places: Places) -> None:
    """A part that came from elsewhere may be left out."""
    write(places, {"project": {"model": "root", "review_model": "root"}, "sub": {"model": "sub"}})
    with places.user.open("a") as file:
        file.write(f'[projects."{places.sub}"]\ntrust_level = "untrusted"\n')

    config = places.load()

    assert (config.model, config.review_model) == ("root", "root")


def test_trust_follows_links_and_not_spelling(places: Places) -> None:
    """A project has one place, however the way to it is written."""
    link = places.top / "link"
    link.symlink_to(places.project)
    places.write("project/.codex/config.toml", 'model = "theirs"')
    places.write(
        places.user, f'projects."{link}/../link/".trust_level = "trusted"\nprojects.odd = {{}}'
    )

    assert places.load().model == "theirs"


def test_the_home_of_the_user_is_no_project_s_folder(tmp_path: Path) -> None:
    """``~/.codex`` is a home, also for work in ``~``."""
    home = tmp_path / ".codex"
    home.mkdir()
    (home / "config.toml").write_text('model = "mine"')

    config = load_config(home, cwd=tmp_path, system=None)

    assert (config.model, config.warnings) == ("mine", ())


def test_markers_say_where_a_project_begins(places: Places) -> None:
    """Those of the user, not of the project."""
    write(places, {"sub": {"model": "sub"}, "project": {"model": "root", "review_model": "root"}})
    places.write("project/sub/here", "")
    places.write(
        places.user,
        'project_root_markers = ["here"]\n'
        f'projects."{places.sub}".trust_level = "trusted"\n' + places.trust,
    )

    config = places.load()

    assert (config.model, config.review_model) == ("sub", None)
    assert "project_root_markers" in config.origins


def test_a_project_cannot_say_where_it_begins(places: Places) -> None:
    """It was found by then."""
    write(places, {"project": {"project_root_markers": ["x"]}})

    config = places.load()

    path = places.project / ".codex" / "config.toml"
    assert config.warnings == (
        f"{path}: project_root_markers: does not count in a project's file; "
        "write it into config.toml of the home",
    )
    assert "project_root_markers" not in config.origins


# Profiles -----------------------------------------------------------------


def test_a_profile_may_be_chosen_anywhere_and_the_last_word_counts(places: Places) -> None:
    """An argument before the session, the session before the file."""
    places.write(
        places.user,
        'profile = "a"\n' + toml({"profiles": {n: {"model": n} for n in "abc"}}),
    )

    assert places.load().model == "a"
    assert places.load({"profile": "b"}).model == "b"
    assert places.load({"profile": "b"}, profile="c").model == "c"
    assert places.load(profile="c").origins["profile"].kind is LayerKind.SESSION


def test_a_session_may_change_a_profile(places: Places) -> None:
    """Key by key, and below what it says outside of the profile."""
    places.write(places.user, toml({"profiles": {"p": {"model": "file", "review_model": "file"}}}))
    session = {"profile": "p", "profiles": {"p": {"model": "session"}}}

    config = places.load(session)

    assert (config.model, config.review_model) == ("session", "file")
    assert config.origins["model"] == Origin(kind=LayerKind.SESSION, source="--config", profile="p")


def test_a_profile_that_is_missing_is_an_error_with_the_others(places: Places) -> None:
    """And the place that named it."""
    places.write(places.user, 'profile = "x"\n[profiles.a]\n[profiles.b]\n')

    with pytest.raises(ConfigError) as caught:
        places.load()

    assert str(caught.value) == (
        f"{places.user}: profile: there is no profile 'x'; known: a, b; add [profiles.x]"
    )


@pytest.mark.parametrize("key", ["profile", "profiles", "projects", "skills"])
def test_some_keys_do_not_count_in_a_profile(places: Places, key: str) -> None:
    """They are told."""
    places.write(places.user, f'profile = "p"\n[profiles.p]\n{key} = {{}}\n')

    assert places.load().warnings == (
        f"{places.user}: profiles.p.{key}: does not count in a profile; "
        "write it into config.toml of the home",
    )


# Files --------------------------------------------------------------------


def test_relative_paths_begin_at_the_folder_of_their_file(places: Places) -> None:
    """Wherever a thread works."""
    writable = {"sandbox_workspace_write": {"writable_roots": ["here"]}}
    places.write("etc/words.md", " be nice \n")
    write(
        places,
        {"system": {"model_instructions_file": "words.md"}, "sub": writable},
    )

    config = places.load({"sandbox_mode": "workspace-write"})

    assert config.base_instructions == "be nice"
    policy = config.sandbox_policy
    assert getattr(policy, "writable_roots", None) == (str(places.sub / ".codex" / "here"),)
    shown = {setting.key: setting.value for setting in config.settings}
    assert shown["model_instructions_file"] == str(places.system.parent / "words.md")


@pytest.mark.parametrize("kind", ["system", "user", "project"])
def test_a_file_that_would_hold_us_up_is_refused(places: Places, kind: str) -> None:
    """A pipe that nobody writes into is not waited for."""
    write(places, {})
    path = paths(places)[kind]
    if kind == "project":
        path.unlink()
    else:
        path.unlink()
        if kind != "user":
            places.write(places.user, places.trust)
    os.mkfifo(path)

    with pytest.raises(ConfigError) as caught:
        places.load()

    assert str(caught.value) == f"{path}: it cannot be read: it is no regular file"


def test_a_file_without_end_is_refused(places: Places) -> None:
    """Before it is read."""
    with places.user.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(ConfigError, match="longer than 4 MiB"):
        places.load()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["system", "user", "project", "sub"]), st.binary(max_size=60))
def test_any_bytes_in_any_file_are_a_configuration_or_a_config_error(
    places: Places, kind: str, content: bytes
) -> None:
    """That names the file, in one line."""
    write(places, {})
    path = paths(places)[kind]
    trust = places.trust.encode()
    path.write_bytes(content + b"\n" + trust if kind == "user" else content)

    try:
        config = places.load()
    except ConfigError as error:
        assert "\n" not in str(error)
        assert error.path == str(path)
    else:
        assert all("\n" not in line for line in config.warnings)


async def test_an_embedder_waits_for_files_elsewhere(places: Places) -> None:
    """The event loop goes on meanwhile; the outcome is the same."""
    write(places, {"sub": {"model": "m"}})

    config = await load_config_async(places.home, cwd=places.sub, system=places.system)

    assert config == load_config(places.home, cwd=places.sub, system=places.system)
    assert config.model == "m"


def test_nothing_secret_is_in_the_repr_of_a_configuration(places: Places) -> None:
    """Somebody will print it."""
    places.write(
        places.user,
        """
        model_providers.a = { experimental_bearer_token = "hush-1", http_headers = { X = "hush-2" }, query_params = { k = "hush-3" } }
        mcp_servers.m = { url = "http://x", http_headers = { X = "hush-4" } }
        shell_environment_policy.set = { A = "hush-5" }
        """,
    )

    config = places.load()

    assert "hush" not in repr(config)
    assert "hush" not in repr(config.settings)
    assert "hush" not in repr(config.layers)
