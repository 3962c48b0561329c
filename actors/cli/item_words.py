"""Recorded calls and outputs of tools in words."""

import re
from typing import Final, cast

import orjson

from messages.content import InputText
from messages.events import PlanStep, StepStatus
from messages.items import CustomToolCall, FunctionCall, FunctionOutput
from messages.value import Json

from .block_words import plan_lines, typed_line
from .call_words import mcp_line
from .page import command_line
from .patch_words import files_of_text, patch_heading, patch_lines
from .pieces import shortened

__all__ = ["call_words", "output_text", "unframed"]

_LINE_LIMIT: Final = 200
_MCP_NAME: Final = re.compile(r"mcp__(?P<server>.+?)__(?P<tool>.+)")
_PLAIN_FRAME: Final = re.compile(
    r"(?:(?:Chunk ID|Wall time|Original token count|Total output lines): .*\n"
    r"|(?:Exit code:|Process exited with code) (?P<code>-?\d+)\n"
    r"|Process running with session ID \d+\n)+"
    r"Output:\n"
)


def call_words(call: FunctionCall | CustomToolCall) -> tuple[str, str]:
    """Say what was called: a heading, and lines below it that may be empty."""
    if isinstance(call, CustomToolCall):
        patch = _patch_words(call.input) if call.name == "apply_patch" else None
        return patch or (f"{call.name}: {shortened(call.input, _LINE_LIMIT)}", "")
    arguments = _parsed(call.arguments)
    special = _known_words(call.name, arguments)
    return special or (f"{call.name} {shortened(call.arguments, _LINE_LIMIT)}", "")


def _known_words(name: str, arguments: dict[str, Json]) -> tuple[str, str] | None:
    command = arguments.get("command") or arguments.get("cmd")
    mcp = _MCP_NAME.fullmatch(name)
    match name, arguments:
        case "apply_patch", {"input": str(patch)}:
            return _patch_words(patch)
        case "update_plan", {"plan": list()}:
            steps = cast("list[Json]", arguments["plan"])
            return _plan_words(steps, arguments.get("explanation"))
        case "view_image", {"path": str(path)}:
            return f"image: {shortened(path, _LINE_LIMIT)}", ""
        case "write_stdin", {"session_id": session_id}:
            typed = arguments.get("chars")
            if isinstance(typed, str) and typed:
                return typed_line(str(session_id), typed), ""
            return f"wait for process {session_id}", ""
        case _ if mcp is not None:
            return mcp_line(mcp["server"], mcp["tool"], arguments), ""
        case _ if isinstance(command, str):
            return command_line(("sh", "-c", command)), ""
        case _ if isinstance(command, list):
            return command_line(tuple(map(str, cast("list[Json]", command)))), ""
        case _:
            return None


def output_text(output: FunctionOutput) -> str:
    """Join what can be read of an output; where there was an image it says so."""
    if isinstance(output, str):
        return output
    parts = (part.text if isinstance(part, InputText) else "[image]" for part in output)
    return "\n".join(parts)


def unframed(output: str) -> tuple[str, int | None]:
    """Take an output out of the frames that shell tools put around it for the model."""
    match _parsed(output):
        case {"output": str(text), "metadata": {"exit_code": int(code)}}:
            return text, code
        case _:
            pass
    exit_code: int | None = None
    while frame := _PLAIN_FRAME.match(output):  # some put one frame into another
        output = output[frame.end() :]
        exit_code = exit_code if frame["code"] is None else int(frame["code"])
    return output, exit_code


def _patch_words(patch: str) -> tuple[str, str] | None:
    files = files_of_text(patch)
    return (patch_heading(files), patch_lines(files)) if files else None


def _plan_words(steps: list[Json], explanation: Json) -> tuple[str, str]:
    plan = [step for entry in steps if (step := _step(entry)) is not None]
    return "plan", plan_lines(plan, explanation if isinstance(explanation, str) else None)


def _step(entry: Json) -> PlanStep | None:
    match entry:
        case {"step": str(step), "status": str(status)}:
            known = status in {kind.value for kind in StepStatus}
            return PlanStep(step=step, status=StepStatus(status) if known else StepStatus.PENDING)
        case _:
            return None


def _parsed(text: str) -> dict[str, Json]:
    """Read a JSON object; an empty one for anything else."""
    try:
        parsed: Json = orjson.loads(text) if text.startswith("{") else None
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return {}
    return cast("dict[str, Json]", parsed) if isinstance(parsed, dict) else {}
