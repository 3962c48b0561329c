"""What commands find around them: variables and the user's shell."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Final, Protocol, assert_never

from messages.tool_settings import EnvironmentPolicy, Inherit

__all__ = ["ThreadVariables", "choose_shell", "command_environment"]

_SHELLS: Final = ("bash", "zsh", "sh")

# fmt: off
_CORE: Final = frozenset({
    "HOME", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR", "USER", "USERNAME",
})
# fmt: on

_SECRETS: Final = ("*KEY*", "*SECRET*", "*TOKEN*")

_THREAD: Final = "CODEX_THREAD_ID"

_WILD: Final = {"*": ".*", "?": "."}


class ThreadVariables(Protocol):
    """What a command's variables depend on of a thread; a `ToolContext` is one."""

    @property
    def thread_id(self) -> str:
        """The thread."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """What the user gave for this session."""
        ...


def command_environment(
    environ: Mapping[str, str], policy: EnvironmentPolicy, thread: ThreadVariables | None
) -> dict[str, str]:
    """
    Build the variables of a command: of ours those that the policy lets through, and its own.

    Args:
        environ: Ours.
        thread: Whose command it is; None for nobody's.

    Returns:
        Also what the user gave for this session, and the thread's id, whatever the policy says.

    Source:
        Codex, ``exec_env.rs``.
    """
    found = _inherited(environ, policy.inherit)
    if not policy.ignore_default_excludes:
        found = _without(found, _SECRETS)
    found = _without(found, policy.exclude)
    found.update(policy.set)
    if policy.include_only:
        fits = _any_of(policy.include_only)
        found = {name: value for name, value in found.items() if fits.fullmatch(name)}
    if thread is None:
        return found
    return {**found, **thread.variables, _THREAD: thread.thread_id}


def choose_shell(environ: Mapping[str, str]) -> str:
    """
    Choose the shell that runs scripts: the user's own if we know how it is called.

    Looks at the file system for a moment; call it once, not for each command.

    Returns:
        ``SHELL`` when that is bash, zsh or sh, else the first of these that exists in
        ``/bin``, else ``/bin/sh``.
    """
    own = environ.get("SHELL", "")
    if PurePath(own).is_absolute() and PurePath(own).name in _SHELLS and os.access(own, os.X_OK):
        return own
    candidates = ("/bin/bash", "/bin/sh")
    return next((shell for shell in candidates if os.access(shell, os.X_OK)), "/bin/sh")


def _inherited(environ: Mapping[str, str], inherit: Inherit) -> dict[str, str]:
    match inherit:
        case Inherit.ALL:
            return dict(environ)
        case Inherit.CORE:
            return {name: value for name, value in environ.items() if name in _CORE}
        case Inherit.NONE:
            return {}
        case _:
            assert_never(inherit)


def _without(environ: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    unwanted = _any_of(patterns)
    return {name: value for name, value in environ.items() if not unwanted.fullmatch(name)}


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Make one expression of globs; of none, one that fits no name."""
    alternatives = [
        "".join(_WILD.get(letter) or re.escape(letter) for letter in pattern)
        for pattern in patterns
    ]
    return re.compile("|".join(alternatives) or r"(?!)", re.IGNORECASE | re.DOTALL)
