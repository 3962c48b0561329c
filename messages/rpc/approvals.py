"""What the server asks clients: approvals, answers, and calls of their own tools."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from ..value import Json
from .actions import CommandAction
from .tool_parts import DynamicToolCallOutputContentItem
from .value import RpcValue

__all__ = [
    "AcceptWithExecpolicyAmendment",
    "CommandExecutionApprovalDecision",
    "CommandExecutionApprovalDecisionKind",
    "CommandExecutionApprovalKind",
    "CommandExecutionRequestApprovalParams",
    "CommandExecutionRequestApprovalResponse",
    "DynamicToolCallParams",
    "DynamicToolCallResponse",
    "FileChangeApprovalDecision",
    "FileChangeRequestApprovalParams",
    "FileChangeRequestApprovalResponse",
    "ToolRequestUserInputAnswer",
    "ToolRequestUserInputOption",
    "ToolRequestUserInputParams",
    "ToolRequestUserInputQuestion",
    "ToolRequestUserInputResponse",
]


class CommandExecutionApprovalKind(Enum):
    """What is to be approved: a command, or input to one that runs."""

    COMMAND = "command"
    WRITE_STDIN = "writeStdin"


@attrs.frozen(kw_only=True)
class CommandExecutionRequestApprovalParams(RpcValue):
    """
    Ask whether a command may run.

    Attributes:
        item_id: The command's item, of which item/started was told before.
        started_at_ms: When the question was asked, in milliseconds since the Unix epoch.
        approval_id: Tells apart several questions about one item; None for the first.
        reason: Why it is asked, in words.
        command: As one line, quoted for a shell.
        proposed_execpolicy_amendment: The prefix that an amendment would allow for good.
    """

    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: int
    kind: CommandExecutionApprovalKind = CommandExecutionApprovalKind.COMMAND
    approval_id: str | None = None
    reason: str | None = None
    command: str | None = None
    cwd: str | None = None
    command_actions: tuple[CommandAction, ...] | None = None
    proposed_execpolicy_amendment: tuple[str, ...] | None = None


class CommandExecutionApprovalDecisionKind(Enum):
    """The answers without further content."""

    ACCEPT = "accept"
    ACCEPT_FOR_SESSION = "acceptForSession"
    DECLINE = "decline"
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class AcceptWithExecpolicyAmendment(RpcValue):
    """Yes, and commands with this prefix need not be asked about again."""

    execpolicy_amendment: tuple[str, ...]


CommandExecutionApprovalDecision: TypeAlias = (
    CommandExecutionApprovalDecisionKind | AcceptWithExecpolicyAmendment
)


@attrs.frozen(kw_only=True)
class CommandExecutionRequestApprovalResponse(RpcValue):
    """What was decided about a command."""

    decision: CommandExecutionApprovalDecision


@attrs.frozen(kw_only=True)
class FileChangeRequestApprovalParams(RpcValue):
    """Ask whether files may change as the item says; grant_root asks for a whole folder."""

    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: int
    reason: str | None = None
    grant_root: str | None = None


class FileChangeApprovalDecision(Enum):
    """What was decided about files."""

    ACCEPT = "accept"
    ACCEPT_FOR_SESSION = "acceptForSession"
    DECLINE = "decline"
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class FileChangeRequestApprovalResponse(RpcValue):
    """What was decided about a change of files."""

    decision: FileChangeApprovalDecision


@attrs.frozen(kw_only=True)
class ToolRequestUserInputOption(RpcValue):
    """One answer to choose."""

    label: str
    description: str


@attrs.frozen(kw_only=True)
class ToolRequestUserInputQuestion(RpcValue):
    """One question to the user; is_secret asks not to show the answer."""

    id: str
    header: str
    question: str
    is_other: bool = False
    is_secret: bool = False
    options: tuple[ToolRequestUserInputOption, ...] | None = None


@attrs.frozen(kw_only=True)
class ToolRequestUserInputParams(RpcValue):
    """Ask the user what the model wants to know; item_id is the call's id."""

    thread_id: str
    turn_id: str
    item_id: str
    questions: tuple[ToolRequestUserInputQuestion, ...]
    is_blocking: bool = True
    auto_resolution_ms: int | None = None


@attrs.frozen(kw_only=True)
class ToolRequestUserInputAnswer(RpcValue):
    """The answers to one question, chosen or typed."""

    answers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ToolRequestUserInputResponse(RpcValue):
    """The answers by the question's id."""

    answers: Mapping[str, ToolRequestUserInputAnswer]


@attrs.frozen(kw_only=True)
class DynamicToolCallParams(RpcValue):
    """Have the client run one of its own tools."""

    thread_id: str
    turn_id: str
    call_id: str
    tool: str
    arguments: Json
    namespace: str | None = None


@attrs.frozen(kw_only=True)
class DynamicToolCallResponse(RpcValue):
    """What the client's tool answered."""

    content_items: tuple[DynamicToolCallOutputContentItem, ...]
    success: bool
