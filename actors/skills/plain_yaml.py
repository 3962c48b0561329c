"""
Reads YAML that strangers wrote: with the C parser, in bounded depth, and nothing is built twice.

Imports yaml, so it is itself imported when a file has to be read and not before.

The C parser is asked for events, not for values: its own composer calls itself for each level
of nesting, so that 100 KB of brackets end the process.  From events an alias is the very value
it stands for, so that aliases of aliases cost nothing as long as nobody walks the whole.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import attrs
import yaml

from .errors import BadSkillFile

__all__ = ["MAX_DEPTH", "YamlMap", "YamlNumber", "YamlValue", "kind_of", "parse_yaml"]

MAX_DEPTH: Final = 64
"""How deep lists and mappings may be nested."""

# The same events from pure Python where yaml was installed without its C part.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The core schema of YAML 1.2.2, 10.3.2.
_NO_TEXT: Final = re.compile(
    r"(?P<null>(?:~|null|Null|NULL)?)|(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)"
    r"|(?P<number>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)


@attrs.frozen
class YamlNumber:
    """A number as it is written; nobody here computes with one."""

    text: str


@attrs.frozen(eq=False)
class YamlMap:
    """A mapping, as pairs in the order of the file: a key may be anything and come twice."""

    pairs: "tuple[tuple[YamlValue, YamlValue], ...]"

    def get(self, name: str) -> "YamlValue":
        """
        Look up the value of a key; None when it has none.

        Raises:
            BadSkillFile: The key is there twice.
        """
        found = [value for key, value in self.pairs if key == name]
        if len(found) > 1:
            raise BadSkillFile(f"invalid YAML: duplicate field `{name}`; leave one of them")
        return found[0] if found else None


YamlValue: TypeAlias = "bool | str | YamlNumber | tuple[YamlValue, ...] | YamlMap | None"
"""Scalars are those of YAML 1.2: ``no``, ``on`` and dates are text."""


def parse_yaml(text: str, *, first_line: int = 1) -> YamlValue:
    """
    Read one document.

    Explicit tags are not followed: what bears one is the text that it is.

    Args:
        text: The document; None is what an empty one stands for.
        first_line: Which line of its file the text begins with, for errors.

    Raises:
        BadSkillFile: It is not YAML, or nested too deep.
    """
    try:
        loader = _LOADER(text)
        try:
            return _Builder(loader.get_event, first_line).document()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise BadSkillFile(
            f"invalid YAML: {_told(error, first_line)}; correct that place, or put text in quotes"
        ) from None


def kind_of(value: YamlValue) -> str:
    """Say what a value is, for errors."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case YamlNumber():
            return "a number"
        case YamlMap():
            return "a mapping"
        case _:
            return "a list"


def _told(error: yaml.YAMLError, first_line: int) -> str:
    match error:
        # The C parser has a mark of its own, so its class says nothing.
        case yaml.MarkedYAMLError(problem=str(problem), problem_mark=mark) if mark is not None:
            return f"{problem} (line {mark.line + first_line}, column {mark.column + 1})"
        case yaml.reader.ReaderError(reason=reason, position=position):
            return f"{reason} (at character {position})"
        case _:
            return " ".join(str(error).split())


@attrs.define(eq=False)
class _Builder:
    """Makes a value of the events of a document."""

    # Typed Any: the stubs have no types for events out of a loader.
    _next: Callable[[], Any]
    _first_line: int
    _anchors: "dict[str, YamlValue]" = attrs.field(factory=dict[str, YamlValue], init=False)

    def document(self) -> YamlValue:
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), 0)
        self._next()  # the document's end
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise BadSkillFile("invalid YAML: more than one document; leave the first")
        return value

    def _value(self, event: Any, depth: int) -> YamlValue:
        if isinstance(event, yaml.ScalarEvent):
            # A quoted one is text, whatever it looks like.
            value = _plain(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        elif depth == MAX_DEPTH:
            raise BadSkillFile(f"invalid YAML: nested more than {MAX_DEPTH} deep; make it flatter")
        elif isinstance(event, yaml.MappingStartEvent):
            flat = self._elements(yaml.MappingEndEvent, depth + 1)
            value = YamlMap(tuple(zip(flat, flat, strict=True)))  # by turns a key and a value
        else:
            value = tuple(self._elements(yaml.SequenceEndEvent, depth + 1))
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _elements(self, end: type[yaml.Event], depth: int) -> "Iterator[YamlValue]":
        while not isinstance(event := self._next(), end):
            yield self._value(event, depth)

    def _alias(self, event: Any) -> YamlValue:
        # One that stands inside of what it stands for is not known yet, either.
        if event.anchor not in self._anchors:
            raise BadSkillFile(
                "invalid YAML: unknown alias; put text that begins with * in quotes "
                f"(line {event.start_mark.line + self._first_line})"
            )
        return self._anchors[event.anchor]


def _plain(text: str) -> YamlValue:
    match = _NO_TEXT.fullmatch(text)
    if match is None:
        return text
    if match.lastgroup == "number":
        return YamlNumber(text)
    return None if match.lastgroup == "null" else match.lastgroup == "true"
