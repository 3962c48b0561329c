"""Where the real Codex binary is, and how it gets there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CODEX_PACKAGE",
    "CODEX_VARIABLE",
    "CODEX_VERSION",
    "FOLDER_VARIABLE",
    "NPM_FLAGS",
    "NpmMissingError",
    "codex_executable",
    "install_codex",
    "install_folder",
    "why_no_codex",
]

CODEX_PACKAGE = "@openai/codex"
CODEX_VERSION = "0.104.0"
CODEX_VARIABLE = "TREADLE_CODEX"
FOLDER_VARIABLE = "TREADLE_INTEROP_DIR"

# Without a network it fails after ten seconds, not after seventy.
NPM_FLAGS = ("--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")

_REPOSITORY = Path(__file__).resolve().parents[2]
# npm puts the package of the platform beside the launcher, or inside it when a
# sibling claims the place.  The launcher itself is a Node script; we start what
# it would start, so that tests need no Node and signals reach the right process.
_NATIVE_PATTERNS = (
    "node_modules/@openai/codex-*/vendor/*/codex/codex",
    "node_modules/@openai/codex/node_modules/@openai/codex-*/vendor/*/codex/codex",
)


class NpmMissingError(RuntimeError):
    """`install_codex` found no npm on the PATH; nothing was installed."""

    def __str__(self) -> str:
        return "npm is not on the PATH; install Node.js to fetch the Codex binary"


def install_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder npm installs into: ``TREADLE_INTEROP_DIR``, or ``.interop`` in the repository."""
    named = environ.get(FOLDER_VARIABLE)
    return Path(named) if named else _REPOSITORY / ".interop"


def codex_executable(environ: Mapping[str, str] = os.environ) -> Path | None:
    """
    Look for the Codex binary; never install it.

    ``TREADLE_CODEX`` comes first and is taken as it is, whatever its version.
    Otherwise only `CODEX_VERSION` in the `install_folder` counts.

    Returns:
        The native executable, or None when it is not installed.

    Raises:
        FileNotFoundError: ``TREADLE_CODEX`` names something that is no file.
            Skipping the tests would hide the mistake.
    """
    named = environ.get(CODEX_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise FileNotFoundError(None, f"{CODEX_VARIABLE} names no file", named)
        return Path(named)
    return _installed_executable(install_folder(environ))


def why_no_codex(environ: Mapping[str, str] = os.environ) -> str:
    """Say, for a skipped test, what is missing and how to get it."""
    missing = f"Codex {CODEX_VERSION} is not installed in {str(install_folder(environ))!r}"
    if shutil.which("npm", path=environ.get("PATH")) is None:
        return f"{missing} and npm is not on the PATH; set {CODEX_VARIABLE} to a binary"
    return f"{missing}; run python -m tests.interop.install"


def install_codex(folder: Path) -> Path:
    """
    Let npm install Codex into *folder*, and return the native executable.

    Does nothing when the right version is there already.

    Raises:
        NpmMissingError: There is no npm.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
        FileNotFoundError: npm succeeded, but the package has no binary for this platform.
    """
    if (installed := _installed_executable(folder)) is not None:
        return installed
    npm = shutil.which("npm")
    if npm is None:
        raise NpmMissingError
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        npm,
        "install",
        *NPM_FLAGS,
        "--prefix",
        str(folder),
        f"{CODEX_PACKAGE}@{CODEX_VERSION}",
    )
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    if (installed := _installed_executable(folder)) is None:
        raise FileNotFoundError(None, f"no {CODEX_PACKAGE} binary for this platform", str(folder))
    return installed


def _installed_executable(folder: Path) -> Path | None:
    for pattern in _NATIVE_PATTERNS:
        for executable in sorted(folder.glob(pattern)):
            package = executable.parents[3] / "package.json"
            if os.access(executable, os.X_OK) and _version_of(package) == CODEX_VERSION:
                return executable
    return None


def _version_of(package: Path) -> str | None:
    """The version without its platform: ``0.104.0`` for ``0.104.0-linux-x64``."""
    try:
        described: object = json.loads(package.read_bytes())
    except (OSError, ValueError):
        return None
    match described:
        case {"version": str(version)}:
            return version.partition("-")[0]
        case _:
            return None
