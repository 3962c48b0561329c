"""With which settings a thread starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, cast

import attrs

from actors.models import ModelOverrides
from actors.skills import SkillRoot
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    DangerFullAccess,
    ExternalSandbox,
    Personality,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
    TruncationPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)
from messages.tool_settings import EnvironmentPolicy, McpServerConfig, ToolFeatures

from .errors import ConfigError
from .mcp_config import name_problem

__all__ = ["AGENT_MAX_DEPTH", "AGENT_MAX_THREADS", "ThreadConfig", "own_version"]

AGENT_MAX_THREADS: Final = 6
"""Sub-agents at once when nobody says how many; Codex has the same."""

AGENT_MAX_DEPTH: Final = 1
"""How deep agents may start agents when nobody says so; Codex has the same."""


@cache
def own_version() -> str:
    """Look up the version of the installed distribution; ``0`` when there is none."""
    try:
        return metadata.version("treadle")
    except metadata.PackageNotFoundError:
        return "0"


def _absolute(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise ConfigError(None, attribute.name, f"expected an absolute path, got {value!r}")


def _of(*types: type, optional: bool = False) -> Any:
    """
    Make a validator that lets only these types pass.

    Not attrs' own, whose text quotes the whole attribute instead of its name.
    """
    names = " or ".join(kind.__name__ for kind in types)

    def validate(_: object, attribute: attrs.Attribute[object], value: object) -> None:
        if not (isinstance(value, types) or (optional and value is None)):
            raise ConfigError(None, attribute.name, f"expected {names}, got {value!r}")

    return validate


def _all(container: type, member: type) -> Any:
    """Make a validator that lets only a container of such members pass."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        # Containers are iterable, which their common type does not say.
        parts = cast("Iterable[object]", value if isinstance(value, container) else (None,))
        if not all(isinstance(part, member) for part in parts):
            expected = f"{container.__name__} of {member.__name__}"
            raise ConfigError(None, attribute.name, f"expected {expected}, got {value!r}")

    return validate


def _all_absolute(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    paths = cast("Iterable[object]", value if isinstance(value, tuple) else (None,))
    if not all(isinstance(path, str) and Path(path).is_absolute() for path in paths):
        problem = f"expected a tuple of absolute paths, got {value!r}"
        raise ConfigError(None, attribute.name, problem)


def _from(least: int, *, optional: bool = False) -> Any:
    """Make a validator that lets only whole numbers from *least* on pass."""

    def validate(_: object, attribute: attrs.Attribute[object], value: object) -> None:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not (fits or (optional and value is None)):
            raise ConfigError(
                None, attribute.name, f"expected a whole number from {least}, got {value!r}"
            )

    return validate


def _servers(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(None, attribute.name, f"expected servers by name, got {value!r}")
    for name, server in cast("Mapping[object, object]", value).items():  # checked here
        problem = name_problem(name) if isinstance(name, str) else "its name is no text"
        if problem is None and not isinstance(server, McpServerConfig):
            problem = f"expected McpServerConfig, got {type(server).__name__}"
        if problem is not None:
            raise ConfigError(None, f"{attribute.name}.{name}", problem)


_SANDBOXES = (DangerFullAccess, ReadOnly, ExternalSandbox, WorkspaceWrite, UnknownSandbox)


@attrs.frozen(kw_only=True)
class ThreadConfig:
    """
    The settings a thread starts with; its turns may change some of them.

    Attributes:
        cwd: Working directory, absolute; need not exist before a tool uses it.
        model: None asks for the provider's default.
        approval_policy: When a person is asked.
        sandbox_policy: What commands may do.
        effort: None for the model's own default.
        summary: How much of its reasoning the model sums up.
        base_instructions: None for those of the model.
        developer_instructions: The embedder's own, beside the base ones.
        user_instructions: The user's own, such as those of an AGENTS.md.
        personality: None leaves the tone to the model.
        ephemeral: Keep no rollout; the thread is gone when it ends.
        truncation_policy:
            How long tool outputs may be; None for the model's own.  Of a file it is
            ``tool_output_token_limit``.
        originator: Which program starts the thread; goes into the rollout.
        cli_version: That program's version.
        collaboration_mode: Wins over `model` and `effort`; None for the default mode.
        environment_policy: Which variables commands get.
        mcp_servers: By name; threads with equal ones share their processes.
        features: Which optional tools there are.
        compact_prompt: What asks the model for a summary; None for the house's own words.
        auto_compact_token_limit:
            Tokens of the history from which on it is compacted, from 1; never more than
            nine tenths of the model's window.  None for the model's own limit.  Of a file
            it is ``model_auto_compact_token_limit``.
        review_model: Model of reviews; None for that of the turn.
        agent_max_threads: Sub-agents alive at once below one root thread, from 1.
        agent_max_depth: How deep sub-agents may start sub-agents; 0 for none at all.
        model_overrides:
            What is known better than the list of models, for any model.  The two limits
            above are not in there.
        skill_roots: Where skills are looked for; empty for no skills at all.
        rule_folders:
            Folders with files of rules about commands, absolute, beside the home's own.
            What such a rule allows runs unasked and outside of the sandbox, so name only
            folders that the user trusts.
        disabled_skills: Paths of the ``SKILL.md`` of skills that are switched off.

    Raises:
        ConfigError: A value is of the wrong kind or too small, or the path is not absolute.

    Source:
        Codex, ``Config``; approval and sandbox default to the same.
    """

    cwd: str = attrs.field(validator=_absolute)
    model: str | None = attrs.field(default=None, validator=_of(str, optional=True))
    approval_policy: AskForApproval = attrs.field(
        default=AskForApproval.ON_REQUEST, validator=_of(AskForApproval)
    )
    sandbox_policy: SandboxPolicy = attrs.field(factory=ReadOnly, validator=_of(*_SANDBOXES))
    effort: ReasoningEffort | None = attrs.field(default=None, validator=_of(str, optional=True))
    summary: ReasoningSummary = attrs.field(
        default=ReasoningSummary.AUTO, validator=_of(ReasoningSummary)
    )
    base_instructions: str | None = attrs.field(
        default=None, validator=_of(str, optional=True), repr=False
    )
    developer_instructions: str | None = attrs.field(
        default=None, validator=_of(str, optional=True), repr=False
    )
    user_instructions: str | None = attrs.field(
        default=None, validator=_of(str, optional=True), repr=False
    )
    personality: Personality | None = attrs.field(
        default=None, validator=_of(Personality, optional=True)
    )
    ephemeral: bool = attrs.field(default=False, validator=_of(bool))
    truncation_policy: TruncationPolicy | None = attrs.field(
        default=None, validator=_of(TruncationPolicy, optional=True)
    )
    originator: str = attrs.field(default="treadle", validator=_of(str))
    cli_version: str = attrs.field(factory=own_version, validator=_of(str))
    collaboration_mode: CollaborationMode | None = attrs.field(
        default=None, validator=_of(CollaborationMode, optional=True)
    )
    environment_policy: EnvironmentPolicy = attrs.field(
        factory=EnvironmentPolicy, validator=_of(EnvironmentPolicy)
    )
    mcp_servers: Mapping[str, McpServerConfig] = attrs.field(
        factory=dict[str, McpServerConfig], validator=_servers
    )
    features: ToolFeatures = attrs.field(factory=ToolFeatures, validator=_of(ToolFeatures))
    compact_prompt: str | None = attrs.field(
        default=None, validator=_of(str, optional=True), repr=False
    )
    auto_compact_token_limit: int | None = attrs.field(
        default=None, validator=_from(1, optional=True)
    )
    review_model: str | None = attrs.field(default=None, validator=_of(str, optional=True))
    agent_max_threads: int = attrs.field(default=AGENT_MAX_THREADS, validator=_from(1))
    agent_max_depth: int = attrs.field(default=AGENT_MAX_DEPTH, validator=_from(0))
    model_overrides: ModelOverrides = attrs.field(
        factory=ModelOverrides, validator=_of(ModelOverrides)
    )
    skill_roots: tuple[SkillRoot, ...] = attrs.field(default=(), validator=_all(tuple, SkillRoot))
    rule_folders: tuple[str, ...] = attrs.field(default=(), validator=_all_absolute)
    disabled_skills: frozenset[str] = attrs.field(
        factory=frozenset[str], validator=_all(frozenset, str)
    )
