"""Reading a config.toml of some words."""

from __future__ import annotations

from pathlib import Path

from actors.config import Config, ConfigLayer, load_config


def read(home: Path, overrides: ConfigLayer | None = None) -> Config:
    return load_config(home, cwd="/", overrides=overrides, system=None)


def loaded(home: Path, text: str) -> Config:
    (home / "config.toml").write_text(text, encoding="utf-8")
    return read(home)
