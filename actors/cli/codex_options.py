"""
What options, keys and variables of Codex mean here.

Whoever drives Codex can drive us with the same words.  What means nothing here is
not refused, but told: a program passes it always, whatever it asks.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from actors.config.codex_keys import is_left_to_codex
from messages.settings import ReadOnly, SandboxPolicy, WorkspaceWrite

from .errors import UsageError
from .options import ExecOptions, SettingsOptions
from .overrides import toml_value
from .screen import Color

__all__ = [
    "chosen_sandbox",
    "feature_words",
    "find_originator",
    "option_notes",
    "read_color",
    "set_apart",
    "with_roots",
]

_ORIGINATOR: Final = "CODEX_INTERNAL_ORIGINATOR_OVERRIDE"
_OWN_ORIGINATOR: Final = "treadle_exec"


def find_originator(environ: Mapping[str, str]) -> str:
    """
    Find out which program is behind the turn; the model's service is told.

    Raises:
        UsageError: The variable holds what no header can.
    """
    name = environ.get(_ORIGINATOR, "").strip()
    if not (name.isascii() and name.isprintable()):
        raise UsageError(f"{_ORIGINATOR} is no name of a program: expected ASCII, got {name!r}")
    return name or _OWN_ORIGINATOR


def chosen_sandbox(options: ExecOptions) -> str | None:
    """
    Tell which sandbox the options choose, unchecked; None for what is configured.

    Raises:
        UsageError: They choose several.

    Source:
        Codex, where ``--full-auto`` goes before ``--sandbox`` without a word.
    """
    given = {
        "--sandbox": options.sandbox,
        "--full-auto": "workspace-write" if options.full_auto else None,
        "--dangerously-bypass-approvals-and-sandbox": (
            "danger-full-access" if options.bypass else None
        ),
    }
    chosen = {option: mode for option, mode in given.items() if mode is not None}
    if len(set(chosen.values())) > 1:
        raise UsageError(f"{' and '.join(chosen)} choose different sandboxes; leave out one")
    return next(iter(chosen.values()), None)


def with_roots(policy: SandboxPolicy, folders: Sequence[str], cwd: str) -> SandboxPolicy:
    """Let a turn write into more folders, if it may write into some; relative to *cwd*."""
    if not folders or not isinstance(policy, WorkspaceWrite):
        return policy
    roots = (os.path.normpath(Path(cwd) / folder) for folder in folders)
    return attrs.evolve(
        policy, writable_roots=tuple(dict.fromkeys((*policy.writable_roots, *roots)))
    )


def feature_words(options: SettingsOptions) -> tuple[str, ...]:
    """Say ``--enable`` and ``--disable`` in the words of ``--config``."""
    return (
        *(f"features.{name}=true" for name in options.enable),
        *(f"features.{name}=false" for name in options.disable),
    )


def set_apart(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Set the words of ``--config`` apart that only Codex reads.

    Returns:
        The others, and a line for each that would change something in Codex.
    """
    ours: list[str] = []
    notes: dict[str, None] = {}
    for word in words:
        key, _, text = word.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not _is_for_codex(path, text):
            ours.append(word)
        elif not _is_so_already(path, text):
            notes[f"--config {'.'.join(path)}: Codex reads this key, and Treadle does not"] = None
    return tuple(ours), tuple(notes)


def _is_for_codex(path: tuple[str, ...], text: str) -> bool:
    if is_left_to_codex(path, toml_value(text)):
        return True
    # A table that Codex reads as a whole, such as "tools".
    return any(is_left_to_codex(path[:length], {}) for length in range(1, len(path)))


def _is_so_already(path: tuple[str, ...], text: str) -> bool:
    """Whether something is switched off that we do not have."""
    is_feature = path[:1] == ("features",) and toml_value(text) is False
    return is_feature or (path == ("web_search",) and toml_value(text) == "disabled")


def option_notes(options: ExecOptions, policy: SandboxPolicy) -> tuple[str, ...]:
    """Say which options mean nothing, a line for each."""
    return tuple(_option_notes(options, policy))


def _option_notes(options: ExecOptions, policy: SandboxPolicy) -> Iterator[str]:
    if options.add_dir and isinstance(policy, ReadOnly):
        yield "--add-dir: nothing may be written; it needs --sandbox workspace-write"
    if options.thread_source is not None:
        yield f"--thread-source {options.thread_source!r} is not kept: it is for Codex"
    if options.cyber_access_program is not None:
        program = options.cyber_access_program
        yield f"--cyber-access-program {program!r} is not sent: it is for Codex"


def read_color(word: str | None) -> Color:
    """
    Read ``--color``.

    Raises:
        UsageError: There is no such choice.
    """
    try:
        return Color.AUTO if word is None else Color(word)
    except ValueError as exc:
        allowed = ", ".join(color.value for color in Color)
        raise UsageError(f"no --color {word!r}; choose from: {allowed}") from exc
