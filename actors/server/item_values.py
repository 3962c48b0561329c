"""Turn items and the ends of tool calls as the items that clients see."""

from collections.abc import Mapping
from typing import Final, assert_never

from messages import events, items, turn_items
from messages.events import ExecCommandBegin, ExecCommandEnd, FileChange, ParsedCommand
from messages.rpc.actions import (
    CommandAction,
    FindInPageWebSearchAction,
    ListFilesCommandAction,
    OpenPageWebSearchAction,
    OtherWebSearchAction,
    ReadCommandAction,
    SearchCommandAction,
    SearchWebSearchAction,
    UnknownCommandAction,
    WebSearchAction,
)
from messages.rpc.items import (
    AgentMessageThreadItem,
    CommandExecutionSource,
    CommandExecutionStatus,
    CommandExecutionThreadItem,
    ContextCompactionThreadItem,
    FileChangeThreadItem,
    McpToolCallThreadItem,
    PlanThreadItem,
    ReasoningThreadItem,
    ThreadItem,
    UserMessageThreadItem,
    WebSearchThreadItem,
)
from messages.rpc.tool_parts import (
    AddPatchChangeKind,
    DeletePatchChangeKind,
    FileUpdateChange,
    McpToolCallError,
    McpToolCallResult,
    McpToolCallStatus,
    PatchApplyStatus,
    PatchChangeKind,
    UpdatePatchChangeKind,
)

from .command_line import command_line
from .turn_values import user_inputs

__all__ = [
    "asked_command",
    "asked_patch",
    "command_actions",
    "ended_command",
    "ended_mcp_call",
    "ended_patch",
    "file_changes",
    "started_command",
    "started_mcp_call",
    "started_patch",
    "thread_item",
    "web_search_action",
]

_SOURCES: Final = {
    source: CommandExecutionSource[source.name] for source in events.ExecCommandSource
}
_COMMAND_ENDS: Final = {
    status: CommandExecutionStatus[status.name] for status in events.ExecCommandStatus
}
_PATCH_ENDS: Final = {status: PatchApplyStatus[status.name] for status in events.ApplyPatchStatus}

_MS: Final = 1000


def thread_item(item: turn_items.TurnItem) -> ThreadItem | None:
    """Say what clients see of a turn item; None for one that this version does not know."""
    match item:
        case turn_items.UserMessageItem(id=item_id, content=content):
            return UserMessageThreadItem(id=item_id, content=user_inputs(content))
        case turn_items.AgentMessageItem(id=item_id, content=parts, phase=phase):
            text = "".join(part.text for part in parts)
            return AgentMessageThreadItem(id=item_id, text=text, phase=phase)
        case turn_items.PlanItem(id=item_id, text=text):
            return PlanThreadItem(id=item_id, text=text)
        case turn_items.ReasoningTurnItem(id=item_id, summary_text=summary, raw_content=raw):
            return ReasoningThreadItem(id=item_id, summary=summary, content=raw)
        case turn_items.WebSearchItem(id=item_id, query=query, action=action):
            return WebSearchThreadItem(id=item_id, query=query, action=web_search_action(action))
        case turn_items.ContextCompactionItem(id=item_id):
            return ContextCompactionThreadItem(id=item_id)
        case turn_items.UnknownTurnItem():
            return None
        case _:
            assert_never(item)


def web_search_action(action: items.WebSearchAction) -> WebSearchAction:
    """Say what the model did on the web."""
    match action:
        case items.SearchAction(query=query, queries=queries):
            return SearchWebSearchAction(query=query, queries=queries)
        case items.OpenPageAction(url=url):
            return OpenPageWebSearchAction(url=url)
        case items.FindInPageAction(url=url, pattern=pattern):
            return FindInPageWebSearchAction(url=url, pattern=pattern)
        case items.OtherSearchAction():
            return OtherWebSearchAction()
        case _:
            assert_never(action)


# Commands ---------------------------------------------------------------


def started_command(event: ExecCommandBegin) -> CommandExecutionThreadItem:
    """Make the item of a command that begins."""
    return CommandExecutionThreadItem(
        id=event.call_id,
        command=command_line(event.command),
        cwd=event.cwd,
        status=CommandExecutionStatus.IN_PROGRESS,
        process_id=event.process_id,
        source=_SOURCES[event.source],
        command_actions=command_actions(event.parsed_cmd),
    )


def asked_command(event: events.ExecApprovalRequest) -> CommandExecutionThreadItem:
    """Make the item of a command that is asked about before it has begun."""
    return CommandExecutionThreadItem(
        id=event.call_id,
        command=command_line(event.command),
        cwd=event.cwd,
        status=CommandExecutionStatus.IN_PROGRESS,
        command_actions=command_actions(event.parsed_cmd),
    )


def ended_command(event: ExecCommandEnd) -> CommandExecutionThreadItem:
    """
    Make the item of a command that has ended.

    One that a person declined has no output, exit code and duration, since it did not run.

    Source:
        Codex 0.169.  There what is read from a file of 0.104 has the refusal as output.
    """
    declined = event.status is events.ExecCommandStatus.DECLINED
    return CommandExecutionThreadItem(
        id=event.call_id,
        command=command_line(event.command),
        cwd=event.cwd,
        status=_COMMAND_ENDS[event.status],
        process_id=event.process_id,
        source=_SOURCES[event.source],
        command_actions=command_actions(event.parsed_cmd),
        aggregated_output=None if declined else event.aggregated_output or None,
        exit_code=None if declined else event.exit_code,
        duration_ms=None if declined else int(event.duration * _MS),
    )


def command_actions(parsed: tuple[ParsedCommand, ...]) -> tuple[CommandAction, ...]:
    """Say what a command does, as far as it can be told."""
    return tuple(map(_action, parsed))


def _action(parsed: ParsedCommand) -> CommandAction:
    match parsed:
        case events.ReadCommand(cmd=cmd, name=name, path=path):
            return ReadCommandAction(command=cmd, name=name, path=path)
        case events.ListFilesCommand(cmd=cmd, path=path):
            return ListFilesCommandAction(command=cmd, path=path)
        case events.SearchCommand(cmd=cmd, query=query, path=path):
            return SearchCommandAction(command=cmd, query=query, path=path)
        case events.UnknownCommand(cmd=cmd):
            return UnknownCommandAction(command=cmd)
        case _:
            assert_never(parsed)


# Patches ----------------------------------------------------------------


def started_patch(event: events.PatchApplyBegin) -> FileChangeThreadItem:
    """Make the item of a patch that is about to be applied."""
    return _patch(event.call_id, event.changes, PatchApplyStatus.IN_PROGRESS)


def asked_patch(event: events.ApplyPatchApprovalRequest) -> FileChangeThreadItem:
    """Make the item of a patch that is asked about before it has begun."""
    return _patch(event.call_id, event.changes, PatchApplyStatus.IN_PROGRESS)


def ended_patch(event: events.PatchApplyEnd) -> FileChangeThreadItem:
    """Make the item of a patch that was applied, or not."""
    return _patch(event.call_id, event.changes, _PATCH_ENDS[event.status])


def _patch(
    call_id: str, changes: Mapping[str, FileChange], status: PatchApplyStatus
) -> FileChangeThreadItem:
    return FileChangeThreadItem(id=call_id, changes=file_changes(changes), status=status)


def file_changes(changes: Mapping[str, FileChange]) -> tuple[FileUpdateChange, ...]:
    """Say what happens to each file, ordered by path."""
    return tuple(_change(path, changes[path]) for path in sorted(changes))


def _change(path: str, change: FileChange) -> FileUpdateChange:
    kind: PatchChangeKind
    match change:
        case events.AddFile(content=diff):
            kind = AddPatchChangeKind()
        case events.DeleteFile(content=diff):
            kind = DeletePatchChangeKind()
        case events.UpdateFile(unified_diff=diff, move_path=target):
            kind = UpdatePatchChangeKind(move_path=target)
            if target is not None:
                diff = f"{diff}\n\nMoved to: {target}"
        case events.UnknownFileChange():
            kind, diff = UpdatePatchChangeKind(), ""
        case _:
            assert_never(change)
    return FileUpdateChange(path=path, kind=kind, diff=diff)


# MCP --------------------------------------------------------------------


def started_mcp_call(event: events.McpToolCallBegin) -> McpToolCallThreadItem:
    """Make the item of a call to an MCP server that begins."""
    return McpToolCallThreadItem(
        id=event.call_id,
        server=event.invocation.server,
        tool=event.invocation.tool,
        status=McpToolCallStatus.IN_PROGRESS,
        arguments=event.invocation.arguments,
    )


def ended_mcp_call(event: events.McpToolCallEnd) -> McpToolCallThreadItem:
    """Make the item of a call to an MCP server that has ended."""
    result: McpToolCallResult | None = None
    error: McpToolCallError | None = None
    match event.result:
        case events.McpCallOk(ok=answer):
            result = McpToolCallResult(
                content=answer.content,
                structured_content=answer.structured_content,
                meta=answer.meta,
            )
            failed = bool(answer.is_error)
        case events.McpCallFailed(err=message):
            error, failed = McpToolCallError(message=message), True
        case _:
            assert_never(event.result)
    return McpToolCallThreadItem(
        id=event.call_id,
        server=event.invocation.server,
        tool=event.invocation.tool,
        status=McpToolCallStatus.FAILED if failed else McpToolCallStatus.COMPLETED,
        arguments=event.invocation.arguments,
        result=result,
        error=error,
        duration_ms=int(event.duration * _MS),
    )
