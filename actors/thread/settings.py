"""A thread's settings, and the immutable context a turn runs in."""

from pathlib import Path
from typing import TypeVar, assert_never

import attrs

from actors.config import ThreadConfig
from actors.models import ModelInfo, ModelProvider
from messages.ids import ThreadId, TurnId
from messages.ops import OverrideTurnContext, UserTurn
from messages.rollout import TurnContextItem
from messages.settings import (
    KEEP,
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
    SessionSource,
    SubAgentKind,
    SubAgentOther,
    SubAgentThreadSpawn,
    SubAgentWrapper,
    TruncationPolicy,
)
from messages.tool_settings import ToolFeatures
from messages.value import Json

__all__ = [
    "SessionSettings",
    "SettingsRejected",
    "TurnContext",
    "overridden",
    "settings_from_config",
    "with_user_turn",
]


T = TypeVar("T")


class SettingsRejected(ValueError):  # noqa: N818 -- an answer to the client, not a failure
    """Settings that a client asked for are not possible; none of them was applied."""


@attrs.frozen(kw_only=True)
class SessionSettings:
    """
    The settings of a thread as they are now; replaced as a whole by its actor.

    Attributes:
        cwd: Working directory, absolute.
        base_instructions: Sent with every request; the same for the thread's life.
        collaboration: Mode, and with it model and effort.
        developer_instructions: The embedder's own, as a developer message.
        user_instructions: The user's own (AGENTS.md and the like).
    """

    cwd: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    collaboration: CollaborationMode
    base_instructions: str
    model_provider_id: str
    session_source: SessionSource
    summary: ReasoningSummary = ReasoningSummary.AUTO
    personality: Personality | None = None
    developer_instructions: str | None = None
    user_instructions: str | None = None
    truncation_policy: TruncationPolicy | None = None

    @property
    def model(self) -> str:
        """The model that the next turn asks."""
        return self.collaboration.settings.model

    @property
    def effort(self) -> ReasoningEffort | None:
        """How long it is to think; None for the model's own default."""
        return self.collaboration.settings.reasoning_effort


@attrs.frozen(kw_only=True)
class TurnContext:
    """
    What a turn was started with; later changes of settings do not reach it.

    Attributes:
        turn_id: The id of the submission that started the turn.
        truncation_policy: How long tool outputs may be in the history.
        features: Which optional tools its requests offer.
    """

    thread_id: ThreadId
    turn_id: TurnId
    settings: SessionSettings
    model_info: ModelInfo
    truncation_policy: TruncationPolicy
    output_schema: Json = None
    features: ToolFeatures = attrs.field(factory=ToolFeatures)

    @property
    def subagent(self) -> str | None:
        """What kind of sub-agent asks, as model servers are told; None for a person's thread."""
        source = self.settings.session_source
        if not isinstance(source, SubAgentWrapper):
            return None
        match source.subagent:
            case SubAgentKind() as kind:
                return kind.value
            case SubAgentThreadSpawn():
                return "collab_spawn"
            case SubAgentOther(other=label):
                return label
            case _:
                assert_never(source.subagent)

    def record(self, collaboration: CollaborationMode) -> TurnContextItem:
        """Build the rollout record of these settings, with the mode of the session now."""
        settings = self.settings
        return TurnContextItem(
            turn_id=self.turn_id,
            cwd=settings.cwd,
            approval_policy=settings.approval_policy,
            sandbox_policy=settings.sandbox_policy,
            model=settings.model,
            personality=settings.personality,
            collaboration_mode=collaboration,
            effort=settings.effort,
            summary=settings.summary,
            user_instructions=settings.user_instructions,
            developer_instructions=settings.developer_instructions,
            final_output_json_schema=self.output_schema,
            truncation_policy=self.truncation_policy,
        )


def settings_from_config(
    config: ThreadConfig,
    *,
    provider: ModelProvider,
    source: SessionSource,
    recorded_instructions: str | None,
) -> SessionSettings:
    """
    Turn a configuration into the settings a thread begins with.

    Args:
        recorded_instructions: Base instructions of the history it goes on from;
            they go behind the configuration's and before the model's.
    """
    model = config.model or provider.info.default_model
    collaboration = config.collaboration_mode or CollaborationMode(
        mode=ModeKind.DEFAULT,
        settings=CollaborationSettings(model=model, reasoning_effort=config.effort),
    )
    instructions = config.base_instructions or recorded_instructions
    return SessionSettings(
        cwd=config.cwd,
        approval_policy=config.approval_policy,
        sandbox_policy=config.sandbox_policy,
        collaboration=collaboration,
        base_instructions=instructions or provider.model_info(model).base_instructions,
        model_provider_id=provider.info.id,
        session_source=source,
        summary=config.summary,
        personality=config.personality,
        developer_instructions=config.developer_instructions,
        user_instructions=config.user_instructions,
        truncation_policy=config.truncation_policy,
    )


def with_user_turn(settings: SessionSettings, op: UserTurn) -> SessionSettings:
    """
    Apply what came with a user turn.

    Raises:
        SettingsRejected: The working directory is not absolute.

    Source:
        Codex, ``Op::UserTurn``: a collaboration mode wins over model and effort.
    """
    collaboration = op.collaboration_mode
    if collaboration is None:
        collaboration = CollaborationMode(
            mode=ModeKind.DEFAULT,
            settings=CollaborationSettings(model=op.model, reasoning_effort=op.effort),
        )
    return attrs.evolve(
        settings,
        cwd=_absolute(op.cwd),
        approval_policy=op.approval_policy,
        sandbox_policy=op.sandbox_policy,
        collaboration=collaboration,
        summary=op.summary,
        personality=op.personality if op.personality is not None else settings.personality,
    )


def overridden(settings: SessionSettings, op: OverrideTurnContext) -> SessionSettings:
    """
    Apply the settings that an override names, and leave the others.

    Raises:
        SettingsRejected: The working directory is not absolute, or a level of the
            Windows sandbox is asked for, which this runtime does not have.
    """
    if op.windows_sandbox_level is not None:
        raise SettingsRejected("windows_sandbox_level is not supported: there is no such sandbox")
    return attrs.evolve(
        settings,
        cwd=settings.cwd if op.cwd is None else _absolute(op.cwd),
        approval_policy=_or(op.approval_policy, settings.approval_policy),
        sandbox_policy=_or(op.sandbox_policy, settings.sandbox_policy),
        collaboration=_collaboration(settings.collaboration, op),
        summary=_or(op.summary, settings.summary),
        personality=_or(op.personality, settings.personality),
    )


def _collaboration(current: CollaborationMode, op: OverrideTurnContext) -> CollaborationMode:
    if op.collaboration_mode is not None:
        return op.collaboration_mode
    inner = current.settings
    effort = inner.reasoning_effort if op.effort is KEEP else op.effort
    patched = attrs.evolve(inner, model=_or(op.model, inner.model), reasoning_effort=effort)
    return attrs.evolve(current, settings=patched)


def _or(new: T | None, old: T) -> T:
    return old if new is None else new


def _absolute(cwd: str) -> str:
    if not Path(cwd).is_absolute():
        raise SettingsRejected(f"cwd is not absolute: {cwd}")
    return cwd
