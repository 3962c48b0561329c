"""What the user configured about the model, its instructions and its tone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from actors.models import ModelOverrides
from messages.settings import Personality, ReasoningSummary

from .config_table import ConfigTable
from .plain_file import read_plain_file

__all__ = [
    "read_base_instructions",
    "read_compact_prompt",
    "read_model_overrides",
    "read_path",
    "read_personality",
    "read_summary",
    "resolved",
]

_LIMIT_BYTES: Final = 4 << 20
_FILE: Final = "model_instructions_file"
_COMPACT_FILE: Final = "experimental_compact_prompt_file"


def read_model_overrides(table: ConfigTable) -> ModelOverrides:
    """
    Read what the user knows better than the list of models.

    Raises:
        ConfigError: A value is of another kind.
    """
    return ModelOverrides(
        context_window=table.limit("model_context_window"),
        supports_reasoning_summaries=table.maybe_flag("model_supports_reasoning_summaries"),
    )


def read_summary(table: ConfigTable) -> ReasoningSummary:
    """
    Read ``model_reasoning_summary``.

    Raises:
        ConfigError: There is no such summary.
    """
    allowed = [summary.value for summary in ReasoningSummary]
    default = ReasoningSummary.AUTO.value
    return ReasoningSummary(table.choice("model_reasoning_summary", allowed, default))


def read_personality(table: ConfigTable) -> Personality | None:
    """
    Read ``personality``; None leaves the tone to the model.

    Raises:
        ConfigError: There is no such personality.
    """
    value = table.choice("personality", [personality.value for personality in Personality])
    return None if value is None else Personality(value)


def read_base_instructions(table: ConfigTable) -> str | None:
    """
    Read ``model_instructions_file``, or else ``instructions``; None for the model's own.

    Raises:
        ConfigError: The file is missing, empty or no text.
    """
    text = table.text("instructions")
    path = read_path(table, _FILE)
    return text if path is None else _text_of_file(table, _FILE, path)


def read_compact_prompt(table: ConfigTable) -> str | None:
    """
    Read ``compact_prompt``, or else its file; None for the house's own words.

    Raises:
        ConfigError: The file is missing, empty or no text.
    """
    text = table.text("compact_prompt")
    path = read_path(table, _COMPACT_FILE)
    if text is not None or path is None:
        return text
    return _text_of_file(table, _COMPACT_FILE, path)


def read_path(table: ConfigTable, key: str) -> Path | None:
    """
    Read a path; a relative one begins at the folder of the file.

    Raises:
        ConfigError: It cannot be one.
    """
    text = table.text(key)
    if text is None:
        return None
    path = resolved(table, key, text)
    table.note(key, str(path))
    return path


def resolved(table: ConfigTable, key: str, text: str) -> Path:
    """Take ``~`` for the user's home, and a relative path from the folder of the file."""
    if "\0" in text:
        table.refuse(key, "the path has a null character in it; take it out")
    try:
        return Path(os.path.normpath(table.folder(key) / Path(text).expanduser()))
    except RuntimeError as exc:  # "~somebody", and there is nobody of that name
        table.refuse(key, f"{text!r} names no folder: {exc}")


def _text_of_file(table: ConfigTable, key: str, path: Path) -> str:
    shown = repr(str(path))
    try:
        file = read_plain_file(path, _LIMIT_BYTES)
        # Of one that is too long, only that is told.
        text = file.data.decode(errors="strict" if file.is_whole else "replace")
    except OSError as exc:
        table.refuse(key, f"{shown} cannot be read: {exc.strerror or exc}")
    except UnicodeDecodeError as exc:
        table.refuse(key, f"{shown} is no UTF-8 text: {exc}")
    if not file.is_whole:
        table.refuse(key, f"{shown} is longer than {_LIMIT_BYTES >> 20} MiB")
    if not text.strip():
        table.refuse(key, f"{shown} is empty; write something or leave out the key")
    return text.strip()
