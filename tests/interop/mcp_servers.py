"""Where MCP servers from npm are, and how they get there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.codex_binary import NPM_FLAGS, NpmMissingError, install_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EVERYTHING_VERSION", "everything_server", "install_mcp_servers", "why_no_mcp_servers"]

EVERYTHING_PACKAGE = "@modelcontextprotocol/server-everything"
EVERYTHING_VERSION = "2026.8.31"


def everything_server(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Look for the script of the reference server, of just this version; never install it."""
    return _installed(install_folder(environ) / "mcp")


def why_no_mcp_servers(environ: Mapping[str, str] = os.environ) -> str:
    """Say, for a skipped test, what is missing and how to get it."""
    folder = str(install_folder(environ) / "mcp")
    missing = f"{EVERYTHING_PACKAGE} {EVERYTHING_VERSION} is not installed in {folder!r}"
    return f"{missing}; run python -m tests.interop.install_mcp"


def install_mcp_servers(folder: Path) -> Path:
    """
    Let npm install the reference server below *folder*, and return its script.

    Does nothing when the right version is there already.

    Raises:
        NpmMissingError: There is no npm.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
        FileNotFoundError: npm succeeded, but the script is not where it should be.
    """
    place = folder / "mcp"
    if (installed := _installed(place)) is not None:
        return installed
    npm = shutil.which("npm")
    if npm is None:
        raise NpmMissingError
    place.mkdir(parents=True, exist_ok=True)
    package = f"{EVERYTHING_PACKAGE}@{EVERYTHING_VERSION}"
    command = (npm, "install", *NPM_FLAGS, "--prefix", str(place), package)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    if (installed := _installed(place)) is None:
        raise FileNotFoundError(None, f"no script of {EVERYTHING_PACKAGE}", str(place))
    return installed


def _installed(place: Path) -> Path | None:
    package = place / "node_modules" / EVERYTHING_PACKAGE
    try:
        described: object = json.loads((package / "package.json").read_bytes())
    except (OSError, ValueError):
        return None
    script = package / "dist" / "index.js"
    match described:
        case {"version": str(version)} if version == EVERYTHING_VERSION and script.is_file():
            return script if shutil.which("node") else None
        case _:
            return None
