"""Settings given with ``-c``, which go before those of the file."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias, cast

from actors.config import ConfigLayer
from messages.value import Json

from .errors import UsageError

__all__ = ["read_overrides", "toml_value"]

_Table: TypeAlias = dict[str, Json]

_SOURCE: Final = "--config"


def read_overrides(
    words: Sequence[str], sandbox: str | None = None, profile: str | None = None
) -> ConfigLayer:
    """
    Read the settings of ``-c``; the configuration checks what they say.

    Each is ``KEY=VALUE`` with a dotted key.  A value that is no TOML is taken as
    text, so that ``model=gpt-5`` needs no quotes in quotes.  Relative paths begin
    where the command runs.

    Args:
        words: As they were given, in order; a later one goes before an earlier one.
        sandbox: A ``sandbox_mode`` that goes before all of them.
        profile: A ``profile`` that goes before all of them.

    Raises:
        UsageError: One is not of that form.

    Source:
        Codex, ``CliConfigOverrides``; there keys that nothing reads are ignored.
    """
    raw: _Table = {}
    for word in words:
        _put(raw, word)
    if sandbox is not None:
        raw["sandbox_mode"] = sandbox
    if profile is not None:
        raw["profile"] = profile
    return ConfigLayer(raw=raw, source=_SOURCE, folder=Path.cwd(), strict=True)


def _put(raw: _Table, word: str) -> None:
    key, equals, value = word.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        shown = key if equals else word
        raise UsageError(f"--config {shown!r} is not of the form KEY=VALUE")
    table = raw
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            # Without the value, which may be a secret.
            raise UsageError(f"--config {key!r}: {part!r} was given a value of its own before")
        table = cast("_Table", inner)  # only this function puts tables in
    table[path[-1]] = toml_value(value)


def toml_value(text: str) -> Json:
    """Read a value as TOML; what is none is taken as text."""
    try:
        return cast("_Table", tomllib.loads(f"value = {text}"))["value"]
    except (ValueError, RecursionError):
        return text.strip()
