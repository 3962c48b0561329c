"""Events about commands and patches, and the approvals they need."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from ..ids import NO_TURN, CallId, TurnId
from ..value import Json, Seconds, Unknown, Value

__all__ = [
    "AddFile",
    "ApplyPatchApprovalRequest",
    "ApplyPatchStatus",
    "DeleteFile",
    "ExecApprovalRequest",
    "ExecCommandBegin",
    "ExecCommandEnd",
    "ExecCommandOutputDelta",
    "ExecCommandSource",
    "ExecCommandStatus",
    "ExecOutputStream",
    "FileChange",
    "ListFilesCommand",
    "ParsedCommand",
    "PatchApplyBegin",
    "PatchApplyEnd",
    "ReadCommand",
    "SearchCommand",
    "TerminalInteraction",
    "UnknownCommand",
    "UnknownFileChange",
    "UpdateFile",
]


@attrs.frozen(kw_only=True)
class ReadCommand(Value):
    """A command that reads one file."""

    cmd: str
    name: str
    path: str


@attrs.frozen(kw_only=True)
class ListFilesCommand(Value):
    """A command that lists files."""

    cmd: str
    path: str | None = None


@attrs.frozen(kw_only=True)
class SearchCommand(Value):
    """A command that searches."""

    cmd: str
    query: str | None = None
    path: str | None = None


@attrs.frozen(kw_only=True)
class UnknownCommand(Value):
    """Any other command."""

    cmd: str


ParsedCommand: TypeAlias = ReadCommand | ListFilesCommand | SearchCommand | UnknownCommand


class ExecCommandSource(Enum):
    """Who wanted a command to run."""

    AGENT = "agent"
    USER_SHELL = "user_shell"
    UNIFIED_EXEC_STARTUP = "unified_exec_startup"
    UNIFIED_EXEC_INTERACTION = "unified_exec_interaction"


class ExecCommandStatus(Enum):
    """How a command ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    DECLINED = "declined"


class ExecOutputStream(Enum):
    """Where output came from."""

    STDOUT = "stdout"
    STDERR = "stderr"


@attrs.frozen(kw_only=True)
class ExecCommandBegin(Value):
    """A command is about to run; parsed_cmd is for display only."""

    call_id: CallId
    turn_id: TurnId
    command: tuple[str, ...]
    cwd: str
    parsed_cmd: tuple[ParsedCommand, ...]
    source: ExecCommandSource = ExecCommandSource.AGENT
    process_id: str | None = None
    interaction_input: str | None = None


@attrs.frozen(kw_only=True)
class ExecCommandOutputDelta(Value):
    """A piece of a command's output, as bytes."""

    call_id: CallId
    stream: ExecOutputStream
    chunk: bytes


@attrs.frozen(kw_only=True)
class ExecCommandEnd(Value):
    """A command ended; formatted_output is what the model reads."""

    call_id: CallId
    turn_id: TurnId
    command: tuple[str, ...]
    cwd: str
    parsed_cmd: tuple[ParsedCommand, ...]
    stdout: str
    stderr: str
    exit_code: int
    duration: Seconds
    formatted_output: str
    status: ExecCommandStatus
    aggregated_output: str = ""
    source: ExecCommandSource = ExecCommandSource.AGENT
    process_id: str | None = None
    interaction_input: str | None = None


@attrs.frozen(kw_only=True)
class TerminalInteraction(Value):
    """Something was typed into a running command."""

    call_id: CallId
    process_id: str
    stdin: str


@attrs.frozen(kw_only=True)
class ExecApprovalRequest(Value):
    """May this command run?  Answered by ``ExecApproval`` with the call id."""

    call_id: CallId
    command: tuple[str, ...]
    cwd: str
    parsed_cmd: tuple[ParsedCommand, ...]
    turn_id: TurnId = NO_TURN
    approval_id: str | None = None
    reason: str | None = None
    network_approval_context: Json = None
    proposed_execpolicy_amendment: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class AddFile(Value):
    """A file that is new."""

    content: str


@attrs.frozen(kw_only=True)
class DeleteFile(Value):
    """A file that goes away, with what it held."""

    content: str


@attrs.frozen(kw_only=True)
class UpdateFile(Value):
    """A file that changes, and where it moves to if it moves."""

    unified_diff: str
    move_path: str | None = None


@attrs.frozen(kw_only=True)
class UnknownFileChange(Unknown):
    """A kind of change that this version does not know."""


FileChange: TypeAlias = AddFile | DeleteFile | UpdateFile | UnknownFileChange


class ApplyPatchStatus(Enum):
    """How a patch ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    DECLINED = "declined"


@attrs.frozen(kw_only=True)
class ApplyPatchApprovalRequest(Value):
    """May this patch be applied?  Answered by ``PatchApproval`` with the call id."""

    call_id: CallId
    changes: Mapping[str, FileChange]
    turn_id: TurnId = NO_TURN
    reason: str | None = None
    grant_root: str | None = None


@attrs.frozen(kw_only=True)
class PatchApplyBegin(Value):
    """A patch is about to be applied."""

    call_id: CallId
    auto_approved: bool
    changes: Mapping[str, FileChange]
    turn_id: TurnId = NO_TURN


@attrs.frozen(kw_only=True)
class PatchApplyEnd(Value):
    """A patch was applied, or not."""

    call_id: CallId
    stdout: str
    stderr: str
    success: bool
    status: ApplyPatchStatus
    turn_id: TurnId = NO_TURN
    changes: Mapping[str, FileChange] = attrs.field(factory=dict[str, FileChange])
