"""With which settings a thread starts."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

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

from .errors import ConfigError

__all__ = ["ThreadConfig", "own_version"]


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
        truncation_policy: How long tool outputs may be; None for the model's own.
        originator: Which program starts the thread; goes into the rollout.
        cli_version: That program's version.
        collaboration_mode: Wins over `model` and `effort`; None for the default mode.

    Raises:
        ConfigError: A value is of the wrong kind, or the path is not absolute.

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
