"""What agents are told: read from arguments, and shown to clients."""

from collections.abc import Mapping
from typing import Final, assert_never, cast

import attrs

from actors.rollout import parse_thread_id
from messages.codec import from_json
from messages.content import (
    ImageInput,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownInput,
    UserInputItem,
)
from messages.errors import DecodeError
from messages.ids import ThreadId
from messages.value import Json

from ..errors import ToolError
from ..tool_arguments import optional_text, read_list, read_text

__all__ = ["INPUT_PROPERTIES", "preview", "read_agent_id", "read_input", "to_agent_id"]

INPUT_PROPERTIES: Final[Mapping[str, Json]] = {
    "message": {
        "type": "string",
        "description": "What to tell the agent, as text. Give either this or items.",
    },
    "items": {
        "type": "array",
        "description": "What to tell the agent, in parts. Give either this or message.",
        "items": {
            "type": "object",
            "properties": {
                "type": {
                    "type": "string",
                    "description": "text, image, local_image, skill or mention.",
                },
                "text": {"type": "string", "description": "For text."},
                "image_url": {"type": "string", "description": "For image."},
                "path": {
                    "type": "string",
                    "description": "For local_image, skill and mention.",
                },
                "name": {"type": "string", "description": "For skill and mention."},
            },
            "required": ["type"],
            "additionalProperties": False,
        },
    },
}
"""The part of the schemas that two of the tools have in common."""


def read_input(arguments: Mapping[str, Json]) -> tuple[UserInputItem, ...]:
    """
    Read what an agent is told, from exactly one of ``message`` and ``items``.

    Raises:
        ToolError: It is both or neither, or there is nothing in it.
    """
    message = optional_text(arguments, "message")
    has_items = arguments.get("items") is not None
    if message is not None and has_items:
        raise ToolError("Provide either message or items, but not both")
    if message is not None:
        if not message.strip():
            raise ToolError("Empty message can't be sent to an agent")
        return (TextInput(text=message),)
    if not has_items:
        raise ToolError("Provide one of: message or items")
    items = read_list(arguments, "items")
    if not items:
        raise ToolError("Items can't be empty")
    return tuple(_read_item(item, number) for number, item in enumerate(items))


def read_agent_id(arguments: Mapping[str, Json]) -> ThreadId:
    """
    Read the id of an agent.

    Raises:
        ToolError: It is not there, or no id.
    """
    return to_agent_id(read_text(arguments, "id"))


def to_agent_id(text: str) -> ThreadId:
    """
    Take a text for the id of an agent.

    Raises:
        ToolError: It is none.
    """
    agent_id = parse_thread_id(text)
    if agent_id is None:
        raise ToolError(f"invalid agent id {text}: it is not a UUID")
    return agent_id


def preview(items: tuple[UserInputItem, ...]) -> str:
    """Show in a line each what an agent is told."""
    return "\n".join(_preview(item) for item in items)


def _read_item(value: Json, number: int) -> UserInputItem:
    place = f"failed to parse function arguments: items[{number}]"
    try:
        item = cast("UserInputItem", from_json(value, UserInputItem))
    except DecodeError as error:
        raise ToolError(f"{place}: {error}") from error
    if isinstance(item, UnknownInput):
        raise ToolError(
            f"{place}: unknown type {item.tag!r}, expected text, image, local_image, skill "
            "or mention"
        )
    # What else the model wrote is not carried into another thread's rollout.
    return attrs.evolve(item, extra=None)


def _preview(item: UserInputItem) -> str:
    match item:
        case TextInput(text=text):
            return text
        case ImageInput():
            return "[image]"
        case LocalImageInput(path=path):
            return f"[local_image:{path}]"
        case SkillInput(name=name, path=path):
            return f"[skill:${name}]({path})"
        case MentionInput(name=name, path=path):
            return f"[mention:${name}]({path})"
        case UnknownInput(tag=tag):  # never from a model; see _read_item
            return f"[{tag}]"
        case _:
            assert_never(item)
