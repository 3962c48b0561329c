"""
Reads ``agents/openai.yaml``, which a skill may have beside its ``SKILL.md``; blocks.

It says how clients show the skill, what the skill needs and who may choose it.  Nothing in
it is needed: what is wrong is left out and told, and the skill is there all the same.
"""

import re
from pathlib import PurePosixPath
from typing import Final

import attrs

from .errors import BadSkillFile
from .fields import find_mapping, find_text
from .files import read_whole
from .plain_yaml import YamlMap, YamlValue, kind_of, parse_yaml
from .skill import SkillDependency, SkillInterface

__all__ = ["DETAILS_FILE", "MAX_DETAILS_BYTES", "SkillDetails", "parse_details", "read_details"]

DETAILS_FILE: Final = "agents/openai.yaml"

MAX_DETAILS_BYTES: Final = 64 * 1024

# How many problems of one file are told.
_MAX_TOLD: Final = 10

_SHORT: Final = 64
_LONG: Final = 1024

_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ICONS: Final = "assets"


@attrs.frozen(kw_only=True)
class SkillDetails:
    """
    What the file says; see `Skill` for the first three.

    Attributes:
        path: Of the file, whether there is one or not.
        problems: What was left out and why, for people; the first ten.  Mostly empty.
        trouble: Why the file could not be read, other than that there is none.
    """

    path: str
    interface: SkillInterface | None = None
    dependencies: tuple[SkillDependency, ...] = ()
    allow_implicit: bool = True
    problems: tuple[str, ...] = ()
    trouble: OSError | None = None


def read_details(folder: str) -> SkillDetails:
    """Read the details of the skill in *folder*; never raises."""
    path = f"{folder}/{DETAILS_FILE}"
    try:
        data = read_whole(path, MAX_DETAILS_BYTES, follow=True)
        return parse_details(data.decode(), folder)
    except (FileNotFoundError, NotADirectoryError):
        return SkillDetails(path=path)
    except OSError as error:
        problem = f"failed to read file: {error.strerror or error}"
        return SkillDetails(path=path, problems=(problem,), trouble=error)
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; save it as UTF-8"
        return SkillDetails(path=path, problems=(problem,))
    except BadSkillFile as error:
        return SkillDetails(path=path, problems=(error.problem,))


def parse_details(text: str, folder: str) -> SkillDetails:
    """
    Understand the text of the file.

    Args:
        text: All of it.
        folder: Of the skill; icons are below it.

    Raises:
        BadSkillFile: It is not YAML, or not a mapping.
    """
    whole = find_mapping(parse_yaml(text))
    reader = _Reader(folder)
    return SkillDetails(
        path=f"{folder}/{DETAILS_FILE}",
        interface=reader.interface(reader.part(whole, "interface")),
        dependencies=tuple(reader.dependencies(reader.part(whole, "dependencies"))),
        allow_implicit=reader.allow_implicit(reader.part(whole, "policy")),
        problems=_first(reader.problems),
    )


def _first(problems: list[str]) -> tuple[str, ...]:
    if len(problems) <= _MAX_TOLD:
        return tuple(problems)
    return (*problems[:_MAX_TOLD], f"and {len(problems) - _MAX_TOLD} more")


@attrs.define(eq=False)
class _Reader:
    """Reads part by part, and keeps in mind what was wrong."""

    _folder: str
    problems: list[str] = attrs.field(factory=list[str], init=False)

    def part(self, whole: YamlMap, key: str) -> YamlMap:
        try:
            return find_mapping(whole, key)
        except BadSkillFile as error:
            self.problems.append(error.problem)
            return YamlMap(())

    def interface(self, table: YamlMap) -> SkillInterface | None:
        found = SkillInterface(
            display_name=self._text(table, "display_name", _SHORT),
            short_description=self._text(table, "short_description", _LONG),
            icon_small=self._icon(table, "icon_small"),
            icon_large=self._icon(table, "icon_large"),
            brand_color=self._color(table),
            default_prompt=self._text(table, "default_prompt", _LONG),
        )
        return None if found == SkillInterface() else found

    def dependencies(self, table: YamlMap) -> list[SkillDependency]:
        tools = self._value(table, "tools")
        if tools is None:
            return []
        if not isinstance(tools, tuple):
            self.problems.append(f"dependencies.tools is {kind_of(tools)}, not a list")
            return []
        found = (self._dependency(tool, f"dependencies.tools[{i}]") for i, tool in enumerate(tools))
        return [dependency for dependency in found if dependency is not None]

    def allow_implicit(self, table: YamlMap) -> bool:
        key = "allow_implicit_invocation"
        value = self._value(table, key)
        if value is None or isinstance(value, bool):
            return value is not False
        self.problems.append(f"policy.{key} is {kind_of(value)}, not true or false")
        return True

    def _dependency(self, tool: YamlValue, place: str) -> SkillDependency | None:
        if not isinstance(tool, YamlMap):
            self.problems.append(f"{place} is {kind_of(tool)}, not a mapping")
            return None
        within = place + "."
        kind = self._text(tool, "type", _SHORT, within)
        value = self._text(tool, "value", _LONG, within)
        if kind is None or value is None:
            self.problems.append(f"{place} is left out: it needs a type and a value")
            return None
        return SkillDependency(
            type=kind,
            value=value,
            description=self._text(tool, "description", _LONG, within),
            transport=self._text(tool, "transport", _SHORT, within),
            command=self._text(tool, "command", _LONG, within),
            url=self._text(tool, "url", _LONG, within),
        )

    def _icon(self, table: YamlMap, key: str) -> str | None:
        written = self._text(table, key, _LONG)
        if written is None:
            return None
        path = PurePosixPath(written)  # without single dots
        if path.parts[:1] == (_ICONS,) and ".." not in path.parts:
            return f"{self._folder}/{path}"
        self.problems.append(f"interface.{key} is left out: it has to be below {_ICONS}/")
        return None

    def _color(self, table: YamlMap) -> str | None:
        color = self._text(table, "brand_color", _LONG)
        if color is None or _COLOR.fullmatch(color):
            return color
        self.problems.append("interface.brand_color is left out: it has to be like '#1A2B3C'")
        return None

    def _text(self, table: YamlMap, key: str, limit: int, within: str = "interface.") -> str | None:
        try:
            return find_text(table, key, limit, within=within)
        except BadSkillFile as error:
            self.problems.append(error.problem)
            return None

    def _value(self, table: YamlMap, key: str) -> YamlValue:
        try:
            return table.get(key)
        except BadSkillFile as error:
            self.problems.append(error.problem)
            return None
