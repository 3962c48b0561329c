"""What ``--json`` prints: the thread events, one JSON object to a line."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Final, cast

import attrs
import orjson

from actors.runtime import Lagged
from messages.codec import to_json
from messages.events import (
    AddFile,
    AgentMessage,
    AgentReasoning,
    DeleteFile,
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandStatus,
    FileChange,
    McpCallOk,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanUpdate,
    StepStatus,
    StreamError,
    TokenCount,
    TokenUsage,
    TurnAborted,
    TurnComplete,
    TurnStarted,
    WebSearchBegin,
    WebSearchEnd,
)
from messages.ids import CallId, ThreadId
from messages.items import WebSearchAction
from messages.value import Json

from .json_collab import COLLAB_EVENTS, collab_call
from .note_words import retry_text, warning_text

__all__ = ["Line", "ThreadEvents", "encoded_line", "thread_started"]

Line = dict[str, Json]
"""One line of output before it is written."""

_OTHER_ACTION: Final[Line] = {"type": "other"}


def encoded_line(line: Line) -> bytes:
    """Write a line; what is no text in Unicode, such as a strange path, is escaped."""
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a lone surrogate
        return json.dumps(line).encode() + b"\n"


def thread_started(thread_id: ThreadId) -> Line:
    """Make the line that comes first, also when a thread is resumed."""
    return {"type": "thread.started", "thread_id": thread_id}


@attrs.define(eq=False)
class ThreadEvents:
    """
    Turns the events of a thread into lines.

    Items are numbered by when they first appear.  Feed it every event once, in
    order, beginning behind `SessionConfigured`.

    Source:
        Codex, ``exec/src/event_processor_with_jsonl_output.rs`` of 0.104, with the
        usage of 0.169.  Ours gives a web search one id instead of two.
    """

    usage: TokenUsage = attrs.field(factory=TokenUsage)
    _count: int = attrs.field(default=0, init=False)
    # Invariant: a call is in here from its begin until its end.
    _open: dict[CallId, str] = attrs.field(factory=dict[CallId, str], init=False)
    _patches: dict[CallId, Mapping[str, FileChange]] = attrs.field(
        factory=dict[CallId, Mapping[str, FileChange]], init=False
    )
    _plan: tuple[str, list[Line]] | None = attrs.field(default=None, init=False)
    _failure: str | None = attrs.field(default=None, init=False)

    def take(self, event: Event | Lagged) -> tuple[Line, ...]:
        """Make the lines of one event; most events have none."""
        if isinstance(event, Lagged):
            lost = f"{event.missed} events were lost: the output was read too slowly"
            return (self.note(lost),)
        return tuple(self._lines(event.msg))

    def _lines(self, msg: EventMsg) -> Iterator[Line]:
        match msg:
            case TurnStarted():
                yield {"type": "turn.started"}
            case AgentMessage(message=text):
                yield self._item("completed", "agent_message", text=text)
            case AgentReasoning(text=text):
                yield self._item("completed", "reasoning", text=text)
            case ErrorEvent(message=text):
                self._failure = text
                yield {"type": "error", "message": text}
            case StreamError():
                yield {"type": "error", "message": retry_text(msg)}
            case TokenCount(info=info):
                self.usage = self.usage if info is None else info.total_token_usage
            case TurnComplete():
                yield from self._turn_ended()
            case TurnAborted():
                # Nothing is said of it, and nothing of it goes into the next turn.
                self._plan = self._failure = None
            case _ if (warning := warning_text(msg)) is not None:
                yield self.note(warning)
            case _:
                yield from self._tool_lines(msg)

    def _tool_lines(self, msg: EventMsg) -> Iterator[Line]:
        match msg:
            case ExecCommandBegin(call_id=call_id):
                yield self._begin(call_id, "command_execution", **_command(msg))
            case ExecCommandEnd(call_id=call_id):
                yield self._end(call_id, "command_execution", **_ended_command(msg))
            case PatchApplyBegin(call_id=call_id, changes=changes):
                self._patches[call_id] = changes
            case PatchApplyEnd(call_id=call_id, success=success):
                changes = self._patches.pop(call_id, msg.changes)
                status = "completed" if success else "failed"
                changed = [{"path": path, "kind": _kind(changes[path])} for path in changes]
                yield self._item("completed", "file_change", changes=changed, status=status)
            case McpToolCallBegin(call_id=call_id):
                yield self._begin(call_id, "mcp_tool_call", **_mcp_call(msg))
            case McpToolCallEnd(call_id=call_id):
                yield self._end(call_id, "mcp_tool_call", **_ended_mcp_call(msg))
            case WebSearchBegin(call_id=call_id):
                yield self._begin(call_id, "web_search", query="", action=_OTHER_ACTION)
            case WebSearchEnd(call_id=call_id, query=query, action=action):
                members = {"query": query, "action": _action(action)}
                yield self._end(call_id, "web_search", **members)
            case PlanUpdate(plan=plan):
                steps: list[Line] = [
                    {"text": entry.step, "completed": entry.status is StepStatus.COMPLETED}
                    for entry in plan
                ]
                yield self._plan_changed(steps)
            case _ if isinstance(msg, COLLAB_EVENTS):
                call = collab_call(msg)
                step = self._end if call.ended else self._begin
                yield step(call.call_id, "collab_tool_call", **call.members)
            case _:
                pass

    def _plan_changed(self, steps: list[Line]) -> Line:
        phase = "started" if self._plan is None else "updated"
        item_id = self._new_id() if self._plan is None else self._plan[0]
        self._plan = (item_id, steps)
        return _line(phase, item_id, "todo_list", {"items": steps})

    def _turn_ended(self) -> Iterator[Line]:
        if self._plan is not None:
            item_id, steps = self._plan
            self._plan = None
            yield _line("completed", item_id, "todo_list", {"items": steps})
        failure, self._failure = self._failure, None
        if failure is None:
            yield {"type": "turn.completed", "usage": _usage(self.usage)}
        else:
            yield {"type": "turn.failed", "error": {"message": failure}}

    def note(self, message: str) -> Line:
        """Make the line of something that went wrong and stops nothing."""
        return self._item("completed", "error", message=message)

    def _item(self, phase: str, kind: str, **members: Json) -> Line:
        return _line(phase, self._new_id(), kind, members)

    def _begin(self, call_id: CallId, kind: str, **members: Json) -> Line:
        self._open[call_id] = self._new_id()
        return _line("started", self._open[call_id], kind, members)

    def _end(self, call_id: CallId, kind: str, **members: Json) -> Line:
        # An end whose begin nobody saw is an item of its own.
        item_id = self._open.pop(call_id, None) or self._new_id()
        return _line("completed", item_id, kind, members)

    def _new_id(self) -> str:
        self._count += 1
        return f"item_{self._count - 1}"


def _line(phase: str, item_id: str, kind: str, members: Mapping[str, Json]) -> Line:
    return {"type": f"item.{phase}", "item": {"id": item_id, "type": kind, **members}}


def _usage(usage: TokenUsage) -> Line:
    return {
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_input_tokens": 0,  # as in Codex where the service does not tell it
        "output_tokens": usage.output_tokens,
        "reasoning_output_tokens": usage.reasoning_output_tokens,
    }


def _command(msg: ExecCommandBegin) -> Line:
    return {
        "command": shlex.join(msg.command),
        "aggregated_output": "",
        "exit_code": None,
        "status": "in_progress",
    }


def _ended_command(msg: ExecCommandEnd) -> Line:
    status = "completed" if msg.exit_code == 0 else "failed"
    return {
        "command": shlex.join(msg.command),
        "aggregated_output": msg.aggregated_output,
        "exit_code": msg.exit_code,
        "status": "declined" if msg.status is ExecCommandStatus.DECLINED else status,
    }


def _kind(change: FileChange) -> str:
    match change:
        case AddFile():
            return "add"
        case DeleteFile():
            return "delete"
        case _:
            return "update"


def _mcp_call(msg: McpToolCallBegin | McpToolCallEnd) -> Line:
    return {
        "server": msg.invocation.server,
        "tool": msg.invocation.tool,
        "arguments": msg.invocation.arguments,
        "result": None,
        "error": None,
        "status": "in_progress",
    }


def _ended_mcp_call(msg: McpToolCallEnd) -> Line:
    if not isinstance(msg.result, McpCallOk):
        return {**_mcp_call(msg), "error": {"message": msg.result.err}, "status": "failed"}
    answer = msg.result.ok
    result = {"content": list(answer.content), "structured_content": answer.structured_content}
    status = "failed" if answer.is_error else "completed"
    return {**_mcp_call(msg), "result": result, "status": status}


def _action(action: WebSearchAction) -> Json:
    # Only the codec knows what an action looks like on the wire.
    return cast("Line", to_json(action))
