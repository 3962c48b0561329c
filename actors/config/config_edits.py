"""Changes of ``config.toml`` as text: comments and the order of keys stay as they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from messages.value import Json

from .errors import ConfigError, ConfigKeyMissing
from .masking import MASK
from .toml_file import parse_toml

__all__ = ["Edit", "edited", "parse_key_path", "set_value", "skill_file", "switch_skill"]

Edit: TypeAlias = Callable[[MutableMapping[str, Any], "NewTable"], None]
"""
Changes a table in place.

It is done twice: to plain values, which says what is meant, and to the text, which must then
mean the same.
"""

NewTable: TypeAlias = Callable[[object, bool], Any]
"""Makes an empty table for inside of one, and is told if it will hold nothing but tables."""

_PART: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^.\"'][^.]*")
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_SKILL_FILE: Final = "SKILL.md"


def parse_key_path(text: str) -> tuple[str, ...]:
    """
    Read a key with dots; a part with dots in it is quoted, as in TOML.

    Raises:
        ConfigError: It is none.
    """
    if not text.strip():
        raise ConfigError(None, "", "keyPath must not be empty")
    parts: list[str] = []
    place = 0
    while True:
        part = _PART.match(text, place)
        if part is None:
            break
        parts.append(_unquoted(part[0]))
        place = part.end()
        if place == len(text):
            return tuple(parts)
        if text[place] != ".":
            break
        place += 1
    problem = f"keyPath {text!r} has a part that is no key at character {place + 1}"
    raise ConfigError(None, "", f"{problem}; quote parts that have dots or quotes in them")


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] != '"':
        return part
    try:
        return cast("str", json.loads(part))
    except ValueError:
        raise ConfigError(None, "", f"keyPath has a part that is no text: {part}") from None


def set_value(path: Sequence[str], value: Json, *, merge: bool = False) -> Edit:
    """
    Make an edit that sets one key.

    Args:
        path: Table by table; never empty.
        value: None removes the key, if it is there.
        merge: Lay a table over the one that is there; otherwise it takes its place.

    Raises:
        ConfigError: A file of TOML cannot hold the value, or it is a secret's mask.

    Raises, when it is done:
        ConfigError: What should be a table is none.
        ConfigKeyMissing: There is no table to remove it from.
    """
    _check(tuple(path), value)
    *parents, last = path
    is_table = isinstance(value, Mapping)

    def edit(root: MutableMapping[str, Any], new_table: NewTable) -> None:
        table = root
        for depth, part in enumerate(parents, 1):
            if value is None and part not in table:
                raise ConfigKeyMissing(None, ".".join(path), "Path not found")
            if part not in table:
                only_tables = depth < len(parents) or is_table
                table[part] = new_table(table, only_tables)
            table = _table(table[part], path[:depth])
        if value is None:
            table.pop(last, None)
        else:
            _put(table, last, value, merge=merge)

    return edit


def _table(found: Any, path: Sequence[str]) -> MutableMapping[str, Any]:
    if not isinstance(found, MutableMapping):
        raise ConfigError(None, ".".join(path), "it is no table; remove it first, or choose a key")
    return cast("MutableMapping[str, Any]", found)


def _put(table: MutableMapping[str, Any], key: str, value: Json, *, merge: bool) -> None:
    """Set a key; in tables only what differs is touched, so that comments stay."""
    there: Any = table.get(key)
    given: Any = value
    if isinstance(there, MutableMapping) and isinstance(given, Mapping):
        inner = cast("MutableMapping[str, Any]", there)
        _lay(inner, cast("Mapping[str, Json]", given), merge=merge)
    elif not _same(there, value):
        table[key] = value


def _lay(table: MutableMapping[str, Any], members: Mapping[str, Json], *, merge: bool) -> None:
    if not merge:
        for old in [old for old in table if old not in members]:
            del table[old]
    for name, member in members.items():
        _put(table, name, member, merge=merge)


def _same(there: Any, value: Json) -> bool:
    plain: object = there.unwrap() if hasattr(there, "unwrap") else there
    return type(plain) is type(value) and plain == value


def _check(path: tuple[str, ...], value: Json, *, top: bool = True) -> None:
    """Refuse what TOML has no form for."""
    problem = None
    match value:
        case None if not top:
            problem = "null has no form in TOML; leave the key out"
        case bool():
            pass
        case int() if not _LEAST <= value <= _MOST:
            problem = "the number has more than 64 bits"
        case str() if value == MASK:
            problem = "this is the mask of a secret; leave the key out, or write the secret itself"
        case str() if not _is_text(value):
            problem = "the text has half of a surrogate pair in it"
        case Mapping():
            for key, member in cast("Mapping[str, Json]", value).items():
                _check((*path, key), member, top=False)
        case list() | tuple():
            for member in cast("Sequence[Json]", value):
                _check(path, member, top=False)
        case _:
            pass
    if problem is not None:
        raise ConfigError(None, ".".join(path), problem)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


# Skills ---------------------------------------------------------------------


def switch_skill(skill: str, *, enabled: bool, folder: Path) -> Edit:
    """
    Make an edit that switches a skill on or off in ``[[skills.config]]``.

    What is not mentioned there is on, so that switching on removes the entries.

    Args:
        skill: Its ``SKILL.md``; absolute.
        folder: Where relative paths in the file begin.

    Source:
        Codex, ``ConfigEdit::SetSkillConfig``.
    """

    def edit(root: MutableMapping[str, Any], new_table: NewTable) -> None:
        if enabled and "skills" not in root:
            return
        if "skills" not in root:
            root["skills"] = new_table(root, True)
        skills = _table(root["skills"], ("skills",))
        entries: list[Any] = skills.get("config", [])
        _check_list(entries)
        for number in reversed(range(len(entries))):
            if _names(entries[number], skill, folder):
                del entries[number]
        if not enabled:
            entry = {"path": skill, "enabled": False}
            if entries:
                entries.append(entry)
            else:
                skills["config"] = [entry]
        elif not entries:
            skills.pop("config", None)
            if not skills:
                del root["skills"]

    return edit


def _check_list(entries: object) -> None:
    if not isinstance(entries, list):
        raise ConfigError(None, "skills.config", "it is no list of tables; mend it first")


def _names(entry: object, skill: str, folder: Path) -> bool:
    path: object = (
        cast("Mapping[str, object]", entry).get("path") if isinstance(entry, Mapping) else None
    )
    return isinstance(path, str) and skill_file(path, folder) == skill_file(skill, folder)


def skill_file(path: str, folder: Path) -> str:
    """
    Return the file of a skill that is named by it or by its folder, links resolved.

    Args:
        folder: Where a relative path begins.
    """
    named = folder / os.path.expanduser(path)  # noqa: PTH111 -- never raises
    if named.name != _SKILL_FILE:
        named /= _SKILL_FILE
    return os.path.realpath(named)


# The text -------------------------------------------------------------------


def edited(text: str, edits: Sequence[Edit], path: Path) -> tuple[str, dict[str, Json]]:
    """
    Change the text of a file of TOML; return the new text and what it says.

    Args:
        path: The file, for complaints.

    Raises:
        ConfigError: It is no TOML, or an edit cannot be done.
    """
    meant = parse_toml(text.encode(), path)
    for edit in edits:
        edit(meant, lambda _parent, _only_tables: {})
    changed = _written(text, edits)
    if changed is None or parse_toml(changed.encode(), path) != meant:
        problem = "the change cannot be made without touching other keys; edit the file by hand"
        raise ConfigError(str(path), "", problem)
    return changed, meant


def _written(text: str, edits: Sequence[Edit]) -> str | None:
    """Change the text, as far as the library can."""
    import tomlkit  # noqa: PLC0415 -- only who writes needs it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(text)
        for edit in edits:
            edit(document, _new_table)
        return tomlkit.dumps(document)
    except (TOMLKitError, LookupError, TypeError, ValueError):
        # The same edits were possible on plain values: it is the library that cannot.
        return None


def _new_table(parent: object, only_tables: bool) -> object:  # noqa: FBT001 -- see `NewTable`
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import InlineTable  # noqa: PLC0415

    if isinstance(parent, InlineTable):
        return tomlkit.inline_table()
    return tomlkit.table(is_super_table=only_tables)
