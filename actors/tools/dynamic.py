"""Tools that the client brings along and runs itself."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

import attrs

from messages.events import DynamicToolCallRequest
from messages.settings import DynamicToolSpec
from messages.value import Json

from .errors import DynamicToolInvalid
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_schema import SchemaUnsupported, sanitize_schema

__all__ = ["DynamicTool", "usable_dynamic_tools", "validate_dynamic_tools"]

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the Responses API takes as the name of a function."""

_NO_ANSWER: Final = "dynamic tool call was cancelled before receiving a response"


def validate_dynamic_tools(specs: Iterable[DynamicToolSpec], builtin_names: Iterable[str]) -> None:
    """
    Check the tools that a client offers, before a thread starts with them.

    Raises:
        DynamicToolInvalid: The first one that cannot be used, and why.

    Source:
        Codex checks this in its app server only, and lets a tool shadow a built-in one (L38).
    """
    for _, problem in _checked(specs, builtin_names):
        if problem is not None:
            raise problem


def usable_dynamic_tools(
    specs: Iterable[DynamicToolSpec], builtin_names: Iterable[str]
) -> tuple[tuple[DynamicToolSpec, ...], tuple[DynamicToolInvalid, ...]]:
    """
    Take the tools that can be used, and say of each of the others why it cannot.

    For those of a rollout, which is older than this program.
    """
    usable: list[DynamicToolSpec] = []
    problems: list[DynamicToolInvalid] = []
    for spec, problem in _checked(specs, builtin_names):
        if problem is None:
            usable.append(spec)
        else:
            problems.append(problem)
    return tuple(usable), tuple(problems)


def _checked(
    specs: Iterable[DynamicToolSpec], builtin_names: Iterable[str]
) -> Iterator[tuple[DynamicToolSpec, DynamicToolInvalid | None]]:
    """Go through the tools; one that cannot be used takes no name away from those behind it."""
    reserved = frozenset(builtin_names)
    seen: set[str] = set()
    for spec in specs:
        problem = _name_problem(spec.name, reserved, seen) or _schema_problem(spec.input_schema)
        if problem is None:
            seen.add(spec.name)
        yield spec, None if problem is None else DynamicToolInvalid(spec.name, problem)


@attrs.frozen
class DynamicTool:
    """
    One tool of the client's.

    Never parallel: what the client does may depend on the order.

    Raises:
        SchemaUnsupported: Its input schema cannot be told to a model, which
            `validate_dynamic_tools` would have found.
    """

    _spec: DynamicToolSpec
    # Made once, as every model request tells it.
    _parameters: Json = attrs.field(
        default=attrs.Factory(lambda self: _parameters(self._spec.input_schema), takes_self=True),
        init=False,
        eq=False,
        repr=False,
    )
    parallel: bool = attrs.field(default=False, init=False)

    @property
    def name(self) -> str:
        """What calls name it by."""
        return self._spec.name

    def spec(self, _offer: Offer) -> Json:
        """Describe it to the model as the client did, with what models take of its schema."""
        return {
            "type": "function",
            "name": self._spec.name,
            # What UTF-8 cannot say would keep every request from being sent.
            "description": self._spec.description.encode("utf-8", "replace").decode(),
            "strict": False,
            "parameters": self._parameters,
        }

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Let the client run it, and wait for its answer as long as that takes.

        Raises:
            ToolError: The arguments are no JSON object; the client is not asked.

        Cancellation:
            The question is withdrawn; a later answer is ignored.
        """
        request = DynamicToolCallRequest(
            call_id=call.call_id,
            turn_id=context.turn_id,
            tool=call.name,
            arguments=parse_arguments(call),
        )
        result = await context.ask_client(request)
        if result is None:
            return ToolOutput(output=_NO_ANSWER, success=False)
        return ToolOutput(output=result.content_items, success=result.success)


def _name_problem(name: str, reserved: frozenset[str], seen: set[str]) -> str | None:
    if not _NAME.fullmatch(name):
        return "has a name that models do not accept; use 1 to 64 of a-z, A-Z, 0-9, _ and -"
    if name == "mcp" or name.startswith("mcp__"):
        return "has a name that is reserved for MCP servers; choose one that does not begin so"
    if name in reserved:
        return "has the name of a built-in tool; choose another"
    if name in seen:
        return "is offered twice; give each tool a name of its own"
    return None


def _schema_problem(schema: Json) -> str | None:
    try:
        _parameters(schema)
    except SchemaUnsupported as problem:
        return f"has an input schema that is not supported: {problem}"
    return None


def _parameters(schema: Json) -> dict[str, Json]:
    """
    Make of a client's schema what models are told; clients leave out that it is of objects.

    Raises:
        SchemaUnsupported: It cannot be told, or arguments cannot be like that.
    """
    if isinstance(schema, Mapping):
        members = cast("Mapping[str, Json]", schema)  # keys of JSON objects are text
        untyped = members.get("type") is None
        parameters = sanitize_schema({**members, "type": "object"} if untyped else members)
    else:
        parameters = sanitize_schema(schema)
    if parameters["type"] != "object":
        raise SchemaUnsupported("", f'is of type {parameters["type"]!r}; arguments are "object"')
    return parameters
