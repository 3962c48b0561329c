"""The user's config.toml: every key of it, and what a thread starts with."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from actors.config import OPENAI_PROVIDER, Config, ConfigLayer
from actors.models import SCRIPTED_PROVIDER, CredentialStore, ModelOverrides, ProviderInfo
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    Personality,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
    TruncationMode,
    TruncationPolicy,
    WorkspaceWrite,
)
from messages.tool_settings import (
    EnvironmentPolicy,
    Inherit,
    McpHttp,
    McpServerConfig,
    McpStdio,
    ToolFeatures,
)

from .config_file_stage import loaded, read

BUILT_IN = {"openai": OPENAI_PROVIDER, "scripted": SCRIPTED_PROVIDER}


def test_home_without_a_file_has_all_defaults(home: Path) -> None:
    """Also a home that is not there."""
    config = read(home / "missing")

    assert {root.path for root in config.skill_roots} >= {str(home / "missing" / "skills")}
    assert attrs.evolve(config, skill_roots=()) == Config(
        path=home / "missing" / "config.toml",
        cwd="/",
        model=None,
        model_provider="openai",
        providers=BUILT_IN,
        approval_policy=AskForApproval.ON_REQUEST,
        sandbox_policy=ReadOnly(),
    )


def test_every_key_is_read(home: Path) -> None:
    """With the meanings of Codex."""
    config = loaded(
        home,
        """
model = "gpt-5"
model_provider = "acme"
model_reasoning_effort = "high"
model_reasoning_summary = "concise"
model_context_window = 100000
model_supports_reasoning_summaries = true
model_auto_compact_token_limit = 90000
personality = "friendly"
instructions = "Be good."
developer_instructions = "Be quick."
cli_auth_credentials_store = "auto"
project_root_markers = [".hg"]
project_doc_max_bytes = 10
project_doc_fallback_filenames = ["README.md"]
tool_output_token_limit = 5000
compact_prompt = "Sum up."
review_model = "gpt-6"
approval_policy = "never"
sandbox_mode = "workspace-write"

[agents]
max_threads = 3
max_depth = 2

[features]
shell_tool = false
unified_exec = false
apply_patch_freeform = false
collab = true
request_user_input = false
skill_env_var_dependency_prompt = true

[shell_environment_policy]
inherit = "core"
ignore_default_excludes = false
exclude = ["AWS_*"]
include_only = ["PATH", "HOME"]
set = { CI = "1", EMPTY = "" }

[mcp_servers.docs]
command = "docs-server"
args = ["--port", ""]
env = { A = "1" }
env_vars = ["TOKEN"]
cwd = "/srv"
enabled = false
required = true
startup_timeout_sec = 1.5
startup_timeout_ms = 9000
tool_timeout_sec = 30
enabled_tools = ["a", "b"]
disabled_tools = ["b"]

[mcp_servers.web_2]
url = "https://web.test/mcp"
bearer_token_env_var = "WEB_TOKEN"
http_headers = { X-A = "1" }
env_http_headers = { X-B = "B" }
startup_timeout_ms = 2500
enabled_tools = []
scopes = ["left alone"]

[model_providers.acme]
name = "Acme"
base_url = "https://acme.test/v1/"
env_key = "ACME_KEY"
env_key_instructions = "Ask."
experimental_bearer_token = "token"
wire_api = "responses"
query_params = { version = "1" }
http_headers = { X-A = "1" }
env_http_headers = { X-B = "B" }
request_max_retries = 200
stream_max_retries = 0
stream_idle_timeout_ms = 5000
requires_openai_auth = true

[model_providers.bare]

[sandbox_workspace_write]
writable_roots = ["/a", "b/../c"]
network_access = true
exclude_tmpdir_env_var = true
exclude_slash_tmp = true
""",
    )

    assert config.warnings == ()
    assert attrs.evolve(config, skill_roots=()) == Config(
        path=home / "config.toml",
        cwd="/",
        summary=ReasoningSummary.CONCISE,
        personality=Personality.FRIENDLY,
        base_instructions="Be good.",
        developer_instructions="Be quick.",
        credential_store=CredentialStore.AUTO,
        model_overrides=ModelOverrides(context_window=100_000, supports_reasoning_summaries=True),
        model="gpt-5",
        model_provider="acme",
        providers={
            **BUILT_IN,
            "acme": ProviderInfo(
                id="acme",
                name="Acme",
                base_url="https://acme.test/v1",
                env_key="ACME_KEY",
                env_key_instructions="Ask.",
                experimental_bearer_token="token",
                query_params={"version": "1"},
                http_headers={"X-A": "1"},
                env_http_headers={"X-B": "B"},
                request_max_retries=100,
                stream_max_retries=0,
                stream_idle_timeout_ms=5000,
                requires_openai_auth=True,
            ),
            "bare": ProviderInfo(id="bare", name="bare"),
        },
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=WorkspaceWrite(
            writable_roots=("/a", str(home / "c")),
            network_access=True,
            exclude_tmpdir_env_var=True,
            exclude_slash_tmp=True,
        ),
        effort=ReasoningEffort("high"),
        environment_policy=EnvironmentPolicy(
            inherit=Inherit.CORE,
            ignore_default_excludes=False,
            exclude=("AWS_*",),
            set={"CI": "1", "EMPTY": ""},
            include_only=("PATH", "HOME"),
        ),
        mcp_servers={
            "docs": McpServerConfig(
                transport=McpStdio(
                    command="docs-server",
                    args=("--port", ""),
                    env={"A": "1"},
                    env_vars=("TOKEN",),
                    cwd="/srv",
                ),
                enabled=False,
                required=True,
                startup_timeout=1.5,
                tool_timeout=30.0,
                enabled_tools=("a", "b"),
                disabled_tools=("b",),
            ),
            "web_2": McpServerConfig(
                transport=McpHttp(
                    url="https://web.test/mcp",
                    bearer_token_env_var="WEB_TOKEN",
                    http_headers={"X-A": "1"},
                    env_http_headers={"X-B": "B"},
                ),
                startup_timeout=2.5,
                enabled_tools=(),
            ),
        },
        features=ToolFeatures(
            shell_tool=False,
            unified_exec=False,
            apply_patch_freeform=False,
            collab=True,
            request_user_input=False,
            skill_env_var_dependency_prompt=True,
        ),
        compact_prompt="Sum up.",
        auto_compact_token_limit=90_000,
        truncation_policy=TruncationPolicy(mode=TruncationMode.TOKENS, limit=5000),
        review_model="gpt-6",
        agent_max_threads=3,
        agent_max_depth=2,
    )


def test_a_thread_starts_with_everything_that_is_configured(home: Path) -> None:
    """Every field that both have is handed over."""
    config = attrs.evolve(
        read(home),
        model="m",
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=DangerFullAccess(),
        effort=ReasoningEffort("low"),
        environment_policy=EnvironmentPolicy(inherit=Inherit.NONE),
        mcp_servers={"a": McpServerConfig(transport=McpStdio(command="a"))},
        features=ToolFeatures(collab=True),
        compact_prompt="p",
        auto_compact_token_limit=7,
        truncation_policy=TruncationPolicy(mode=TruncationMode.TOKENS, limit=1),
        review_model="r",
        agent_max_threads=2,
        agent_max_depth=3,
        summary=ReasoningSummary.NONE,
        personality=Personality.NONE,
        base_instructions="b",
        developer_instructions="d",
        user_instructions="u",
        model_overrides=ModelOverrides(context_window=5),
        rule_folders=("/r",),
        disabled_skills=frozenset({"/s"}),
    )

    thread_config = config.thread_config("/work")

    own = {field.name for field in attrs.fields(Config)} - {
        "path", "cwd", "model_provider", "providers", "instruction_files", "credential_store",
        "warnings", "layers", "settings",
    }  # fmt: skip
    assert {name: getattr(thread_config, name) for name in own} == {
        name: getattr(config, name) for name in own
    }
    assert thread_config.cwd == "/work"
    assert config.thread_config().cwd == config.cwd


def test_overrides_go_before_the_file_key_by_key(home: Path) -> None:
    """Tables are merged, and each layer has its own folder for relative paths."""
    (home / "config.toml").write_text(
        """
        sandbox_mode = "workspace-write"
        model = "of the file"
        sandbox_workspace_write = { writable_roots = ["x"], network_access = true }
        mcp_servers.a = { command = "old", args = ["kept"] }
        """
    )
    overrides = ConfigLayer(
        raw={
            "model": "of the overrides",
            "sandbox_workspace_write": {"writable_roots": ["y"]},
            "mcp_servers": {"a": {"command": "new"}, "b": {"url": "http://b.test"}},
        },
        source="--config",
        folder=Path("/here"),
    )

    config = read(home, overrides)

    assert config.model == "of the overrides"
    assert config.sandbox_policy == WorkspaceWrite(writable_roots=("/here/y",), network_access=True)
    assert config.mcp_servers == {
        "a": McpServerConfig(transport=McpStdio(command="new", args=("kept",))),
        "b": McpServerConfig(transport=McpHttp(url="http://b.test")),
    }


@pytest.mark.parametrize(
    ("mode", "policy"),
    [
        ("read-only", ReadOnly()),
        ("workspace-write", WorkspaceWrite()),
        ("danger-full-access", DangerFullAccess()),
    ],
)
def test_each_sandbox_mode_has_its_policy(home: Path, mode: str, policy: SandboxPolicy) -> None:
    """With the defaults of Codex."""
    assert loaded(home, f'sandbox_mode = "{mode}"').sandbox_policy == policy


@pytest.mark.parametrize("policy", list(AskForApproval))
def test_each_approval_policy_is_read(home: Path, policy: AskForApproval) -> None:
    """By its name on the wire."""
    assert loaded(home, f'approval_policy = "{policy.value}"').approval_policy is policy


def test_writable_root_may_begin_at_the_users_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the shell writes it."""
    monkeypatch.setenv("HOME", "/users/me")
    text = 'sandbox_mode = "workspace-write"\nsandbox_workspace_write.writable_roots = ["~/x"]'

    policy = loaded(home, text).sandbox_policy

    assert policy == WorkspaceWrite(writable_roots=("/users/me/x",))


def test_other_keys_are_left_alone(home: Path) -> None:
    """A file that Codex uses too has many of them."""
    config = loaded(
        home,
        'notify = ["x"]\n[tui]\nx = 1\n[features]\njs_repl = true\n[agents.role]\nx = 1\n[profiles.c]\nmodel = 5',
    )

    other = attrs.evolve(read(home / "missing"), path=home / "config.toml")
    assert attrs.evolve(config, skill_roots=other.skill_roots) == other


def test_windows_line_ends_and_umlauts_are_fine(home: Path) -> None:
    """It is read as bytes."""
    (home / "config.toml").write_bytes('model = "ü"\r\n'.encode())

    assert read(home).model == "ü"


def test_a_text_may_be_in_a_file(home: Path) -> None:
    """The prompt itself goes before its file, the file before the instructions."""
    (home / "x.md").write_text(" text \n")
    files = 'model_instructions_file = "x.md"\nexperimental_compact_prompt_file = "x.md"\n'

    alone = loaded(home, files)
    beside = loaded(home, files + 'instructions = "i"\ncompact_prompt = "c"\n')

    assert (alone.base_instructions, alone.compact_prompt) == ("text", "text")
    assert (beside.base_instructions, beside.compact_prompt) == ("text", "c")


def test_openai_may_be_somewhere_else(home: Path) -> None:
    """Without a provider of one's own."""
    config = loaded(home, 'openai_base_url = "http://proxy.test/v1/"')

    assert config.providers["openai"].base_url == "http://proxy.test/v1"
