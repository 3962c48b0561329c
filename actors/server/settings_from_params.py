"""Settings between clients and threads: from parameters to core values, and back."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, assert_never, cast

import attrs

from actors.config import (
    CollaborationModeMask,
    Config,
    ConfigLayer,
    ThreadConfig,
    apply_mask,
    mode_preset,
)
from actors.thread import SessionSettings
from messages import content
from messages import settings as core
from messages.ops import OverrideTurnContext
from messages.rpc import settings as wire
from messages.rpc.thread import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from messages.rpc.turn import TurnStartParams
from messages.rpc.user_input import (
    ImageUserInput,
    LocalImageUserInput,
    MentionUserInput,
    SkillUserInput,
    TextElement,
    TextUserInput,
    UserInput,
)
from messages.settings import KEEP, CollaborationMode
from messages.value import Json

from .rpc_errors import RpcFailure

__all__ = [
    "OpenParams",
    "core_dynamic_tools",
    "core_inputs",
    "core_sandbox",
    "nested",
    "override_layer",
    "thread_config",
    "turn_overrides",
    "wire_sandbox",
    "wire_source",
]

OpenParams: TypeAlias = ThreadStartParams | ThreadResumeParams | ThreadForkParams

# Configuration -----------------------------------------------------------


def nested(values: Mapping[str, Json]) -> dict[str, Json]:
    """
    Make tables of values by dotted key.

    Raises:
        RpcFailure: A key is empty in part, or is a value and a table.
    """
    tables: dict[str, Json] = {}
    for key, value in values.items():
        *outer, last = key.split(".")
        table = tables
        for part in outer:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise _config_failure(f"{part!r} in {key!r} has a value of its own")
            table = cast("dict[str, Json]", inner)  # keys of JSON objects are text
        if not all((*outer, last)):
            raise _config_failure(f"{key!r} is no dotted key")
        table[last] = value
    return tables


def override_layer(base: ConfigLayer | None, params: OpenParams, folder: Path) -> ConfigLayer:
    """
    Lay what a client wants over what the server was started with.

    Args:
        base: What the server was started with; None for nothing.
        folder: Where relative paths of the client begin.

    Raises:
        RpcFailure: A key makes no sense.
    """
    raw = nested(params.config or {})
    if params.sandbox is not None:
        raw["sandbox_mode"] = params.sandbox.value
    under: Mapping[str, Json] = {} if base is None else base.raw
    return ConfigLayer(raw=_merged(under, raw), source=None, folder=folder)


def _merged(under: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            tables = cast("tuple[Mapping[str, Json], ...]", (below, value))
            merged[key] = _merged(*tables)
        else:
            merged[key] = value
    return merged


def thread_config(config: Config, params: OpenParams, *, originator: str) -> ThreadConfig:
    """Make the settings of a thread: what the client says goes before the configuration."""
    ours = config.thread_config()
    said = {
        "model": params.model,
        "approval_policy": params.approval_policy,
        "base_instructions": params.base_instructions,
        "developer_instructions": params.developer_instructions,
        "personality": getattr(params, "personality", None),
        "ephemeral": getattr(params, "ephemeral", None),
    }
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    return attrs.evolve(ours, originator=originator, **changes)


def _config_failure(problem: str) -> RpcFailure:
    return RpcFailure.invalid(f"error deriving config: {problem}")


def core_dynamic_tools(
    tools: Iterable[wire.DynamicToolSpec] | None,
) -> tuple[core.DynamicToolSpec, ...]:
    """Take over the tools that a client runs."""
    return tuple(
        core.DynamicToolSpec(
            name=tool.name, description=tool.description, input_schema=tool.input_schema
        )
        for tool in tools or ()
    )


# Turns ---------------------------------------------------------------------


def turn_overrides(
    params: TurnStartParams, settings: SessionSettings
) -> OverrideTurnContext | None:
    """
    Make the op for the settings that come with input; None when nothing changes.

    Source:
        Codex: a mode without instructions has those of the built-in one of its kind.
    """
    cwd = None if params.cwd is None else os.path.normpath(Path(settings.cwd) / params.cwd)
    sandbox = None if params.sandbox_policy is None else core_sandbox(params.sandbox_policy)
    op = OverrideTurnContext(
        cwd=cwd,
        approval_policy=params.approval_policy,
        sandbox_policy=sandbox,
        model=params.model,
        effort=KEEP if params.effort is None else params.effort,
        summary=params.summary,
        collaboration_mode=_collaboration(params.collaboration_mode),
        personality=params.personality,
    )
    return None if op == OverrideTurnContext() else op


def _collaboration(mode: CollaborationMode | None) -> CollaborationMode | None:
    if mode is None or mode.settings.developer_instructions is not None:
        return mode
    preset = mode_preset(mode.mode)
    texts = CollaborationModeMask(
        name=preset.name, developer_instructions=preset.developer_instructions
    )
    return apply_mask(texts, mode)


def core_inputs(items: Iterable[UserInput]) -> tuple[content.UserInputItem, ...]:
    """Take over what the user said."""
    return tuple(map(_input, items))


def _input(item: UserInput) -> content.UserInputItem:
    match item:
        case TextUserInput(text=text, text_elements=elements):
            return content.TextInput(text=text, text_elements=tuple(map(_element, elements)))
        case ImageUserInput(url=url):
            return content.ImageInput(image_url=url)
        case LocalImageUserInput(path=path):
            return content.LocalImageInput(path=path)
        case SkillUserInput(name=name, path=path):
            return content.SkillInput(name=name, path=path)
        case MentionUserInput(name=name, path=path):
            return content.MentionInput(name=name, path=path)
        case _:
            assert_never(item)


def _element(element: TextElement) -> content.TextElement:
    return content.TextElement(byte_range=element.byte_range, placeholder=element.placeholder)


# Sandboxes and sources -------------------------------------------------------


def core_sandbox(policy: wire.SandboxPolicy) -> core.SandboxPolicy:
    """
    Take over a sandbox policy.

    Raises:
        RpcFailure: It asks for what no sandbox here does.
    """
    match policy:
        case wire.DangerFullAccessSandboxPolicy():
            return core.DangerFullAccess()
        case wire.ExternalSandboxSandboxPolicy(network_access=network):
            return core.ExternalSandbox(network_access=network)
        case wire.ReadOnlySandboxPolicy(access=access, network_access=network):
            if network:
                raise RpcFailure.invalid(
                    "invalid sandbox policy: a read-only sandbox has no network here; "
                    "take workspaceWrite with networkAccess"
                )
            return core.ReadOnly(access=_access(access))
        case wire.WorkspaceWriteSandboxPolicy():
            return core.WorkspaceWrite(
                writable_roots=policy.writable_roots,
                read_only_access=_access(policy.read_only_access),
                network_access=policy.network_access,
                exclude_tmpdir_env_var=policy.exclude_tmpdir_env_var,
                exclude_slash_tmp=policy.exclude_slash_tmp,
            )
        case _:
            assert_never(policy)


def _access(access: wire.ReadOnlyAccess) -> core.ReadOnlyAccess | None:
    if isinstance(access, wire.FullAccessReadOnlyAccess):
        return None  # as the configuration says it, so that equal policies are equal
    return core.RestrictedReadAccess(
        include_platform_defaults=access.include_platform_defaults,
        readable_roots=access.readable_roots,
    )


def wire_sandbox(policy: core.SandboxPolicy) -> wire.SandboxPolicy:
    """Say a sandbox policy; one that this version does not know lets nothing run."""
    match policy:
        case core.DangerFullAccess():
            return wire.DangerFullAccessSandboxPolicy()
        case core.ExternalSandbox(network_access=network):
            return wire.ExternalSandboxSandboxPolicy(network_access=network)
        case core.ReadOnly(access=access):
            return wire.ReadOnlySandboxPolicy(access=_wire_access(access))
        case core.WorkspaceWrite():
            return wire.WorkspaceWriteSandboxPolicy(
                writable_roots=policy.writable_roots,
                read_only_access=_wire_access(policy.read_only_access),
                network_access=policy.network_access,
                exclude_tmpdir_env_var=policy.exclude_tmpdir_env_var,
                exclude_slash_tmp=policy.exclude_slash_tmp,
            )
        case core.UnknownSandbox():
            return wire.ReadOnlySandboxPolicy()
        case _:
            assert_never(policy)


def _wire_access(access: core.ReadOnlyAccess | None) -> wire.ReadOnlyAccess:
    if access is None or isinstance(access, core.FullReadAccess):
        return wire.FullAccessReadOnlyAccess()
    return wire.RestrictedReadOnlyAccess(
        include_platform_defaults=access.include_platform_defaults,
        readable_roots=access.readable_roots,
    )


def wire_source(source: core.SessionSource) -> wire.SessionSource:
    """Say which program a thread belongs to."""
    match source:
        case core.SubAgentWrapper(subagent=subagent):
            return wire.SubAgentSessionSource(sub_agent=subagent)
        case core.SourceKind.MCP:
            return wire.SessionSourceKind.APP_SERVER
        case _:
            return wire.SessionSourceKind(source.value)
