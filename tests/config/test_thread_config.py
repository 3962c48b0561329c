"""With which settings a thread starts."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from actors.config import ConfigError, ThreadConfig, own_version
from actors.models import ModelOverrides
from messages.settings import AskForApproval, ReadOnly, ReasoningSummary
from messages.tool_settings import EnvironmentPolicy, McpServerConfig, McpStdio, ToolFeatures


def test_working_directory_is_enough() -> None:
    """Everything else has a default."""
    config = ThreadConfig(cwd="/work")

    assert (config.approval_policy, config.sandbox_policy) == (
        AskForApproval.ON_REQUEST,
        ReadOnly(),
    )
    assert config.summary is ReasoningSummary.AUTO
    assert (config.originator, config.cli_version) == ("treadle", own_version())
    assert (config.model, config.ephemeral) == (None, False)
    assert (config.environment_policy, config.features) == (EnvironmentPolicy(), ToolFeatures())
    assert config.mcp_servers == {}
    assert (config.compact_prompt, config.review_model) == (None, None)
    assert config.auto_compact_token_limit is None
    assert (config.agent_max_threads, config.agent_max_depth) == (6, 1)
    assert (config.skill_roots, config.disabled_skills) == ((), frozenset())
    assert config.model_overrides == ModelOverrides()


def test_limits_are_taken_at_their_edge() -> None:
    """And one MCP server with a good name."""
    server = McpServerConfig(transport=McpStdio(command="x"))

    config = ThreadConfig(
        cwd="/work",
        agent_max_threads=1,
        agent_max_depth=0,
        auto_compact_token_limit=1,
        mcp_servers={"my-server_2": server},
    )

    assert config.mcp_servers == {"my-server_2": server}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cwd": "relative"}, "cwd: expected an absolute path, got 'relative'"),
        ({"cwd": 5}, "cwd: expected an absolute path, got 5"),
        ({"model": 5}, "model: expected str, got 5"),
        ({"approval_policy": "never"}, "approval_policy: expected AskForApproval, got 'never'"),
        ({"summary": None}, "summary: expected ReasoningSummary, got None"),
        ({"ephemeral": 1}, "ephemeral: expected bool, got 1"),
        ({"effort": 1}, "effort: expected str, got 1"),
        ({"personality": "friendly"}, "personality: expected Personality, got 'friendly'"),
        ({"agent_max_threads": 0}, "agent_max_threads: expected a whole number from 1, got 0"),
        (
            {"agent_max_threads": True},
            "agent_max_threads: expected a whole number from 1, got True",
        ),
        (
            {"agent_max_threads": None},
            "agent_max_threads: expected a whole number from 1, got None",
        ),
        ({"agent_max_depth": -1}, "agent_max_depth: expected a whole number from 0, got -1"),
        (
            {"auto_compact_token_limit": 0},
            "auto_compact_token_limit: expected a whole number from 1, got 0",
        ),
        ({"environment_policy": {}}, "environment_policy: expected EnvironmentPolicy, got {}"),
        ({"features": None}, "features: expected ToolFeatures, got None"),
        ({"compact_prompt": 1}, "compact_prompt: expected str, got 1"),
        ({"review_model": 1}, "review_model: expected str, got 1"),
        ({"model_overrides": None}, "model_overrides: expected ModelOverrides, got None"),
        ({"skill_roots": ["/a"]}, "skill_roots: expected tuple of SkillRoot, got ['/a']"),
        ({"skill_roots": ("/a",)}, "skill_roots: expected tuple of SkillRoot, got ('/a',)"),
        (
            {"rule_folders": ["/a"]},
            "rule_folders: expected a tuple of absolute paths, got ['/a']",
        ),
        (
            {"rule_folders": ("a",)},
            "rule_folders: expected a tuple of absolute paths, got ('a',)",
        ),
        ({"disabled_skills": {"/a"}}, "disabled_skills: expected frozenset of str, got {'/a'}"),
        ({"mcp_servers": []}, "mcp_servers: expected servers by name, got []"),
        ({"mcp_servers": {"a": 1}}, "mcp_servers.a: expected McpServerConfig, got int"),
        ({"mcp_servers": {1: 1}}, "mcp_servers.1: its name is no text"),
        (
            {"mcp_servers": {"a.b": 1}},
            (
                "mcp_servers.a.b: invalid MCP server name 'a.b': must match pattern "
                "^[a-zA-Z0-9_-]+$; rename the server"
            ),
        ),
        (
            {"sandbox_policy": "read-only"},
            (
                "sandbox_policy: expected DangerFullAccess or ReadOnly or ExternalSandbox or "
                "WorkspaceWrite or UnknownSandbox, got 'read-only'"
            ),
        ),
    ],
)
def test_values_of_the_wrong_kind_are_refused(changes: dict[str, Any], text: str) -> None:
    """When the configuration is made, with the name of the field."""
    with pytest.raises(ConfigError) as caught:
        ThreadConfig(**{"cwd": "/work", **changes})

    assert str(caught.value) == text


def test_version_is_that_of_the_distribution_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source tree that is not installed has none."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    own_version.cache_clear()
    monkeypatch.setattr(metadata, "version", missing)
    assert own_version() == "0"

    own_version.cache_clear()
    monkeypatch.setattr(metadata, "version", lambda _: "7.8")
    assert own_version() == "7.8"
    own_version.cache_clear()
