"""Where a user's threads, skills and settings are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .errors import ConfigError

__all__ = ["resolve_home"]

_VARIABLES: Final = ("TREADLE_HOME", "CODEX_HOME")


def resolve_home(environ: Mapping[str, str]) -> Path:
    """
    Find the home folder: ``TREADLE_HOME``, else ``CODEX_HOME``, else ``~/.treadle``.

    An empty variable counts as missing.  The folder need not exist; it is made
    when something is first written into it.  A relative one is taken from the
    working directory.

    Args:
        environ: The environment of the process.

    Returns:
        An absolute path.

    Raises:
        ConfigError: It is there but is no folder, or not one we may read; or
            nothing says where it could be.
    """
    for variable in _VARIABLES:
        if named := environ.get(variable):
            return _checked(Path(named).absolute(), variable)
    user_home = Path(environ.get("HOME", ""))
    if not user_home.is_absolute():
        raise ConfigError(None, "HOME", "names no folder; set TREADLE_HOME to one")
    return _checked(user_home / ".treadle", "")


def _checked(home: Path, variable: str) -> Path:
    try:
        there, folder = home.exists(), home.is_dir()
    except OSError as exc:
        raise ConfigError(
            str(home), variable, f"the home cannot be used: {exc.strerror or exc}"
        ) from exc
    if there and not folder:
        raise ConfigError(str(home), variable, "the home is no folder; name another one")
    if folder and not os.access(home, os.R_OK | os.X_OK):
        raise ConfigError(str(home), variable, "the home cannot be read; change its permissions")
    return home
