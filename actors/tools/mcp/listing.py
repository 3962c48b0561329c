"""What a server offers, made fit to be offered to models."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import attrs

from messages.value import Json

from ..tool_schema import SchemaUnsupported, sanitize_schema
from .plain_json import size_of

__all__ = ["TOOLS_AT_MOST", "ListedTool", "read_listing"]

_logger = logging.getLogger(__name__)

TOOLS_AT_MOST: Final = 1000
"""Tools of one server; what it lists beyond that is left out."""

_TOOL_LIMIT_BYTES: Final = 64 * 1024
"""Largest tool, with its description and schema: all of it is sent with every request."""


@attrs.frozen(kw_only=True)
class ListedTool:
    """
    One tool of a server.

    Attributes:
        name: As the server calls it.
        description: Empty when it has none.
        parameters: The schema of its arguments, cut down to what models take.
        raw: As the server described it.
    """

    name: str
    description: str
    parameters: Json = attrs.field(repr=False)
    raw: Mapping[str, Json] = attrs.field(repr=False)


def read_listing(entries: Iterable[Mapping[str, Any]]) -> tuple[ListedTool, ...]:
    """
    Take the tools that can be used, in the order of the server.

    Left out, with a warning in the log: what is too large, what has a schema that cannot
    be given to models, a second tool of one name, and everything after the 1000th tool.
    """
    found: dict[str, ListedTool] = {}
    for number, entry in enumerate(entries):
        if number >= TOOLS_AT_MOST:
            _logger.warning("an MCP server lists more than %d tools", TOOLS_AT_MOST)
            break
        tool = _read_tool(entry)
        if tool is not None and tool.name in found:
            _logger.warning("an MCP server lists tool %.100r twice", tool.name)
        elif tool is not None:
            found[tool.name] = tool
    return tuple(found.values())


def _read_tool(entry: Mapping[str, Any]) -> ListedTool | None:
    name = str(entry.get("name", ""))
    if size_of(entry) > _TOOL_LIMIT_BYTES:
        _logger.warning("MCP tool %.100r has more than %d bytes", name, _TOOL_LIMIT_BYTES)
        return None
    try:
        parameters = sanitize_schema(_with_properties(entry.get("inputSchema")))
    except SchemaUnsupported as error:
        _logger.warning("MCP tool %.100r has an unusable schema: %s", name, error)
        return None
    if parameters.get("type") != "object":
        _logger.warning("MCP tool %.100r has an unusable schema: arguments are objects", name)
        return None
    return ListedTool(
        name=name,
        description=str(entry.get("description") or ""),
        parameters=parameters,
        raw=entry,
    )


def _with_properties(schema: Json) -> Json:
    if not isinstance(schema, Mapping):
        return schema
    members = cast("Mapping[str, Json]", schema)  # keys of JSON objects are text
    if members.get("properties") is None:
        return {**members, "properties": {}}
    return members
