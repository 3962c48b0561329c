"""Where settings come from: layers, and the origin of a single setting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import attrs

from messages.value import Json

__all__ = ["ConfigLayer", "LayerKind", "Origin", "Setting"]


class LayerKind(Enum):
    """What kind of place a layer is from, lowest first."""

    SYSTEM = "system"
    USER = "user"
    PROJECT = "project"
    SESSION = "session"


@attrs.frozen(kw_only=True)
class Origin:
    """
    Which layer a setting is from.

    Attributes:
        source: How people know the place, such as the path of the file.
        profile: The profile in that file; None when the setting is outside of any.
    """

    kind: LayerKind
    source: str | None
    profile: str | None = None

    def __str__(self) -> str:
        place = self.source or self.kind.value
        return place if self.profile is None else f"{place} [profiles.{self.profile}]"


@attrs.frozen(kw_only=True)
class Setting:
    """
    One key with the value that counts.

    Attributes:
        path: The key, table by table.
        value: As it would be written into a file; None when nothing is set.  May be
            a secret, which is for the runtime only: see `masked`.
        origin: None for a default of the house.
    """

    path: tuple[str, ...]
    value: Json = attrs.field(repr=False)
    origin: Origin | None

    @property
    def key(self) -> str:
        """The key with dots."""
        return ".".join(self.path)


@attrs.frozen(kw_only=True)
class ConfigLayer:
    """
    Settings from one place, such as a file or a command line.

    Attributes:
        raw: Keys and values, in tables as deep as you like; null is as good as missing.
            May hold secrets.
        source: How complaints call the place; None says nothing of it.
        folder: Where relative paths in it begin.
        strict: Whether keys that no reader knows are mistakes.
        profile: The profile of which *raw* is the table; None for a whole file.
    """

    raw: Mapping[str, Json] = attrs.field(repr=False)
    source: str | None
    folder: Path
    strict: bool = False
    kind: LayerKind = LayerKind.SESSION
    profile: str | None = None

    @property
    def origin(self) -> Origin:
        """The origin of its settings."""
        return Origin(kind=self.kind, source=self.source, profile=self.profile)

    @property
    def version(self) -> str:
        """
        What changes with its settings, but not with comments or the order of keys.

        Source:
            Codex, ``version_for_toml``; the texts are the same.
        """
        written = json.dumps(
            self.raw, sort_keys=True, default=str, separators=(",", ":"), ensure_ascii=False
        )
        return f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"

    def place(self, key: str) -> str:
        """Return where a key is in the file; empty for all of it."""
        if self.profile is None:
            return key
        return f"profiles.{self.profile}.{key}".removesuffix(".")
