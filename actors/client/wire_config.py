"""The settings of a thread as an app-server takes them, and what it does not take."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, assert_never

import attrs

from actors.config import ThreadConfig
from messages.rpc.settings import DynamicToolSpec as WireTool
from messages.rpc.settings import SandboxMode
from messages.settings import (
    DangerFullAccess,
    DynamicToolSpec,
    ExternalSandbox,
    ReadOnly,
    ReasoningSummary,
    SandboxPolicy,
    TruncationMode,
    UnknownSandbox,
    WorkspaceWrite,
)
from messages.tool_settings import EnvironmentPolicy, McpHttp, McpServerConfig, ToolFeatures
from messages.value import Json

from .errors import NotOverTheWire

__all__ = ["open_params", "refuse_for", "wire_tools"]

_DEFAULT: Final = ThreadConfig(cwd="/")

_OVERRIDE: Final = "leave it out, and submit OverrideTurnContext({}=...) to the new thread"

_WAYS_OUT: Final = {
    "user_instructions": "leave it out, and write an AGENTS.md where the server finds it, or use "
    "developer_instructions",
    "collaboration_mode": _OVERRIDE.format("collaboration_mode"),
    "skill_roots": "leave it out; the server looks for skills below its home and the cwd",
    "originator": "leave it out, and give connect() a client_info",
    "cli_version": "leave it out, and give connect() a client_info",
}
"""Fields without a form on the wire, and what to do instead."""


def open_params(config: ThreadConfig) -> dict[str, Any]:
    """
    Say the settings of a thread, by the names of `ThreadStartParams`.

    What has its default is left to the configuration of the server, but for approvals
    and the sandbox, which always go along.

    Raises:
        NotOverTheWire: Something is set that has no form there.
    """
    for name, way_out in _WAYS_OUT.items():
        refuse_for(config, name, way_out)
    mode, workspace = _sandbox(config.sandbox_policy)
    return {
        "cwd": config.cwd,
        "model": config.model,
        "approval_policy": config.approval_policy,
        "sandbox": mode,
        "base_instructions": config.base_instructions,
        "developer_instructions": config.developer_instructions,
        "config": _config(config) | workspace or None,
    }


def refuse_for(config: ThreadConfig, name: str, way_out: str) -> None:
    """
    Refuse a setting that cannot be said.

    Raises:
        NotOverTheWire: It has another value than its default.
    """
    if getattr(config, name) != getattr(_DEFAULT, name):
        raise NotOverTheWire(f"ThreadConfig.{name}", way_out)


def wire_tools(tools: Iterable[DynamicToolSpec]) -> tuple[WireTool, ...] | None:
    """Say the tools that this program runs; None for none."""
    said = tuple(
        WireTool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        for tool in tools
    )
    return said or None


def _sandbox(policy: SandboxPolicy) -> tuple[SandboxMode, dict[str, Json]]:
    """Say a sandbox policy as its mode, and what else of the configuration it needs."""
    way_out = _OVERRIDE.format("sandbox_policy")
    match policy:
        case DangerFullAccess():
            return SandboxMode.DANGER_FULL_ACCESS, {}
        case ReadOnly(access=None):
            return SandboxMode.READ_ONLY, {}
        case WorkspaceWrite(read_only_access=None):
            return SandboxMode.WORKSPACE_WRITE, {"sandbox_workspace_write": _workspace(policy)}
        case ReadOnly() | WorkspaceWrite():
            raise NotOverTheWire("a sandbox policy that limits what may be read", way_out)
        case ExternalSandbox():
            raise NotOverTheWire("the sandbox policy ExternalSandbox", way_out)
        case UnknownSandbox(tag=tag):
            raise NotOverTheWire(f"the sandbox policy {tag!r}", "take one that this version knows")
        case _:
            assert_never(policy)


def _workspace(policy: WorkspaceWrite) -> dict[str, Json]:
    return {
        "writable_roots": list(policy.writable_roots),
        "network_access": policy.network_access,
        "exclude_tmpdir_env_var": policy.exclude_tmpdir_env_var,
        "exclude_slash_tmp": policy.exclude_slash_tmp,
    }


def _config(config: ThreadConfig) -> dict[str, Json]:
    """Say what is not as it is by default, by the keys of ``config.toml``."""
    said: dict[str, Json] = {
        "model_reasoning_effort": config.effort,
        "model_reasoning_summary": _changed(config, "summary", _word),
        "compact_prompt": config.compact_prompt,
        "model_auto_compact_token_limit": config.auto_compact_token_limit,
        "review_model": config.review_model,
        "model_context_window": config.model_overrides.context_window,
        "model_supports_reasoning_summaries": config.model_overrides.supports_reasoning_summaries,
        "tool_output_token_limit": _output_limit(config),
        "shell_environment_policy": _changed(config, "environment_policy", _environment),
        "features": _changed(config, "features", _features),
        "mcp_servers": _changed(config, "mcp_servers", _servers),
        "agents": _agents(config),
        "skills": _changed(config, "disabled_skills", _skills),
    }
    return {key: value for key, value in said.items() if value is not None}


def _word(summary: ReasoningSummary) -> Json:
    return summary.value


def _itself(value: Json) -> Json:
    return value


def _changed(config: ThreadConfig, name: str, say: Callable[[Any], Json]) -> Json:
    value: Any = getattr(config, name)
    return None if value == getattr(_DEFAULT, name) else say(value)


def _output_limit(config: ThreadConfig) -> int | None:
    policy = config.truncation_policy
    if policy is None:
        return None
    if policy.mode is not TruncationMode.TOKENS or policy.limit < 1:
        raise NotOverTheWire(
            f"ThreadConfig.truncation_policy of {policy.limit} {policy.mode.value}",
            "give a limit in tokens, from 1",
        )
    return policy.limit


def _environment(policy: EnvironmentPolicy) -> Json:
    return {
        "inherit": policy.inherit.value,
        "ignore_default_excludes": policy.ignore_default_excludes,
        "exclude": list(policy.exclude),
        "set": dict(policy.set),
        "include_only": list(policy.include_only),
    }


def _features(features: ToolFeatures) -> Json:
    return {field.name: getattr(features, field.name) for field in attrs.fields(ToolFeatures)}


def _agents(config: ThreadConfig) -> Json:
    names = {"max_threads": "agent_max_threads", "max_depth": "agent_max_depth"}
    said = {key: _changed(config, name, _itself) for key, name in names.items()}
    return {key: value for key, value in said.items() if value is not None} or None


def _skills(paths: frozenset[str]) -> Json:
    return {"config": [{"path": path, "enabled": False} for path in sorted(paths)]}


def _servers(servers: Mapping[str, McpServerConfig]) -> Json:
    return {name: _server(server) for name, server in servers.items()}


def _server(server: McpServerConfig) -> Json:
    transport = server.transport
    said: dict[str, Json] = {
        "enabled": server.enabled,
        "required": server.required,
        "startup_timeout_sec": server.startup_timeout,
        "tool_timeout_sec": server.tool_timeout,
        "enabled_tools": None if server.enabled_tools is None else list(server.enabled_tools),
        "disabled_tools": list(server.disabled_tools),
    }
    if isinstance(transport, McpHttp):
        said |= {
            "url": transport.url,
            "bearer_token_env_var": transport.bearer_token_env_var,
            "http_headers": dict(transport.http_headers),
            "env_http_headers": dict(transport.env_http_headers),
        }
    else:
        said |= {
            "command": transport.command,
            "args": list(transport.args),
            "env": dict(transport.env),
            "env_vars": list(transport.env_vars),
            "cwd": transport.cwd,
        }
    return {key: value for key, value in said.items() if value is not None}
