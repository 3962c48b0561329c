"""Telling the user of keys that nothing reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final, cast

import attrs

from messages.value import Json

from .codex_keys import is_left_to_codex
from .config_layer import ConfigLayer, LayerKind
from .config_table import ConfigTable, UnreadKey
from .errors import ConfigError

__all__ = ["misplaced_keys", "unknown_keys", "without_misplaced"]

_SHOWN: Final = 10
"""Keys of one place that are told one by one."""

_LISTED: Final = 20
"""More known keys than these are not listed in a line."""

_NOT_HERE: Final = {
    LayerKind.SYSTEM: ("projects", "skills"),
    LayerKind.USER: (),
    LayerKind.PROJECT: ("projects", "skills", "project_root_markers"),
    LayerKind.SESSION: ("projects",),
}
"""Keys that count only in layers of other kinds: a project does not vouch for itself."""

_NOT_IN_PROFILES: Final = ("profile", "profiles", "projects", "skills", "project_root_markers")


def unknown_keys(table: ConfigTable, base: Sequence[ConfigLayer]) -> tuple[str, ...]:
    """
    Describe the keys that no reader asked for, a line for each.

    Args:
        table: The whole configuration, after everything was read.
        base: All layers but those of profiles, as they are.

    Raises:
        ConfigError: One is in a strict layer.
    """
    lines: dict[str, None] = {}
    for source, keys in _by_source([*table.unread(), *_unread_profiles(table, base)]):
        told = [line for key in keys if (line := _line(key)) is not None]
        lines.update(dict.fromkeys(told[:_SHOWN]))
        if len(told) > _SHOWN:
            lines[f"{source}: {len(told) - _SHOWN} more keys that nothing reads"] = None
    return tuple(lines)


def misplaced_keys(layer: ConfigLayer) -> tuple[str, ...]:
    """
    Describe the keys that do not count in a layer of this kind, a line for each.

    Raises:
        ConfigError: The layer is strict.
    """
    return tuple(_misplaced(layer, key) for key in _not_here(layer) if key in layer.raw)


def without_misplaced(layer: ConfigLayer) -> ConfigLayer:
    """Leave out the keys that `misplaced_keys` tells of."""
    raw = {key: value for key, value in layer.raw.items() if key not in _not_here(layer)}
    return attrs.evolve(layer, raw=raw)


def _not_here(layer: ConfigLayer) -> tuple[str, ...]:
    return _NOT_HERE[layer.kind] if layer.profile is None else _NOT_IN_PROFILES


def _misplaced(layer: ConfigLayer, key: str) -> str:
    place = "in a profile" if layer.profile is not None else f"in {_WORDS[layer.kind]}"
    problem = f"does not count {place}; write it into config.toml of the home"
    if layer.strict:
        raise ConfigError(layer.source, layer.place(key), problem)
    return str(ConfigError(layer.source, layer.place(key), problem))


_WORDS: Final = {
    LayerKind.SYSTEM: "the system's file",
    LayerKind.USER: "the user's file",
    LayerKind.PROJECT: "a project's file",
    LayerKind.SESSION: "settings of a session",
}


def _by_source(keys: Iterable[UnreadKey]) -> Iterator[tuple[str | None, list[UnreadKey]]]:
    found: dict[str | None, list[UnreadKey]] = {}
    for key in keys:
        found.setdefault(key.layer.source, []).append(key)
    yield from found.items()


def _unread_profiles(table: ConfigTable, base: Sequence[ConfigLayer]) -> Iterator[UnreadKey]:
    """List what the profiles hold that were not chosen; only their first level is looked at."""
    chosen = {layer.profile for layer in table.layers}
    known = table.known()
    for layer in base:
        profiles = layer.raw.get("profiles")
        for name, raw in _tables(profiles):
            if name in chosen:
                continue
            inner = attrs.evolve(layer, raw=raw, profile=name)
            for key, value in raw.items():
                if key not in known:
                    yield UnreadKey(layer=inner, path=(key,), value=value, known=known)


def _tables(value: Json) -> Iterator[tuple[str, dict[str, Json]]]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Json]", value).items():  # keys of TOML are strings
            if isinstance(inner, dict):
                yield name, cast("dict[str, Json]", inner)


def _line(key: UnreadKey) -> str | None:
    place = key.layer.place(".".join(key.path))
    if key.layer.strict:
        raise ConfigError(key.layer.source, place, f"this version does not read it; {_hint(key)}")
    if is_left_to_codex(key.path, key.value):
        return None
    return str(ConfigError(key.layer.source, place, f"nothing reads this key; {_hint(key)}"))


def _hint(key: UnreadKey) -> str:
    close = get_close_matches(key.path[-1], key.known, n=1, cutoff=0.75)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(key.known) > _LISTED:
        return "'treadle config' lists the keys that count"
    return f"known here: {', '.join(key.known)}" if key.known else "no key is known here"
