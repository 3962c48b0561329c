"""How calls of tools are told: a heading when one begins, some lines when it ends."""

from typing import Final, cast

import attrs
import orjson

from messages.events import (
    ApplyPatchStatus,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    McpCallOk,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
)
from messages.ids import CallId
from messages.value import Json

from .agent_words import agent_closing, agent_opening
from .json_collab import COLLAB_EVENTS, collab_call
from .page import command_line, command_result, output_tail
from .patch_words import files_of_patch, patch_heading, patch_lines
from .pieces import Look, shortened

__all__ = ["Closing", "Opening", "closing", "mcp_line", "opening"]

_LINE_LIMIT: Final = 200


@attrs.frozen
class Opening:
    """
    A call that begins.

    Attributes:
        heading: What it is, in one line or a few.
        body: What is known of it already; empty for nothing.
    """

    call_id: CallId
    heading: str
    body: str = ""


@attrs.frozen
class Closing:
    """
    A call that has ended.

    Attributes:
        heading: What it was, for when its beginning is far up the page.
        body: What came of it; empty for nothing.
        result: How it ended, in a few words.
        look: Of the result.
    """

    call_id: CallId
    heading: str
    body: str
    result: str
    look: Look


def opening(msg: EventMsg, cwd: str) -> Opening | None:
    """Say which call begins with an event; None for any other event."""
    match msg:
        case ExecCommandBegin(call_id=call_id, command=command):
            return Opening(call_id, command_line(command))
        case PatchApplyBegin(call_id=call_id, changes=changes):
            files = files_of_patch(changes, cwd)
            return Opening(call_id, patch_heading(files), patch_lines(files))
        case McpToolCallBegin(call_id=call_id, invocation=invocation):
            return Opening(call_id, _mcp_heading(invocation))
        case _ if isinstance(msg, COLLAB_EVENTS) and not (call := collab_call(msg)).ended:
            return Opening(call.call_id, agent_opening(msg))
        case _:
            return None


def closing(msg: EventMsg, cwd: str) -> Closing | None:
    """Say which call ended with an event, and how; None for any other event."""
    match msg:
        case ExecCommandEnd(call_id=call_id):
            process = f" (process {msg.process_id})" if msg.process_id else ""
            heading = f"{command_line(msg.command)}{process}"
            return Closing(
                call_id, heading, output_tail(msg.aggregated_output), *command_result(msg)
            )
        case PatchApplyEnd(call_id=call_id):
            heading = patch_heading(files_of_patch(msg.changes, cwd))
            body = "" if msg.success else output_tail(msg.stderr or msg.stdout)
            return Closing(call_id, heading, body, *_patch_result(msg))
        case McpToolCallEnd(call_id=call_id):
            heading = _mcp_heading(msg.invocation)
            return Closing(call_id, heading, *_mcp_result(msg))
        case _ if isinstance(msg, COLLAB_EVENTS) and (call := collab_call(msg)).ended:
            return Closing(call.call_id, agent_opening(msg), *agent_closing(msg))
        case _:
            return None


def mcp_line(server: str, tool: str, arguments: Json) -> str:
    """Write a call of an MCP tool in one line."""
    name = shortened(f"{server}.{tool}", _LINE_LIMIT)
    if arguments is None or arguments == {}:
        return name
    return f"{name} {shortened(orjson.dumps(arguments).decode(), _LINE_LIMIT)}"


def _mcp_heading(invocation: McpInvocation) -> str:
    return mcp_line(invocation.server, invocation.tool, invocation.arguments)


def _patch_result(msg: PatchApplyEnd) -> tuple[str, Look]:
    if msg.status is ApplyPatchStatus.DECLINED:
        return "not allowed", Look.BAD
    return ("applied", Look.GOOD) if msg.success else ("failed", Look.BAD)


def _mcp_result(msg: McpToolCallEnd) -> tuple[str, str, Look]:
    took = f"{msg.duration:.1f} s"
    if not isinstance(msg.result, McpCallOk):
        return output_tail(msg.result.err), f"failed, {took}", Look.BAD
    answer = msg.result.ok
    body = output_tail("\n".join(map(_block_text, answer.content)))
    if answer.is_error:
        return body, f"failed, {took}", Look.BAD
    return body, f"ok, {took}", Look.GOOD


def _block_text(block: Json) -> str:
    match block:
        case {"type": "text", "text": str(text)}:
            return text
        case dict():
            return f"[{cast('dict[str, Json]', block).get('type', 'something')}]"
        case _:
            return "[something]"
