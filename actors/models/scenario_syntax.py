"""From the text of a scenario to plain JSON values, whatever rubbish it is."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NoReturn, cast

import attrs

from messages.value import Json

from .scenario import ScenarioError

if TYPE_CHECKING:
    import yaml

__all__ = ["parse"]

# A YAML alias may stand for a tree of aliases, so that a few lines unfold to
# gigabytes, and may contain itself.
_NODE_LIMIT: Final = 100_000
_DEPTH_LIMIT: Final = 64
_INTEGER_LIMIT: Final = 2**63
# What the constructors of explicit tags raise for text that does not fit, such as
# an AttributeError for ``!!timestamp soon``.
_YAML_SLIPS: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)


def parse(text: str, *, syntax: str, source: str) -> Json:
    """
    Parse *text* and copy it to plain JSON values.

    Raises:
        ScenarioError: It is not of that syntax, is too big, or holds something
            that JSON has no form for.
    """
    match syntax:
        case "toml":
            raw = _parse_toml(text, source)
        case "yaml" | "yml":
            raw = _parse_yaml(text, source)
        case _:
            raise ScenarioError(
                source,
                "",
                f"its syntax {syntax!r} is not known",
                "name the file .toml, .yaml or .yml",
            )
    return _Copier(source).copy(raw, "", 0)


def _parse_toml(text: str, source: str) -> Json:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(source, "", "it is nested too deep", "make it flatter") from None
    except ValueError as exc:  # TOMLDecodeError is one; so is a number with too many digits
        raise ScenarioError(source, "", f"it is no TOML: {exc}", "correct that place") from exc


def _parse_yaml(text: str, source: str) -> Json:
    import yaml  # noqa: PLC0415 -- 15 ms that a TOML scenario does not need

    try:
        return yaml.load(text, _yaml_loader())  # noqa: S506 -- made from SafeLoader
    except RecursionError:
        raise ScenarioError(source, "", "it is nested too deep", "make it flatter") from None
    except (yaml.YAMLError, *_YAML_SLIPS) as exc:
        problem = " ".join(str(exc).split())
        raise ScenarioError(source, "", f"it is no YAML: {problem}", "correct that place") from exc


def _yaml_loader() -> type[yaml.SafeLoader]:
    """
    Make a loader with the scalars of YAML 1.2: ``no`` and ``2026-11-20`` are text.

    The pure Python loader, because the C one has no limit of depth.
    """
    import yaml  # noqa: PLC0415 -- as above

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}  # its own, and none of those of YAML 1.1
    for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ):
        resolver = (f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"))
        for character in first:
            Loader.yaml_implicit_resolvers.setdefault(character, []).append(resolver)
    return Loader


@attrs.define(eq=False)
class _Copier:
    """Copies parsed values to plain JSON values, within limits."""

    _source: str
    _nodes: int = 0

    def copy(self, value: object, place: str, depth: int) -> Json:
        self._nodes += 1
        if self._nodes > _NODE_LIMIT:
            self._refuse("", f"it has more than {_NODE_LIMIT} values", "make it smaller")
        if depth > _DEPTH_LIMIT:
            self._refuse("", f"it is nested more than {_DEPTH_LIMIT} deep", "make it flatter")
        match value:
            case dict():
                members = cast("dict[object, object]", value)
                return dict(self._members(members, place, depth))
            case list():
                elements = cast("list[object]", value)
                return [
                    self.copy(element, f"{place}[{index}]", depth + 1)
                    for index, element in enumerate(elements)
                ]
            case str():
                return self._text(value, place)
            case None | bool():
                return value
            case int() if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
                return value
            case float() if math.isfinite(value):
                return value
            case _:
                return self._refuse_value(value, place)

    def _members(
        self, members: dict[object, object], place: str, depth: int
    ) -> Iterator[tuple[str, Json]]:
        for key, element in members.items():
            if not isinstance(key, str):
                self._refuse(place, f"key {key!r:.40} is no text", "put it into quotes")
            name = self._text(key, place)
            yield name, self.copy(element, f"{place}.{name}" if place else name, depth + 1)

    def _text(self, text: str, place: str) -> str:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                self._refuse(place, "it holds half a surrogate pair", "use the whole character")
        return text

    def _refuse_value(self, value: object, place: str) -> NoReturn:
        if isinstance(value, int | float):
            # Not the number itself: Python refuses to print very long ones.
            self._refuse(place, "a number does not fit into 64 bits", "use a smaller one")
        kind = type(value).__name__
        self._refuse(place, f"a {kind} is no value here", "put it into quotes")

    def _refuse(self, place: str, problem: str, way_out: str) -> NoReturn:
        raise ScenarioError(self._source, place, problem, way_out)
