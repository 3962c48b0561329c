"""Typed access to a table of a configuration, with the place in every complaint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, cast

import attrs

from messages.value import Json

from .errors import ConfigError

__all__ = ["ConfigLayer", "ConfigTable"]

_LONGEST_VALUE: Final = 60
_KINDS: Final[Mapping[type, str]] = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


@attrs.frozen(kw_only=True)
class ConfigLayer:
    """
    Settings from one place, such as a file or a command line.

    Attributes:
        raw: Keys and values, in tables as deep as you like; null is as good as missing.
        source: How complaints call the place; None says nothing of it.
        folder: Where relative paths in it begin.
        strict: Whether keys that no reader knows are mistakes.
    """

    raw: Mapping[str, Json]
    source: str | None
    folder: Path
    strict: bool = False


@attrs.frozen
class ConfigTable:
    """
    A table of one layer, or of several of which the last goes before the others.

    A key of the last layer hides the same key below, but tables are merged.  Every
    reader raises a `ConfigError` for a value of another kind, which names the layer
    that the value is from, and takes a missing key for its default.

    Attributes:
        layers: The part of each layer that is this table, lowest first.
        prefix: Its own place in the whole, with a dot at the end; empty for the top.
    """

    layers: tuple[ConfigLayer, ...]
    prefix: str = ""
    # What readers asked for, with the table where they asked for one.
    _asked: dict[str, ConfigTable | None] = attrs.field(
        factory=dict[str, "ConfigTable | None"], init=False, repr=False, eq=False
    )

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise a complaint about a key; about the whole table if it is empty."""
        layer = self._layer_of(key)
        place = f"{self.prefix}{key}".removesuffix(".")
        raise ConfigError(None if layer is None else layer.source, place, problem)

    def refuse_unread(self) -> None:
        """Complain about a key of a strict layer that no reader has asked for."""
        for key in (key for layer in self.layers if layer.strict for key in layer.raw):
            if key not in self._asked:
                known = ", ".join(self._asked)
                self.refuse(key, f"this version does not read it; known: {known}")
        for inner in self._asked.values():
            if inner is not None:
                inner.refuse_unread()

    def names(self) -> tuple[str, ...]:
        """List the keys that are there."""
        return tuple(
            dict.fromkeys(
                key for layer in self.layers for key in layer.raw if layer.raw[key] is not None
            )
        )

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return self._value(key) is not None

    def folder(self, key: str) -> Path:
        """Return where a relative path under this key begins."""
        layer = self._layer_of(key)
        return self.layers[-1].folder if layer is None else layer.folder

    def text(self, key: str) -> str | None:
        """Read a text that is not empty; None when the key is missing."""
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self._wrong(key, "a text")
        if not value.strip():
            self.refuse(key, "is empty; write something or leave it out")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        """Read one of some texts; None when the key is missing."""
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str) or value not in allowed:
            self._wrong(key, " or ".join(repr(text) for text in allowed))
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Read a truth value."""
        value = self._value(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._wrong(key, "true or false")
        return value

    def integer(self, key: str, default: int, least: int = 0) -> int:
        """Read a whole number from *least* on."""
        number = self.limit(key, least)
        return default if number is None else number

    def limit(self, key: str, least: int = 1) -> int | None:
        """Read a whole number from *least* on; None when the key is missing."""
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._wrong(key, f"a whole number from {least}")
        return value

    def seconds(self, key: str) -> float | None:
        """Read a duration above 0; None when the key is missing."""
        value = self._value(key)
        if value is None:
            return None
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
        try:
            seconds = float(number)
        except OverflowError:
            seconds = math.inf
        if not 0 < seconds < math.inf:
            self._wrong(key, "a number of seconds above 0")
        return seconds

    def texts(self, key: str) -> Mapping[str, str]:
        """Read a table of texts; empty when the key is missing."""
        table = self.table(key)
        return {name: table._any_text(name) for name in table.names()}  # noqa: SLF001 -- its own

    def text_list(self, key: str, *, empty: bool = False) -> tuple[str, ...]:
        """Read a list of texts, which may be empty themselves if *empty* says so."""
        value = self._value(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self._wrong(key, "a list of texts")
        texts: list[str] = []
        for element in cast("Sequence[Json]", value):  # members of TOML lists are values
            if not isinstance(element, str) or not (empty or element.strip()):
                self._wrong(key, "a list of texts")
            texts.append(element)
        return tuple(texts)

    def table(self, key: str) -> ConfigTable:
        """Read a table; an empty one when the key is missing."""
        known = self._asked.get(key)
        if known is not None:
            return known
        value = self._value(key)
        if not (value is None or isinstance(value, dict)):
            self._wrong(key, "a table")
        parts = ((layer, layer.raw.get(key)) for layer in self.layers)
        tables = tuple(
            attrs.evolve(layer, raw=cast("dict[str, Json]", part))  # keys of TOML are strings
            for layer, part in parts
            if isinstance(part, dict)
        )
        inner = ConfigTable(tables, f"{self.prefix}{key}.")
        self._asked[key] = inner
        return inner

    def tables(self, key: str) -> Iterator[tuple[str, ConfigTable]]:
        """Read a table of tables; nothing when the key is missing."""
        outer = self.table(key)
        return ((name, outer.table(name)) for name in outer.names())

    def _any_text(self, key: str) -> str:
        value = self._value(key)
        if not isinstance(value, str):
            self._wrong(key, "a text")
        return value

    def _value(self, key: str) -> Json:
        self._asked.setdefault(key)
        layer = self._layer_of(key)
        return None if layer is None else layer.raw.get(key)

    def _layer_of(self, key: str) -> ConfigLayer | None:
        """Find the layer that a key is from; for the whole table the last."""
        there = (layer for layer in reversed(self.layers) if layer.raw.get(key) is not None)
        return next(there, self.layers[-1] if self.layers else None)

    def _wrong(self, key: str, expected: str) -> NoReturn:
        value = self._value(key)
        kind = _KINDS.get(type(value), f"a {type(value).__name__}")
        self.refuse(key, f"expected {expected}, got {kind}{_shown(value)}")


def _shown(value: Json) -> str:
    # Not of tables and lists, which may be long and hold keys; and Python refuses
    # to print very long numbers.
    if not isinstance(value, str | bool | float) and not (
        isinstance(value, int) and abs(value) < 2**64
    ):
        return ""
    text = repr(value)
    return f" ({text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '...'})"
