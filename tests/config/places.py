"""The places that a configuration may be in, made by tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.config import Config, ConfigLayer, load_config


@attrs.frozen
class Places:
    """A system's folder, a home, and a project with a folder in it; all apart."""

    top: Path

    @property
    def system(self) -> Path:
        return self.top / "etc" / "config.toml"

    @property
    def home(self) -> Path:
        return self.top / "home"

    @property
    def user(self) -> Path:
        return self.home / "config.toml"

    @property
    def project(self) -> Path:
        return self.top / "project"

    @property
    def sub(self) -> Path:
        return self.project / "sub"

    @property
    def trust(self) -> str:
        """What the user's file says to trust the project."""
        return f'[projects."{self.project}"]\ntrust_level = "trusted"\n'

    def make(self) -> Places:
        for folder in (self.system.parent, self.home, self.sub, self.project / ".git"):
            folder.mkdir(parents=True)
        return self

    def write(self, path: Path | str, text: str) -> Path:
        full = self.top / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")
        return full

    def load(self, raw: Mapping[str, Any] | None = None, *, profile: str | None = None) -> Config:
        """Load for the folder in the project, with settings of a session."""
        layer = ConfigLayer(raw=raw or {}, source="--config", folder=self.top)
        return load_config(
            self.home, cwd=self.sub, overrides=layer, profile=profile, system=self.system
        )


def toml(raw: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> str:
    """Write tables of scalars as TOML, a dotted key to a line."""
    lines = ""
    for key, value in raw.items():
        path = (*prefix, key)
        if isinstance(value, Mapping) and value:
            lines += toml(value, path)
        else:
            dotted = ".".join(json.dumps(part) for part in path)
            lines += f"{dotted} = {json.dumps(value)}\n"  # also right for an empty table
    return lines
