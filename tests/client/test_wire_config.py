"""Settings of a thread on their way through an app-server."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.client import NotOverTheWire
from actors.client.wire_config import open_params
from actors.config import ThreadConfig, load_config
from actors.models import ModelOverrides
from actors.server.settings_from_params import override_layer, thread_config
from actors.skills import SkillRoot, SkillScope
from messages.codec import from_json, to_json
from messages.rpc.thread import ThreadStartParams
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    ExternalSandbox,
    FullReadAccess,
    ModeKind,
    Personality,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
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

RICH = ThreadConfig(
    cwd="/",
    model="m",
    approval_policy=AskForApproval.NEVER,
    sandbox_policy=WorkspaceWrite(
        writable_roots=("/a", "/b"),
        network_access=True,
        exclude_tmpdir_env_var=True,
        exclude_slash_tmp=True,
    ),
    effort=ReasoningEffort("high"),
    summary=ReasoningSummary.DETAILED,
    base_instructions="base",
    developer_instructions="developer",
    personality=Personality.FRIENDLY,
    ephemeral=True,
    truncation_policy=TruncationPolicy(mode=TruncationMode.TOKENS, limit=5),
    environment_policy=EnvironmentPolicy(
        inherit=Inherit.CORE,
        ignore_default_excludes=False,
        exclude=("A*",),
        set={"B": "c"},
        include_only=("D",),
    ),
    mcp_servers={
        "one": McpServerConfig(
            transport=McpStdio(command="c", args=("a",), env={"E": "f"}, env_vars=("G",), cwd="/h"),
            enabled=False,
            required=True,
            startup_timeout=3.0,
            tool_timeout=4.0,
            enabled_tools=("t",),
            disabled_tools=("u",),
        ),
        "two": McpServerConfig(
            transport=McpHttp(
                url="https://example.org/mcp",
                bearer_token_env_var="T",
                http_headers={"a": "b"},
                env_http_headers={"c": "D"},
            )
        ),
    },
    features=ToolFeatures(collab=True, unified_exec=False),
    compact_prompt="sum up",
    auto_compact_token_limit=1000,
    review_model="r",
    agent_max_threads=2,
    agent_max_depth=3,
    model_overrides=ModelOverrides(context_window=9, supports_reasoning_summaries=True),
    disabled_skills=frozenset({"/s/SKILL.md"}),
)


def arrived(config: ThreadConfig, home: Path) -> ThreadConfig:
    """What a server makes of it."""
    said = ThreadStartParams(
        **open_params(config), personality=config.personality, ephemeral=config.ephemeral or None
    )
    heard = from_json(to_json(said), ThreadStartParams)
    layer = override_layer(None, heard, home)
    read = load_config(home, cwd=config.cwd, overrides=layer, system=None)
    made = thread_config(read, heard, originator="treadle")
    # These are found where the server is.
    return attrs.evolve(made, skill_roots=(), user_instructions=None)


@pytest.mark.parametrize(
    "config",
    [
        RICH,
        ThreadConfig(cwd="/"),
        ThreadConfig(cwd="/", sandbox_policy=DangerFullAccess()),
        *(
            attrs.evolve(ThreadConfig(cwd="/"), **{field.name: getattr(RICH, field.name)})
            for field in attrs.fields(ThreadConfig)
        ),
    ],
    ids=lambda _: "",
)
def test_every_setting_arrives_as_it_was(config: ThreadConfig, tmp_path: Path) -> None:
    """Each alone, and all together."""
    assert arrived(config, tmp_path) == config


def test_approvals_and_sandbox_go_before_the_server_s_own(tmp_path: Path) -> None:
    """Also when they are the default: nobody is less careful than the program asked for."""
    (tmp_path / "config.toml").write_text(
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\nmodel = "theirs"\n'
    )

    assert arrived(ThreadConfig(cwd="/"), tmp_path) == ThreadConfig(cwd="/", model="theirs")


MODE = CollaborationMode(mode=ModeKind.PLAN, settings=CollaborationSettings(model="m"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"user_instructions": "x"}, "user_instructions"),
        ({"collaboration_mode": MODE}, "collaboration_mode"),
        ({"skill_roots": (SkillRoot(path="/s", scope=SkillScope.USER),)}, "skill_roots"),
        ({"originator": "me"}, "originator"),
        ({"cli_version": "9.9"}, "cli_version"),
        ({"sandbox_policy": ExternalSandbox()}, "ExternalSandbox"),
        ({"sandbox_policy": ReadOnly(access=FullReadAccess())}, "limits what may be read"),
        (
            {"truncation_policy": TruncationPolicy(mode=TruncationMode.BYTES, limit=1)},
            "truncation_policy of 1 bytes",
        ),
    ],
)
def test_setting_without_a_form_is_refused(changes: dict[str, Any], named: str) -> None:
    """By its name, and with the way out."""
    with pytest.raises(NotOverTheWire) as refused:
        open_params(attrs.evolve(ThreadConfig(cwd="/"), **changes))

    assert named in refused.value.what
    assert refused.value.way_out
