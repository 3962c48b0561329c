"""Typed access to a table of a configuration, with the place in every complaint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, cast, overload

import attrs

from messages.value import Json

from .config_layer import ConfigLayer, Setting
from .errors import ConfigError
from .masking import is_secret, masked_text

__all__ = ["ConfigTable", "UnreadKey"]

_LONGEST_VALUE: Final = 60
_MOST: Final = 2**63 - 1
"""Of whole numbers; what TOML promises, and what other programs can read again."""

_KINDS: Final[Mapping[type, str]] = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


@attrs.frozen(kw_only=True)
class UnreadKey:
    """
    A key that no reader asked for.

    Attributes:
        path: Table by table, from the top.
        value: What it holds; may be a secret.
        known: The keys that readers asked for in that table.
    """

    layer: ConfigLayer
    path: tuple[str, ...]
    value: Json = attrs.field(repr=False)
    known: tuple[str, ...]


@attrs.frozen
class ConfigTable:
    """
    A table of one layer, or of several of which the last goes before the others.

    A key of the last layer hides the same key below, but tables are merged, down to
    where a layer has something else in the place of the table.  Every reader raises a
    `ConfigError` for a value of another kind, which names the layer that the value is
    from, and takes a missing key for its default.  What was read can be listed.

    Attributes:
        layers: The part of each layer that is this table, lowest first.
        path: Its own place in the whole; empty for the top.
        named: Whether the user chose the name of this table or of one around it.
    """

    layers: tuple[ConfigLayer, ...]
    path: tuple[str, ...] = ()
    named: bool = False
    # What readers asked for, with the table where they asked for one.
    _asked: dict[str, ConfigTable | None] = attrs.field(
        factory=dict[str, "ConfigTable | None"], init=False, repr=False, eq=False
    )
    # What they got, defaults included.
    _got: dict[str, Json] = attrs.field(factory=dict[str, Json], init=False, repr=False, eq=False)

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise a complaint about a key; about the whole table if it is empty."""
        layer = self._layer_of(key)
        place = ".".join((*self.path, key) if key else self.path)
        if layer is None:
            raise ConfigError(None, place, problem)
        raise ConfigError(layer.source, layer.place(place), problem)

    def note(self, key: str, value: Json) -> None:
        """Say what a key means in effect, where that is not what its reader returned."""
        self._got[key] = value

    def adopt(self, key: str, table: ConfigTable) -> None:
        """Take what was read of a table elsewhere for what was read of it here."""
        self._asked[key] = table

    def settings(self) -> Iterator[Setting]:
        """
        List what was read so far, in the order of reading.

        Defaults are left out in tables that the user named: that a server is there
        says enough.
        """
        for key, inner in self._asked.items():
            if inner is not None:
                yield from inner.settings()
            elif key in self._got:
                layer = self._layer_with(key)
                if layer is not None or not self.named:
                    yield Setting(
                        path=(*self.path, key),
                        value=self._got[key],
                        origin=None if layer is None else layer.origin,
                    )

    def unread(self) -> Iterator[UnreadKey]:
        """List keys that no reader has asked for, layer by layer, without what is in them."""
        known = self.known()
        for layer in self.layers:
            for key, value in layer.raw.items():
                if key not in self._asked and value is not None:
                    path = (*self.path, key)
                    yield UnreadKey(layer=layer, path=path, value=value, known=known)
        for inner in self._asked.values():
            if inner is not None:
                yield from inner.unread()

    def known(self) -> tuple[str, ...]:
        """List the keys that readers asked for."""
        return tuple(self._asked)

    def names(self) -> tuple[str, ...]:
        """List the keys that are there."""
        return tuple(
            dict.fromkeys(
                key for layer in self.layers for key in layer.raw if layer.raw[key] is not None
            )
        )

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.setdefault(key)
        return self._layer_with(key) is not None

    def raw(self, key: str) -> Json:
        """Return what is there, of whatever kind; None when the key is missing."""
        return self._value(key)

    def layer(self, key: str) -> ConfigLayer | None:
        """Return the layer that the key is from; None when it is missing."""
        return self._layer_with(key)

    def folder(self, key: str) -> Path:
        """Return where a relative path under this key begins."""
        layer = self._layer_of(key)
        return Path("/") if layer is None else layer.folder

    @overload
    def text(self, key: str) -> str | None: ...
    @overload
    def text(self, key: str, default: str) -> str: ...
    def text(self, key: str, default: str | None = None) -> str | None:
        """Read a text that is not empty; the default when the key is missing."""
        value = self._value(key, default)
        if value is default:
            return default
        if not isinstance(value, str):
            self._wrong(key, "a text")
        if not value.strip():
            self.refuse(key, "is empty; write something or leave it out")
        return value

    @overload
    def choice(self, key: str, allowed: Sequence[str]) -> str | None: ...
    @overload
    def choice(self, key: str, allowed: Sequence[str], default: str) -> str: ...
    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str | None:
        """Read one of some texts; the default when the key is missing."""
        value = self._value(key, default)
        if value is default:
            return default
        if not isinstance(value, str) or value not in allowed:
            self._wrong(key, " or ".join(repr(text) for text in allowed))
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Read a truth value."""
        return self._truth(key, self._value(key, default))

    def maybe_flag(self, key: str) -> bool | None:
        """Read a truth value; None when the key is missing."""
        value = self._value(key)
        return None if value is None else self._truth(key, value)

    def _truth(self, key: str, value: Json) -> bool:
        if not isinstance(value, bool):
            self._wrong(key, "true or false")
        return value

    def integer(self, key: str, default: int, least: int = 0) -> int:
        """Read a whole number from *least* on."""
        return self._whole(key, default, least)

    def limit(self, key: str, least: int = 1) -> int | None:
        """Read a whole number from *least* on; None when the key is missing."""
        return None if self._value(key) is None else self._whole(key, None, least)

    def _whole(self, key: str, default: int | None, least: int) -> int:
        value = self._value(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
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
        value = self._value(key, [])
        if not isinstance(value, list | tuple):
            self._wrong(key, "a list of texts")
        texts: list[str] = []
        for element in cast("Sequence[Json]", value):  # members of TOML lists are values
            if not isinstance(element, str) or not (empty or element.strip()):
                self._wrong(key, "a list of texts")
            texts.append(element)
        return tuple(texts)

    def table(self, key: str, *, named: bool | None = None) -> ConfigTable:
        """
        Read a table; an empty one when the key is missing.

        Args:
            key: Its name.
            named: Whether the user chose that name; as for this table if None.
        """
        known = self._asked.get(key)
        if known is not None:
            return known
        value = self._value(key)
        if not (value is None or isinstance(value, dict)):
            self._wrong(key, "a table")
        inner = ConfigTable(
            self._parts(key), (*self.path, key), self.named if named is None else named
        )
        self._asked[key] = inner
        return inner

    def _parts(self, key: str) -> tuple[ConfigLayer, ...]:
        parts: list[ConfigLayer] = []
        for layer in reversed(self.layers):
            part = layer.raw.get(key)
            if isinstance(part, dict):  # keys of TOML are strings
                parts.append(attrs.evolve(layer, raw=cast("dict[str, Json]", part)))
            elif part is not None:
                break  # hides what is below it
        return tuple(reversed(parts))

    def tables(self, key: str) -> Iterator[tuple[str, ConfigTable]]:
        """Read a table of tables; nothing when the key is missing."""
        outer = self.table(key)
        return ((name, outer.table(name, named=True)) for name in outer.names())

    def _any_text(self, key: str) -> str:
        value = self._value(key)
        if not isinstance(value, str):
            self._wrong(key, "a text")
        return value

    def _value(self, key: str, default: Json = None) -> Json:
        self._asked.setdefault(key)
        layer = self._layer_with(key)
        value = default if layer is None else layer.raw[key]
        self._got[key] = value
        return value

    def _layer_with(self, key: str) -> ConfigLayer | None:
        """Find the layer that a key is from; None when it is missing."""
        there = (layer for layer in reversed(self.layers) if layer.raw.get(key) is not None)
        return next(there, None)

    def _layer_of(self, key: str) -> ConfigLayer | None:
        """Find the layer that a complaint is about; for the whole table the last."""
        return self._layer_with(key) or (self.layers[-1] if self.layers else None)

    def _wrong(self, key: str, expected: str) -> NoReturn:
        value = self._value(key)
        kind = _KINDS.get(type(value), f"a {type(value).__name__}")
        shown = "" if is_secret((*self.path, key)) else _shown(value)
        self.refuse(key, f"expected {expected}, got {kind}{shown}")


def _shown(value: Json) -> str:
    # Not of tables and lists, which may be long and hold keys; and Python refuses
    # to print very long numbers.
    if not isinstance(value, str | bool | float) and not (
        isinstance(value, int) and abs(value) < 2**64
    ):
        return ""
    text = repr(masked_text(value) if isinstance(value, str) else value)
    return f" ({text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '...'})"
