"""Cuts JSON schemas of tools down to the few forms that every model's endpoint takes."""

import reprlib
from collections.abc import Mapping
from typing import Final, TypeAlias, cast

import attrs

from messages.value import Json

from .errors import ToolsError

__all__ = ["SchemaUnsupported", "sanitize_schema"]

_MAX_DEPTH: Final = 64
"""Schemas inside schemas; what models make sense of is far below."""

_MAX_ENTRIES: Final = 5_000
"""Schemas, required names and alternative types together."""

_MAX_CHARACTERS: Final = 200_000
"""Names and descriptions together; all of them are sent with every model request."""

_MAX_PLACE: Final = 200
"""Characters of a place that an error shows."""

_KINDS: Final[Mapping[str, str]] = {
    "object": "object",
    "array": "array",
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
}
"""What the type of a schema may be, and what we make of it."""

_HINTS: Final = (
    ("object", ("properties", "required", "additionalProperties")),
    ("array", ("items", "prefixItems")),
    ("string", ("enum", "const", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""By which members a schema without a type is known, the first that fits."""

# From the top, for example ("properties.city", "items").
_Path: TypeAlias = tuple[str, ...]
_Members: TypeAlias = Mapping[str, Json]


class SchemaUnsupported(ToolsError, ValueError):  # noqa: N818 -- named after the fact
    """
    A schema cannot be told to a model; the tool that has it is not offered.

    Attributes:
        place: Where in the schema, for example ``properties.city.items``; empty for its top.
        problem: What is wrong there.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"at {self.place}: {self.problem}" if self.place else self.problem


def sanitize_schema(schema: Json) -> dict[str, Json]:
    """
    Keep of a schema what every model's endpoint takes.

    That is booleans, strings, numbers, arrays with one schema for their items, and objects
    with properties, required names and additional properties; properties are sorted by
    name.  Descriptions of all but objects stay.  The rest is left out: enumerations,
    formats, limits and combinations narrow down what is right, so that the tool itself
    has to check it anyway.  Half surrogate pairs become ``?``.  The result of a result is the same.

    Args:
        schema: Any JSON value; it is not changed.

    Returns:
        A new value.  Equal schemas give equal ones, also when written as text.

    Raises:
        SchemaUnsupported: It is no schema, allows nothing but null somewhere, or is too
            large.

    Source:
        Codex, ``sanitize_json_schema`` and ``JsonSchema``, which know no limit of size.
    """
    return _Sanitizer().sanitize(schema, ())


@attrs.define(eq=False)
class _Sanitizer:
    """Reads one schema, and keeps count of its size."""

    _entries: int = attrs.field(default=0, init=False)
    _characters: int = attrs.field(default=0, init=False)

    def sanitize(self, schema: Json, path: _Path) -> dict[str, Json]:
        if isinstance(schema, bool):
            return {"type": "string"}
        if not isinstance(schema, Mapping):
            raise _unsupported(path, f"a schema is a JSON object, not {type(schema).__name__}")
        if len(path) > _MAX_DEPTH:
            raise _unsupported(path, f"schemas are nested deeper than {_MAX_DEPTH} levels")
        members = cast("_Members", schema)  # keys that are no text are never looked up
        kind = self._kind(members, path)
        match kind:
            case "object":
                return self._object(members, path)
            case "array":
                return self._array(members, path)
            case _:
                return {"type": kind, **self._description(members, path)}

    def _kind(self, members: _Members, path: _Path) -> str:
        kind = members.get("type")
        if kind is None:
            return _guess(members)
        if isinstance(kind, list | tuple):
            return self._first_kind(cast("list[Json] | tuple[Json, ...]", kind), members, path)
        if isinstance(kind, str) and kind in _KINDS:
            return _KINDS[kind]
        known = ", ".join(_KINDS)
        raise _unsupported(path, f"type {reprlib.repr(kind)} is none of {known}")

    def _first_kind(
        self, kinds: list[Json] | tuple[Json, ...], members: _Members, path: _Path
    ) -> str:
        self._count(len(kinds), path)
        for kind in kinds:
            if isinstance(kind, str) and kind in _KINDS:
                return _KINDS[kind]
        return _guess(members)

    def _object(self, members: _Members, path: _Path) -> dict[str, Json]:
        result: dict[str, Json] = {
            "type": "object",
            "properties": self._properties(members.get("properties"), path),
        }
        required = members.get("required")
        if required is not None:
            result["required"] = self._names(required, path)
        additional = members.get("additionalProperties")
        if isinstance(additional, bool):
            result["additionalProperties"] = additional
        elif additional is not None:
            self._count(1, path)
            place = (*path, "additionalProperties")
            result["additionalProperties"] = self.sanitize(additional, place)
        return result

    def _properties(self, value: Json, path: _Path) -> dict[str, Json]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise _unsupported(path, f"properties: expected an object, got {type(value).__name__}")
        properties = cast("Mapping[object, Json]", value)
        self._count(len(properties), path)
        named = {
            self._text(name, "a name of properties", path): schema
            for name, schema in properties.items()
        }
        return {
            name: self.sanitize(named[name], (*path, f"properties.{name}"))
            for name in sorted(named)
        }

    def _array(self, members: _Members, path: _Path) -> dict[str, Json]:
        items = members.get("items")
        self._count(1, path)
        return {
            "type": "array",
            **self._description(members, path),
            # Said by true: text is what a model can write about anything.
            "items": self.sanitize(True if items is None else items, (*path, "items")),
        }

    def _names(self, value: Json, path: _Path) -> list[Json]:
        if not isinstance(value, list | tuple):
            raise _unsupported(path, f"required: expected a list, got {type(value).__name__}")
        names = cast("list[Json] | tuple[Json, ...]", value)
        self._count(len(names), path)
        return [self._text(name, "an entry of required", path) for name in names]

    def _description(self, members: _Members, path: _Path) -> dict[str, Json]:
        description = members.get("description")
        if description is None:
            return {}
        return {"description": self._text(description, "description", path)}

    def _text(self, value: Json, what: str, path: _Path) -> str:
        if not isinstance(value, str):
            raise _unsupported(path, f"{what}: expected a string, got {type(value).__name__}")
        self._characters += len(value)
        if self._characters > _MAX_CHARACTERS:
            raise _unsupported(
                path, f"names and descriptions are longer than {_MAX_CHARACTERS} characters"
            )
        return _writable(value)

    def _count(self, entries: int, path: _Path) -> None:
        # Before they are looked at, so that a refusal costs next to nothing.
        self._entries += entries
        if self._entries > _MAX_ENTRIES:
            raise _unsupported(path, f"the schema has more than {_MAX_ENTRIES} entries")


def _guess(members: _Members) -> str:
    for kind, hints in _HINTS:
        if any(members.get(hint) is not None for hint in hints):
            return kind
    return "string"


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot say, or no request that tells of the tool could be sent."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _unsupported(path: _Path, problem: str) -> SchemaUnsupported:
    place = ".".join(path)
    if len(place) > _MAX_PLACE:
        place = f"{place[:_MAX_PLACE]}..."
    return SchemaUnsupported(place, problem)
