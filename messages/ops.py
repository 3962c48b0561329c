"""Ops: what a client asks of a thread, and the submission that carries one."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from .content import UserInputItem
from .events.queries import ReviewTarget
from .ids import CallId, SubmissionId, TurnId
from .items import FunctionOutputContent
from .settings import (
    KEEP,
    AskForApproval,
    CollaborationMode,
    Keep,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
)
from .value import Json, Unknown, Value

__all__ = [
    "AddToHistory",
    "ApprovedExecpolicyAmendment",
    "CleanBackgroundTerminals",
    "Compact",
    "DownloadRemoteSkill",
    "DropMemories",
    "DynamicToolResponse",
    "DynamicToolResult",
    "ElicitationDecision",
    "ExecApproval",
    "GetHistoryEntryRequest",
    "Interrupt",
    "ListCustomPrompts",
    "ListMcpTools",
    "ListModels",
    "ListRemoteSkills",
    "ListSkills",
    "Op",
    "OverrideTurnContext",
    "PatchApproval",
    "RefreshMcpServers",
    "ResolveElicitation",
    "Review",
    "ReviewDecision",
    "ReviewDecisionKind",
    "ReviewRequest",
    "RunUserShellCommand",
    "SetThreadName",
    "Shutdown",
    "Submission",
    "ThreadRollback",
    "Undo",
    "UnknownOp",
    "UpdateMemories",
    "UserInput",
    "UserInputAnswer",
    "UserInputAnswerEntry",
    "UserInputResponse",
    "UserTurn",
]


@attrs.frozen(kw_only=True)
class Interrupt(Value):
    """Stop the running turn; nothing happens when none runs."""


@attrs.frozen(kw_only=True)
class CleanBackgroundTerminals(Value):
    """End every command that still runs in the background."""


@attrs.frozen(kw_only=True)
class UserInput(Value):
    """
    Say something, with the thread's settings as they are.

    Starts a turn, or joins the running one at its next model request.

    Attributes:
        items: Never empty; an empty input is answered with an error.
        final_output_json_schema: The answer's schema, for this turn only.
    """

    items: tuple[UserInputItem, ...]
    final_output_json_schema: Json = None


@attrs.frozen(kw_only=True)
class UserTurn(Value):
    """
    Say something and set the thread's settings with it.

    The settings stay in force for later turns.  Without a collaboration mode the
    thread goes to the default mode with the given model and effort; with one,
    the mode's own model and effort win.
    """

    items: tuple[UserInputItem, ...]
    cwd: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    model: str
    summary: ReasoningSummary = ReasoningSummary.AUTO
    effort: ReasoningEffort | None = None
    final_output_json_schema: Json = None
    collaboration_mode: CollaborationMode | None = None
    personality: Personality | None = None


@attrs.frozen(kw_only=True)
class OverrideTurnContext(Value):
    """Change the thread's settings from the next turn on; None leaves one as it is."""

    cwd: str | None = None
    approval_policy: AskForApproval | None = None
    sandbox_policy: SandboxPolicy | None = None
    windows_sandbox_level: str | None = None
    model: str | None = None
    effort: ReasoningEffort | Keep | None = KEEP
    summary: ReasoningSummary | None = None
    collaboration_mode: CollaborationMode | None = None
    personality: Personality | None = None


class ReviewDecisionKind(Enum):
    """A person's answer to an approval request; abort also stops the turn."""

    APPROVED = "approved"
    APPROVED_FOR_SESSION = "approved_for_session"
    DENIED = "denied"
    ABORT = "abort"


@attrs.frozen(kw_only=True)
class ApprovedExecpolicyAmendment(Value):
    """Yes, and from now on for all commands that begin with these words."""

    proposed_execpolicy_amendment: tuple[str, ...]


ReviewDecision: TypeAlias = ReviewDecisionKind | ApprovedExecpolicyAmendment


@attrs.frozen(kw_only=True)
class ExecApproval(Value):
    """Answer an ``ExecApprovalRequest``; id is its call id."""

    id: CallId
    decision: ReviewDecision
    turn_id: TurnId | None = None


@attrs.frozen(kw_only=True)
class PatchApproval(Value):
    """Answer an ``ApplyPatchApprovalRequest``; id is its call id."""

    id: CallId
    decision: ReviewDecision


class ElicitationDecision(Enum):
    """A person's answer to an MCP server."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class ResolveElicitation(Value):
    """Answer an ``ElicitationRequest``."""

    server_name: str
    request_id: str | int
    decision: ElicitationDecision


@attrs.frozen(kw_only=True)
class UserInputAnswerEntry(Value):
    """The answers to one question."""

    answers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class UserInputResponse(Value):
    """Answers by question id."""

    answers: Mapping[str, UserInputAnswerEntry]


@attrs.frozen(kw_only=True)
class UserInputAnswer(Value):
    """Answer a ``RequestUserInput``; id is its call id, or its turn id as older clients say."""

    id: str
    response: UserInputResponse


@attrs.frozen(kw_only=True)
class DynamicToolResult(Value):
    """What the client's tool gave."""

    content_items: tuple[FunctionOutputContent, ...]
    success: bool


@attrs.frozen(kw_only=True)
class DynamicToolResponse(Value):
    """Answer a ``DynamicToolCallRequest``; id is its call id."""

    id: CallId
    response: DynamicToolResult


@attrs.frozen(kw_only=True)
class AddToHistory(Value):
    """Add a line to the prompt history that all threads share."""

    text: str


@attrs.frozen(kw_only=True)
class GetHistoryEntryRequest(Value):
    """Look up a line of the prompt history, counted from 0."""

    offset: int
    log_id: int


@attrs.frozen(kw_only=True)
class ListMcpTools(Value):
    """List what the MCP servers offer."""


@attrs.frozen(kw_only=True)
class RefreshMcpServers(Value):
    """Use this configuration of MCP servers from the next turn on."""

    config: Json


@attrs.frozen(kw_only=True)
class ListCustomPrompts(Value):
    """List the user's own prompts."""


@attrs.frozen(kw_only=True)
class ListSkills(Value):
    """List skills; no directories means the thread's own."""

    cwds: tuple[str, ...] = ()
    force_reload: bool = False


@attrs.frozen(kw_only=True)
class ListRemoteSkills(Value):
    """List skills that can be downloaded."""


@attrs.frozen(kw_only=True)
class DownloadRemoteSkill(Value):
    """Download a skill."""

    hazelnut_id: str
    is_preload: bool


@attrs.frozen(kw_only=True)
class Compact(Value):
    """Compact the history now."""


@attrs.frozen(kw_only=True)
class Undo(Value):
    """Take back what the last turn did to files."""


@attrs.frozen(kw_only=True)
class ThreadRollback(Value):
    """Take the last turns out of the history; files stay as they are."""

    num_turns: int


@attrs.frozen(kw_only=True)
class SetThreadName(Value):
    """Give the thread a name; surrounding white space is dropped."""

    name: str


@attrs.frozen(kw_only=True)
class RunUserShellCommand(Value):
    """Run a command for the user, without sandbox and approval."""

    command: str


@attrs.frozen(kw_only=True)
class ReviewRequest(Value):
    """What to review."""

    target: ReviewTarget
    user_facing_hint: str | None = None


@attrs.frozen(kw_only=True)
class Review(Value):
    """Review code in a sub-thread."""

    review_request: ReviewRequest


@attrs.frozen(kw_only=True)
class DropMemories(Value):
    """Forget what was remembered across threads."""


@attrs.frozen(kw_only=True)
class UpdateMemories(Value):
    """Remember across threads now."""


@attrs.frozen(kw_only=True)
class ListModels(Value):
    """List models; answered by the supervisor, ignored by a thread."""


@attrs.frozen(kw_only=True)
class Shutdown(Value):
    """End the thread."""


@attrs.frozen(kw_only=True)
class UnknownOp(Unknown):
    """An op that this version does not know."""


Op: TypeAlias = (
    Interrupt
    | CleanBackgroundTerminals
    | UserInput
    | UserTurn
    | OverrideTurnContext
    | ExecApproval
    | PatchApproval
    | ResolveElicitation
    | UserInputAnswer
    | DynamicToolResponse
    | AddToHistory
    | GetHistoryEntryRequest
    | ListMcpTools
    | RefreshMcpServers
    | ListCustomPrompts
    | ListSkills
    | ListRemoteSkills
    | DownloadRemoteSkill
    | Compact
    | Undo
    | ThreadRollback
    | SetThreadName
    | RunUserShellCommand
    | Review
    | DropMemories
    | UpdateMemories
    | ListModels
    | Shutdown
    | UnknownOp
)


@attrs.frozen(kw_only=True)
class Submission:
    """An op with its id."""

    id: SubmissionId
    op: Op
