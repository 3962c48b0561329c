"""What the model reads of an MCP result, and how much of a result is kept at all."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import attrs

from messages.content import InputImage, InputText
from messages.events import McpToolResult
from messages.items import FunctionOutput
from messages.value import Json

from ..tool import ToolOutput
from .plain_json import dump_json, size_of

__all__ = [
    "KEPT_BYTES",
    "read_result",
    "result_text",
    "text_result",
    "tool_output",
    "without_images",
]

KEPT_BYTES: Final = 4 * 1024 * 1024
"""Most of one result that is kept, in bytes of JSON."""

_OVERHEAD_BYTES: Final = 256
"""Room for what is written around a text that was cut, and after it."""

_NO_IMAGES: Final = "<image content omitted because you do not support image input>"
_LEFT_OUT: Final = "<content left out: only 4 MiB of a result are kept>"
_CUT: Final = "\n<cut here: only 4 MiB of a result are kept>"


def read_result(raw: Mapping[str, Any]) -> McpToolResult:
    """
    Read the answer to a tool call, and cut it down to what is kept.

    Of a result that is too large, texts are cut and other parts are left out, from where
    the room ends; structured content is dropped first, since content says the same.
    """
    result = McpToolResult(
        content=tuple(raw.get("content") or ()),
        structured_content=raw.get("structuredContent"),
        is_error=raw.get("isError"),
        meta=raw.get("_meta"),
    )
    return result if size_of(raw) <= KEPT_BYTES else _cut_down(result)


def text_result(text: str) -> McpToolResult:
    """Make the result of a tool of our own."""
    return McpToolResult(content=({"type": "text", "text": text},), is_error=False)


def result_text(result: McpToolResult) -> str:
    """Return the text of a result that `text_result` made."""
    [block] = result.content
    return str(_members(block)["text"])


def without_images(result: McpToolResult) -> McpToolResult:
    """Put a text in the place of each image."""
    content = tuple(
        {"type": "text", "text": _NO_IMAGES} if _kind(block) == "image" else block
        for block in result.content
    )
    return attrs.evolve(result, content=content)


def tool_output(result: McpToolResult) -> ToolOutput:
    """
    Turn a result into what the model reads.

    Source:
        Codex, ``mcp_tool_call.rs`` and ``From<&CallToolResult>`` of the protocol crate.
    """
    return ToolOutput(output=_output(result), success=not result.is_error)


def _output(result: McpToolResult) -> FunctionOutput:
    if result.structured_content is not None:
        return dump_json(result.structured_content)
    if any(_kind(block) == "image" for block in result.content):
        return tuple(_part(block) for block in result.content)
    return dump_json(list(result.content))


def _part(block: Json) -> InputText | InputImage:
    members = _members(block)
    match _kind(block):
        case "text":
            return InputText(text=str(members.get("text", "")))
        case "image":
            data = str(members.get("data", ""))
            if not data.startswith("data:"):
                kind = members.get("mimeType") or "application/octet-stream"
                data = f"data:{kind};base64,{data}"
            return InputImage(image_url=data)
        case _:
            return InputText(text=dump_json(block))


def _cut_down(result: McpToolResult) -> McpToolResult:
    if not result.content and result.structured_content is not None:
        text = _cut_text(dump_json(result.structured_content), KEPT_BYTES - _OVERHEAD_BYTES)
        return McpToolResult(content=({"type": "text", "text": text},), is_error=result.is_error)
    return McpToolResult(content=tuple(_kept(result.content)), is_error=result.is_error)


def _kept(blocks: Iterable[Json]) -> Iterable[Json]:
    room = KEPT_BYTES - _OVERHEAD_BYTES
    for block in blocks:
        size = size_of(block)
        if size <= room:
            room -= size
            yield block
        elif _kind(block) == "text":
            yield {"type": "text", "text": _cut_text(str(_members(block).get("text", "")), room)}
            return
        else:
            yield {"type": "text", "text": _LEFT_OUT}
            return


def _cut_text(text: str, room_bytes: int) -> str:
    size = max(room_bytes - _OVERHEAD_BYTES, 0)
    data = text.encode()
    # Escapes take more room than what they stand for, so the first size may be too large.
    while size_of(kept := data[:size].decode("utf-8", "ignore") + _CUT) > room_bytes and size:
        size = size * 3 // 4
    return kept


def _kind(block: Json) -> object:
    return _members(block).get("type")


def _members(block: Json) -> Mapping[str, Json]:
    # Keys of JSON objects are text.
    return cast("Mapping[str, Json]", block) if isinstance(block, Mapping) else {}
