"""What a scripted reply can see of a request: the last words, the last output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

import attrs
import orjson

from messages.content import InputText, OutputText
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    Message,
    ReasoningItem,
    ResponseItem,
)
from messages.value import Json

from .provider import ModelRequest

__all__ = ["RequestView", "estimate_tokens", "user_texts", "view_request"]

_CONTEXT_STARTS: Final = ("# AGENTS.md instructions for ", "<user_instructions>", "<skill")
_RECORD: Final = re.compile(
    r"\s*(?:<(?:environment_context|turn_aborted|user_action|user_shell_command)>"
    r"|Warning: (?:apply_patch was requested via|\d+ processes are open))",
    re.IGNORECASE,
)
_IMAGE_TAG: Final = re.compile(r"</?image(?: name=[^>]*)?>")
# The first line of most tools that answer in text; the third of those that keep sessions.
_PLAIN_EXIT: Final = re.compile(
    r"\A(?:Exit code:|Chunk ID: .*\nWall time: .*\nProcess exited with code) (-?\d{1,10})$",
    re.MULTILINE,
)
_PLAIN_OUTPUT: Final = re.compile(r"^Output:\n", re.MULTILINE)
_BYTES_PER_TOKEN: Final = 4


@attrs.frozen(kw_only=True)
class RequestView:
    """
    What a reply may depend on.

    Attributes:
        user: What the user said last; empty when there is nothing.
        output:
            What the last tool call since then gave, without the frame that
            tells exit code and time; None when there was none.  Of a process that
            still runs the frame stays: it tells the session to go on with.
        exit_code: The exit code that output told; None when it told none.
    """

    user: str
    output: str | None
    exit_code: int | None
    model: str
    subagent: str | None


def view_request(request: ModelRequest) -> RequestView:
    """Look at the end of the history, back to the user's last words."""
    user, output = "", None
    for item in reversed(request.input):
        match item:
            case FunctionCallOutput() | CustomToolCallOutput() if output is None:
                output = _output_text(item.output)
            case Message(role="user") if _is_prompt(item):
                user = _message_text(item)
                break
            case _:
                pass
    text, exit_code = (None, None) if output is None else _unframed(output)
    return RequestView(
        user=user,
        output=text,
        exit_code=exit_code,
        model=request.model,
        subagent=request.subagent,
    )


def user_texts(items: tuple[ResponseItem, ...]) -> list[str]:
    """List everything the user said, oldest first."""
    return [
        _message_text(item)
        for item in items
        if isinstance(item, Message) and item.role == "user" and _is_prompt(item)
    ]


def estimate_tokens(request: ModelRequest) -> int:
    """Estimate the length of a request, four characters to a token."""
    characters = len(request.instructions) + sum(map(_length, request.input))
    return -(-characters // _BYTES_PER_TOKEN)


def _length(item: ResponseItem) -> int:
    match item:
        case Message():
            return sum(map(len, _texts(item)))
        case ReasoningItem():
            return len(item.encrypted_content or "")
        case FunctionCall():
            return len(item.arguments)
        case CustomToolCall():
            return len(item.input)
        case FunctionCallOutput() | CustomToolCallOutput():
            return len(_output_text(item.output))
        case _:
            return 0


def _texts(message: Message) -> Iterator[str]:
    return (part.text for part in message.content if isinstance(part, InputText | OutputText))


def _message_text(message: Message) -> str:
    return "\n".join(text for text in _texts(message) if not _IMAGE_TAG.fullmatch(text))


def _is_prompt(message: Message) -> bool:
    """
    Tell a user's words from what the runtime says in the user's role.

    Source:
        Codex, ``parse_user_message``; the same tags, a little less strict, and what
        tools and reviews have put there.
    """
    texts = list(_texts(message))
    if len(texts) == 1 and texts[0].startswith(_CONTEXT_STARTS):
        return False
    return not any(map(_RECORD.match, texts))


def _output_text(output: FunctionOutput) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.text for part in output if isinstance(part, InputText))


def _unframed(output: str) -> tuple[str, int | None]:
    """Take an output out of its frame: the JSON of the shell tools, or their plain text."""
    if output.startswith("{"):
        return _unframed_json(output)
    exit_code = _PLAIN_EXIT.match(output)
    if exit_code is None:
        return output, None
    body = _PLAIN_OUTPUT.split(output, maxsplit=1)
    return body[-1], int(exit_code[1])


def _unframed_json(output: str) -> tuple[str, int | None]:
    try:
        frame: Json = orjson.loads(output)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return output, None
    members = cast("dict[str, Json]", frame)  # text that begins with a brace is an object
    text, metadata = members.get("output"), members.get("metadata")
    if not isinstance(text, str) or not isinstance(metadata, dict):
        return output, None
    exit_code = cast("dict[str, Json]", metadata).get("exit_code")  # as above
    return text, exit_code if isinstance(exit_code, int) else None
