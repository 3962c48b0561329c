"""What commands find around them: variables and the user's shell."""

import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from messages.ids import ThreadId

__all__ = ["choose_shell", "command_environment"]

_SHELLS: Final = ("bash", "zsh", "sh")


def command_environment(environ: Mapping[str, str], thread_id: ThreadId) -> dict[str, str]:
    """
    Build the variables of a command: all of ours, and the thread's id.

    Source:
        Codex, ``exec_env.rs``, its default.  ``CODEX_SANDBOX_NETWORK_DISABLED`` is not set,
        because nothing here disables the network.
    """
    return {**environ, "CODEX_THREAD_ID": thread_id}


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
