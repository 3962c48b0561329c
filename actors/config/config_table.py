"""Typed access to a table of a configuration file, with the place in every complaint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn, cast

import attrs

from messages.value import Json

from .errors import ConfigError

__all__ = ["ConfigTable"]

_LONGEST_VALUE: Final = 60
_KINDS: Final[Mapping[type, str]] = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


@attrs.frozen
class ConfigTable:
    """
    A table of the file.

    Every reader raises a `ConfigError` for a value of another kind, and takes a
    missing key for its default.

    Attributes:
        raw: Its keys and values.
        path: The file.
        prefix: Its own place in the file, with a dot at the end; empty for the top.
    """

    raw: Mapping[str, Json]
    path: str
    prefix: str = ""

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise a complaint about a key; about the whole table if it is empty."""
        raise ConfigError(self.path, f"{self.prefix}{key}".removesuffix("."), problem)

    def text(self, key: str) -> str | None:
        """Read a text that is not empty; None when the key is missing."""
        if key not in self.raw:
            return None
        value = self.raw[key]
        if not isinstance(value, str):
            self._wrong(key, "a text")
        if not value.strip():
            self.refuse(key, "is empty; write something or leave it out")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        """Read one of some texts; None when the key is missing."""
        if key not in self.raw:
            return None
        value = self.raw[key]
        if not isinstance(value, str) or value not in allowed:
            self._wrong(key, " or ".join(repr(text) for text in allowed))
        return value

    def flag(self, key: str) -> bool:
        """Read a truth value; False when the key is missing."""
        value = self.raw.get(key, False)
        if not isinstance(value, bool):
            self._wrong(key, "true or false")
        return value

    def integer(self, key: str, default: int, least: int = 0) -> int:
        """Read a whole number from *least* on."""
        value = self.raw.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._wrong(key, f"a whole number from {least}")
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """Read a table of texts; empty when the key is missing."""
        table = self.table(key)
        texts: dict[str, str] = {}
        for name, value in table.raw.items():
            if not isinstance(value, str):
                table._wrong(name, "a text")  # noqa: SLF001 -- of the same class
            texts[name] = value
        return texts

    def text_list(self, key: str) -> list[str]:
        """Read a list of texts that are not empty; empty when the key is missing."""
        value = self.raw.get(key, ())
        if not isinstance(value, list | tuple):
            self._wrong(key, "a list of texts")
        texts: list[str] = []
        for element in cast("Sequence[Json]", value):  # members of TOML lists are values
            if not isinstance(element, str) or not element.strip():
                self._wrong(key, "a list of texts")
            texts.append(element)
        return texts

    def table(self, key: str) -> ConfigTable:
        """Read a table; an empty one when the key is missing."""
        value = self.raw.get(key)
        if key not in self.raw:
            return ConfigTable({}, self.path, f"{self.prefix}{key}.")
        if not isinstance(value, dict):
            self._wrong(key, "a table")
        members = cast("dict[str, Json]", value)  # keys of TOML are strings
        return ConfigTable(members, self.path, f"{self.prefix}{key}.")

    def tables(self, key: str) -> Iterator[tuple[str, ConfigTable]]:
        """Read a table of tables; nothing when the key is missing."""
        outer = self.table(key)
        return ((name, outer.table(name)) for name in outer.raw)

    def _wrong(self, key: str, expected: str) -> NoReturn:
        value = self.raw[key]
        kind = _KINDS.get(type(value), f"a {type(value).__name__}")
        shown = _shown(value)
        self.refuse(key, f"expected {expected}, got {kind}{shown}")


def _shown(value: Json) -> str:
    # Not of tables and lists, which may be long and hold keys; and Python refuses
    # to print very long numbers.
    if not isinstance(value, str | bool | float) and not (
        isinstance(value, int) and abs(value) < 2**64
    ):
        return ""
    text = repr(value)
    return f" ({text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '...'})"
