"""Keeping secrets of a configuration off the screen and out of complaints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast

from messages.value import Json

__all__ = ["MASK", "is_secret", "masked", "masked_text"]

MASK: Final = "********"
"""What is shown instead of a secret."""

_SECRET_TABLES: Final = frozenset({"env", "http_headers", "query_params"})
_SECRET_NAME: Final = re.compile(r"(?i)key|token|secret|passw|credential|authorization")
_NO_SECRETS: Final = re.compile(
    r"env_key|env_key_instructions|env_vars|\w+_(?:env_var|limit|store)"
)
"""Names of variables, words for people, numbers of tokens, and kinds of stores."""

# Where a text that is no secret as a whole holds one: in a URL, behind an option of
# a command, behind "Bearer", or known by the form that OpenAI gives its keys.
_PARTS: Final = (
    (re.compile(r"(?<=://)[^/@\s]+(?=@)"), MASK),
    (re.compile(r"(?<=[?&])([^=&#\s]+=)[^&#\s]+"), rf"\1{MASK}"),
    (
        re.compile(r"(?i)(--?[\w-]*(?:key|token|secret|passw|credential)[\w-]*[=:]\s*)\S+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer\s+)\S+"), rf"\1{MASK}"),
    (re.compile(r"\bsk-[\w-]{6,}"), MASK),
)
_OPTION: Final = re.compile(r"(?i)--?[\w-]*(?:key|token|secret|passw|credential)[\w-]*")


def is_secret(path: Sequence[str]) -> bool:
    """Whether a text under this key is a secret as a whole."""
    match tuple(path):
        case (*_, "shell_environment_policy", "set") | (*_, "shell_environment_policy", "set", _):
            return True
        case (*_, "model_providers" | "mcp_servers", _, table) | (
            *_,
            "model_providers" | "mcp_servers",
            _,
            table,
            _,
        ) if table in _SECRET_TABLES:
            return True
        case (*_, "env_http_headers", _):
            return False
        case (*_, name):
            return not _NO_SECRETS.fullmatch(name) and _SECRET_NAME.search(name) is not None
        case _:
            return False


def masked(path: Sequence[str], value: Json) -> Json:
    """
    Return a value as it may be shown to anybody.

    Args:
        path: The key, table by table.
        value: Of a `Setting`.
    """
    if isinstance(value, str):
        return MASK if is_secret(path) else masked_text(value)
    if isinstance(value, list | tuple):
        return _masked_list(path, cast("Sequence[Json]", value))  # members are values too
    return value


def masked_text(text: str) -> str:
    """Mask what looks like a secret within a text."""
    for pattern, replacement in _PARTS:
        text = pattern.sub(replacement, text)
    return text


def _masked_list(path: Sequence[str], values: Sequence[Json]) -> Json:
    shown: list[Json] = []
    for before, value in zip((None, *values), values, strict=False):
        # The value of an option may be a word of its own: "--token", "abc".
        follows = isinstance(before, str) and _OPTION.fullmatch(before) is not None
        shown.append(MASK if follows and isinstance(value, str) else masked(path, value))
    return shown
