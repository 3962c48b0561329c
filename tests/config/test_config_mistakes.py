"""Mistakes in a config.toml: each is named with its key, its value and where it stands."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.config import Config, ConfigError, ConfigLayer, load_config

from .config_file_stage import loaded, read


def complaint(home: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(home, text)
    path = f"{home / 'config.toml'}: "
    assert str(caught.value).startswith(path)
    return str(caught.value).removeprefix(path)


@pytest.mark.parametrize(
    ("raw", "source"),
    [
        ({"model": 1}, "--config: model"),
        ({"review_model": "fine"}, "FILE: mcp_servers.a.url"),
        ({"mcp_servers": {"a": {"url": 7}}}, "--config: mcp_servers.a.url"),
        ({"mcp_servers": {"a": 7}}, "--config: mcp_servers.a"),
        ({"mcp_servers": {"b": {}}}, "FILE: mcp_servers.a.url"),
    ],
)
def test_a_complaint_names_the_layer_that_the_value_is_from(
    home: Path, raw: Any, source: str
) -> None:
    """The file or the command line."""
    (home / "config.toml").write_text('mcp_servers.a = { url = 5 }\n"model" = "x"')
    overrides = ConfigLayer(raw=raw, source="--config", folder=Path("/"))

    with pytest.raises(ConfigError) as caught:
        read(home, overrides)

    assert str(caught.value).startswith(source.replace("FILE", str(home / "config.toml")) + ":")


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"colour": 1}, "colour: this version does not read it; 'treadle config' lists the keys that count"),
        ({"modle": 1}, "modle: this version does not read it; did you mean 'model'?"),
        ({"notify": ["x"]}, "notify: this version does not read it; "),
        ({"projects": {"/x": {}}}, "projects: does not count in settings of a session; write it into config.toml of the home"),
        ({"profile": "p", "profiles": {"p": {"colour": 1}}}, "profiles.p.colour: this version does not read it; "),
        ({"features": {"colour": True}}, "features.colour: this version does not read it; known here: shell_tool, unified_exec, apply_patch_freeform, collab, request_user_input"),
        ({"mcp_servers": {"a": {"command": "x", "scopes": []}}}, "mcp_servers.a.scopes: this version does not read it; known here: command, url, "),
        ({"sandbox_workspace_write": {"a": {"b": 1}}}, "sandbox_workspace_write.a: this version does not read it; known here: writable_roots, "),
    ],
)  # fmt: skip
def test_a_strict_layer_has_no_keys_that_nobody_reads(home: Path, raw: Any, complaint: str) -> None:
    """What is said on a command line is meant for us; what a file says is not always."""
    layer = ConfigLayer(raw=raw, source=None, folder=home)
    assert isinstance(read(home, layer), Config)

    with pytest.raises(ConfigError) as caught:
        read(home, attrs.evolve(layer, strict=True))

    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model = 5", "model: expected a text, got a whole number (5)"),
        ('model = " "', "model: is empty; write something or leave it out"),
        ("model = 2026-11-20", "model: expected a text, got a date"),
        ("model = [1]", "model: expected a text, got a list"),
        ("model = {a = 1}", "model: expected a text, got a table"),
        ("model = true", "model: expected a text, got a truth value (True)"),
        ("model = 1.5", "model: expected a text, got a number (1.5)"),
        ("model = 0x" + "f" * 5000, "model: expected a text, got a whole number"),
        ('approval_policy = "sometimes"', "approval_policy: expected 'untrusted' or 'on-failure' or 'on-request' or 'never', got a text ('sometimes')"),
        ("approval_policy = 1", "approval_policy: expected 'untrusted' or 'on-failure' or 'on-request' or 'never', got a whole number (1)"),
        ('sandbox_mode = "open"', "sandbox_mode: expected 'read-only' or 'workspace-write' or 'danger-full-access', got a text ('open')"),
        (f'sandbox_mode = "{"x" * 100}"', f"sandbox_mode: expected 'read-only' or 'workspace-write' or 'danger-full-access', got a text ('{'x' * 59}...)"),
        ('model_provider = "acme"', "model_provider: there is no provider 'acme'; known: openai, scripted; add [model_providers.acme] or choose one of these"),
        ("model_provider = 1", "model_provider: expected a text, got a whole number (1)"),
        ("model_providers = 1", "model_providers: expected a table, got a whole number (1)"),
        ("model_providers.a = 1", "model_providers.a: expected a table, got a whole number (1)"),
        ("[model_providers.openai]", "model_providers.openai: this name is taken by a provider of the house; choose another"),
        ("[model_providers.scripted]", "model_providers.scripted: this name is taken by a provider of the house; choose another"),
        ("[model_providers.a]\nname = 1", "model_providers.a.name: expected a text, got a whole number (1)"),
        ('[model_providers.a]\nbase_url = "acme.test"', "model_providers.a.base_url: expected a URL with http or https, got 'acme.test'"),
        ('[model_providers.a]\nwire_api = "chat"', "model_providers.a.wire_api: expected 'responses', got a text ('chat')"),
        ("[model_providers.a]\nhttp_headers = 1", "model_providers.a.http_headers: expected a table, got a whole number"),
        ("[model_providers.a]\nhttp_headers = {b = 1}", "model_providers.a.http_headers.b: expected a text, got a whole number"),
        ("[model_providers.a]\nrequest_max_retries = -1", "model_providers.a.request_max_retries: expected a whole number from 0, got a whole number (-1)"),
        ("[model_providers.a]\nstream_max_retries = true", "model_providers.a.stream_max_retries: expected a whole number from 0, got a truth value (True)"),
        ("[model_providers.a]\nstream_idle_timeout_ms = 0", "model_providers.a.stream_idle_timeout_ms: expected a whole number from 1, got a whole number (0)"),
        ('[model_providers.a]\nrequires_openai_auth = "yes"', "model_providers.a.requires_openai_auth: expected true or false, got a text ('yes')"),
        ("sandbox_workspace_write = 1", "sandbox_workspace_write: expected a table, got a whole number (1)"),
        ("[sandbox_workspace_write]\nnetwork_access = 1", "sandbox_workspace_write.network_access: expected true or false, got a whole number (1)"),
        ('[sandbox_workspace_write]\nwritable_roots = "x"', "sandbox_workspace_write.writable_roots: expected a list of texts, got a text ('x')"),
        ("[sandbox_workspace_write]\nwritable_roots = [1]", "sandbox_workspace_write.writable_roots: expected a list of texts, got a list"),
        ('[sandbox_workspace_write]\nwritable_roots = [""]', "sandbox_workspace_write.writable_roots: expected a list of texts, got a list"),
        ('[sandbox_workspace_write]\nwritable_roots = ["~nobody-of-that-name/x"]', "sandbox_workspace_write.writable_roots: '~nobody-of-that-name/x' names no folder: Could not determine home directory."),
        ('personality = "odd"', "personality: expected 'none' or 'friendly' or 'pragmatic', got a text ('odd')"),
        ("model_reasoning_summary = 1", "model_reasoning_summary: expected 'auto' or 'concise' or 'detailed' or 'none', got a whole number (1)"),
        ("model_supports_reasoning_summaries = 1", "model_supports_reasoning_summaries: expected true or false, got a whole number (1)"),
        ("model_context_window = 0", "model_context_window: expected a whole number from 1, got a whole number (0)"),
        ("model_context_window = 0x" + "f" * 5000, "model_context_window: expected a whole number from 1, got a whole number"),
        ('model_instructions_file = "gone.md"', "model_instructions_file: 'HOME/gone.md' cannot be read: No such file or directory"),
        ('model_instructions_file = "/dev/null"', "model_instructions_file: '/dev/null' cannot be read: it is no regular file"),
        ('model_instructions_file = "config.toml"\ninstructions = 1', "instructions: expected a text, got a whole number (1)"),
        ('cli_auth_credentials_store = "vault"', "cli_auth_credentials_store: expected 'file' or 'keyring' or 'auto' or 'ephemeral', got a text ('vault')"),
        ('project_root_markers = ["../x"]', "project_root_markers: '../x' is no name of a file; give names without '..' and '/'"),
        ('project_doc_fallback_filenames = ["/etc/passwd"]', "project_doc_fallback_filenames: '/etc/passwd' is no name of a file; give names without '..' and '/'"),
        ('project_doc_fallback_filenames = ["a\\u0000"]', "project_doc_fallback_filenames: 'a\\x00' is no name of a file; give names without '..' and '/'"),
        ("project_doc_max_bytes = -1", "project_doc_max_bytes: expected a whole number from 0, got a whole number (-1)"),
        ('projects."/x".trust_level = "perhaps"', "projects./x.trust_level: expected 'trusted' or 'untrusted', got a text ('perhaps')"),
        ('model_instructions_file = "a\\u0000"', "model_instructions_file: the path has a null character in it; take it out"),
        ('model_instructions_file = "~nobody-of-that-name/x"', "model_instructions_file: '~nobody-of-that-name/x' names no folder: Could not determine home directory."),
        ('experimental_compact_prompt_file = "."', "experimental_compact_prompt_file: 'HOME' cannot be read: Is a directory"),
        ('openai_base_url = "x"', "openai_base_url: expected a URL with http or https, got 'x'"),
        ("projects = 1", "projects: expected a table, got a whole number (1)"),
        ("profiles = 1", "profiles: expected a table, got a whole number (1)"),
        ('profile = "x"', "profile: there is no profile 'x'; known: none; add [profiles.x]"),
        ('profile = "x"\nprofiles.x = 1', "profiles.x: expected a table, got a whole number (1)"),
        ('profile = "x"\nprofiles.x.model = 1', "profiles.x.model: expected a text, got a whole number (1)"),
        ("skills = 1", "skills: expected a table, got a whole number (1)"),
        ("model_providers.a.http_headers = 'secret'", "model_providers.a.http_headers: expected a table, got a text"),
        ("model_providers.a.experimental_bearer_token = 12345", "model_providers.a.experimental_bearer_token: expected a text, got a whole number"),
        ("model_providers.a.base_url = 'htp://me:secret@x'", "model_providers.a.base_url: expected a URL with http or https, got 'htp://********@x'"),
        ("model_auto_compact_token_limit = 0", "model_auto_compact_token_limit: expected a whole number from 1, got a whole number (0)"),
        ("tool_output_token_limit = 1.5", "tool_output_token_limit: expected a whole number from 1, got a number (1.5)"),
        ("agents.max_threads = 0", "agents.max_threads: expected a whole number from 1, got a whole number (0)"),
        ("agents.max_depth = -1", "agents.max_depth: expected a whole number from 0, got a whole number (-1)"),
        ("features.collab = 1", "features.collab: expected true or false, got a whole number (1)"),
        ('shell_environment_policy.inherit = "some"', "shell_environment_policy.inherit: expected 'all' or 'core' or 'none', got a text ('some')"),
        ('shell_environment_policy.set = { "A=B" = "" }', "shell_environment_policy.set.A=B: 'A=B' is no name of a variable: it is empty or has '=' in it"),
        ('shell_environment_policy.set = { A = "\\u0000" }', "shell_environment_policy.set.A: the value has a null character in it; take it out"),
        ("mcp_servers.a = 1", "mcp_servers.a: expected a table, got a whole number (1)"),
        ("[mcp_servers.a]", "mcp_servers.a: invalid transport; give it a command to run, or a url to connect to"),
        ("[mcp_servers.'a b']", "mcp_servers.a b: invalid MCP server name 'a b': must match pattern ^[a-zA-Z0-9_-]+$; rename the server"),
        ("[mcp_servers.'a\u00e9']", "mcp_servers.a\u00e9: invalid MCP server name 'a\u00e9': must match pattern ^[a-zA-Z0-9_-]+$; rename the server"),
        ('[mcp_servers.a]\ncommand = "x"\nurl = "http://x"', "mcp_servers.a.url: url is not supported for stdio; leave out command or it"),
        ('[mcp_servers.a]\ncommand = "x"\nbearer_token = "t"', "mcp_servers.a.bearer_token: bearer_token is not supported for stdio; leave out command or it"),
        ('[mcp_servers.a]\ncommand = "x"\nhttp_headers = {}', "mcp_servers.a.http_headers: http_headers is not supported for stdio; leave out command or it"),
        ('[mcp_servers.a]\nurl = "http://x"\nargs = []', "mcp_servers.a.args: args is not supported for streamable_http; leave out url or it"),
        ('[mcp_servers.a]\nurl = "http://x"\nbearer_token = "t"', "mcp_servers.a.bearer_token: bearer_token is not supported for streamable_http; put the token into an environment variable and name that with bearer_token_env_var"),
        ('[mcp_servers.a]\nurl = "x"', "mcp_servers.a.url: expected a URL with http or https, got 'x'"),
        ('[mcp_servers.a]\ncommand = "x"\nargs = [1]', "mcp_servers.a.args: expected a list of texts, got a list"),
        ('[mcp_servers.a]\ncommand = "x"\ntool_timeout_sec = 0', "mcp_servers.a.tool_timeout_sec: expected a number of seconds above 0, got a whole number (0)"),
        ('[mcp_servers.a]\ncommand = "x"\ntool_timeout_sec = nan', "mcp_servers.a.tool_timeout_sec: expected a number of seconds above 0, got a number (nan)"),
        ('[mcp_servers.a]\ncommand = "x"\nstartup_timeout_sec = true', "mcp_servers.a.startup_timeout_sec: expected a number of seconds above 0, got a truth value (True)"),
        ('[mcp_servers.a]\ncommand = "x"\nstartup_timeout_sec = 1' + "0" * 400, "mcp_servers.a.startup_timeout_sec: expected a number of seconds above 0, got a whole number"),
        ('[mcp_servers.a]\ncommand = "x"\nstartup_timeout_ms = 0.5', "mcp_servers.a.startup_timeout_ms: expected a whole number from 1, got a number (0.5)"),
        ('model = "a"\nmodel = "b"\n', "line 2: it is no TOML: Cannot overwrite a value (at line 2, column 12)"),
        ("model =", "it is no TOML: Invalid value (at end of document)"),
        ("a = " + "[" * 5000, "it is nested too deep"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_key_and_value(home: Path, text: str, problem: str) -> None:
    """One clear line each."""
    assert complaint(home, text) == problem.replace("HOME", str(home))


@pytest.mark.parametrize("key", ["model_instructions_file", "experimental_compact_prompt_file"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b" \n", "is empty; write something or leave out the key"),
        (b"a\xff", "is no UTF-8 text: 'utf-8' codec can't decode byte 0xff in position 1"),
        (b"\xc3\xbc" * (3 << 20), "is longer than 4 MiB"),
    ],
)
def test_a_text_in_a_file_must_be_one(home: Path, key: str, content: bytes, problem: str) -> None:
    """The key and the file are named."""
    (home / "x.md").write_bytes(content)

    assert complaint(home, f'{key} = "x.md"').startswith(f"{key}: '{home / 'x.md'}' {problem}")


def test_a_folder_must_be_one(home: Path) -> None:
    """For who embeds us, too."""
    with pytest.raises(ConfigError, match="cwd: the path has a null character"):
        load_config(home, cwd="/a\0b", system=None)


def test_file_that_cannot_be_read_is_named(home: Path) -> None:
    """A folder in its place, or bytes that are no text."""
    (home / "config.toml").write_bytes(b"\n\nmodel = '\xff'")
    with pytest.raises(ConfigError, match="line 3: it is no UTF-8 text"):
        read(home)

    (home / "config.toml").unlink()
    (home / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="it cannot be read: Is a directory"):
        read(home)


KEYS = ("model", "model_provider", "model_providers", "approval_policy", "sandbox_mode", "a", "name",
        "sandbox_workspace_write", "writable_roots", "http_headers", "base_url", "network_access",
        "mcp_servers", "command", "url", "features", "collab", "agents", "max_depth", "env",
        "shell_environment_policy", "set", "tool_timeout_sec", "startup_timeout_ms", "profile",
        "profiles", "projects", "trust_level", "skills", "config", "project_root_markers",
        "project_doc_max_bytes", "personality", "model_instructions_file")  # fmt: skip
scalars = st.sampled_from(
    ["1", "true", '"never"', '"openai"', '"read-only"', "1.5", "[]", "{}", '"~"']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), scalars), max_size=4
    )
    | st.text(max_size=40)
)
def test_any_file_is_a_configuration_or_a_config_error(home: Path, content: Any) -> None:
    """Nothing else ever comes out."""
    lines = (
        content
        if isinstance(content, str)
        else "\n".join(f"{'.'.join(keys)} = {value}" for keys, value in content)
    )
    (home / "config.toml").write_bytes(lines.encode(errors="surrogatepass"))

    try:
        assert isinstance(read(home), Config)
    except ConfigError as error:
        assert "\n" not in str(error)


def test_error_survives_pickle_and_copy() -> None:
    """With all its fields."""
    error = ConfigError("/p", "k", "problem", 3)

    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(other) == "/p: line 3: k: problem"
        assert vars(other) == vars(error)
