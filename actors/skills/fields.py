"""Picks texts out of mappings that a person wrote."""

import re
from typing import Final

from .errors import BadSkillFile
from .plain_yaml import YamlMap, YamlValue, kind_of

__all__ = ["find_mapping", "find_text"]

# Shown on terminals, where they would do something.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def find_text(table: YamlMap, key: str, limit: int, *, within: str = "") -> str | None:
    """
    Look up a text, and put it on one line.

    White space of any kind and length becomes one space; control characters are left out.

    Args:
        table: Where to look.
        key: What to look for.
        limit: How long it may be, in characters.
        within: What to call *table* in errors, with a dot at the end.

    Returns:
        The text; None when it is not there, or blank.

    Raises:
        BadSkillFile: It is too long, or not a text.
    """
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadSkillFile(
            f"invalid YAML: {within}{key} is {kind_of(value)}, not a text; put it in quotes"
        )
    text = _on_one_line(_CONTROL.sub("", _on_one_line(value)))
    if len(text) > limit:
        raise BadSkillFile(f"invalid {within}{key}: exceeds maximum length of {limit} characters")
    return text or None


def find_mapping(table: YamlValue, key: str | None = None) -> YamlMap:
    """
    Look up a mapping in another; an empty one when there is none.

    Args:
        table: Where to look.
        key: What to look for; None for *table* itself.

    Raises:
        BadSkillFile: Something else is there.
    """
    if key is not None:
        table = find_mapping(table).get(key)
    if table is None:
        return YamlMap(())
    if not isinstance(table, YamlMap):
        raise BadSkillFile(
            f"invalid YAML: {key or 'the whole'} is {kind_of(table)}, not a mapping; "
            "write lines of the form name: value"
        )
    return table


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
