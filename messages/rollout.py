"""Rollout records: the lines of a thread's append-only log."""

from enum import Enum
from typing import TypeAlias

import attrs

from .events import EventMsg
from .ids import ThreadId, TurnId
from .items import ResponseItem
from .settings import (
    AskForApproval,
    CollaborationMode,
    DynamicToolSpec,
    GitInfo,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
    SessionSource,
    SourceKind,
    TruncationPolicy,
)
from .value import Json, Value

__all__ = [
    "BaseInstructions",
    "CompactedItem",
    "RolloutItem",
    "RolloutKind",
    "RolloutLine",
    "SessionMeta",
    "TurnContextItem",
    "UnknownRecord",
]


@attrs.frozen(kw_only=True)
class BaseInstructions(Value):
    """The instructions that stay the same for a thread's whole life."""

    text: str


@attrs.frozen(kw_only=True)
class SessionMeta(Value):
    """
    Who a rollout belongs to; the first one in a file counts.

    Attributes:
        timestamp: Start of the session, RFC 3339 in UTC with milliseconds.
        source: Who started the thread; Codex's own default where it is missing.
    """

    id: ThreadId
    timestamp: str
    cwd: str
    originator: str
    cli_version: str
    source: SessionSource = SourceKind.VSCODE
    model_provider: str | None = None
    base_instructions: BaseInstructions | None = None
    forked_from_id: ThreadId | None = None
    dynamic_tools: tuple[DynamicToolSpec, ...] = ()
    git: GitInfo | None = None


@attrs.frozen(kw_only=True)
class TurnContextItem(Value):
    """The settings a model request was made with."""

    cwd: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    model: str
    summary: ReasoningSummary
    turn_id: TurnId | None = None
    personality: Personality | None = None
    collaboration_mode: CollaborationMode | None = None
    effort: ReasoningEffort | None = None
    user_instructions: str | None = None
    developer_instructions: str | None = None
    final_output_json_schema: Json = None
    truncation_policy: TruncationPolicy | None = None


@attrs.frozen(kw_only=True)
class CompactedItem(Value):
    """The history before this was replaced, by these items or by the summary alone."""

    message: str
    replacement_history: tuple[ResponseItem, ...] | None = None


class RolloutKind(Enum):
    """The kinds of record."""

    SESSION_META = "session_meta"
    RESPONSE_ITEM = "response_item"
    COMPACTED = "compacted"
    TURN_CONTEXT = "turn_context"
    EVENT_MSG = "event_msg"


@attrs.frozen(kw_only=True)
class UnknownRecord:
    """
    A record whose kind or content this version cannot read, carried unchanged.

    Attributes:
        kind: The record's own ``type``.
        payload: The record's ``payload`` as it came.
        reason: Why it could not be read; empty when merely the kind is unknown.
    """

    kind: str
    payload: Json
    reason: str = ""


RolloutItem: TypeAlias = (
    SessionMeta | TurnContextItem | CompactedItem | ResponseItem | EventMsg | UnknownRecord
)


@attrs.frozen(kw_only=True)
class RolloutLine(Value):
    """
    One line of a rollout.

    Attributes:
        timestamp: When it was written, RFC 3339 in UTC with milliseconds.
        item: What it records.  Response items and events share no classes, so
            the class alone tells the kind.
        seq: Position in the file, from 0; None in files of other programs.
        crc:
            CRC-32 of the line behind the crc member, which we write first; eight
            lower-case hex digits.  None in files of other programs.
    """

    timestamp: str
    item: RolloutItem
    seq: int | None = None
    crc: str | None = None
