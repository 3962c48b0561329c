"""Where the published TypeScript SDK of Codex is, and how it gets there."""

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

__all__ = ["SDK_PACKAGE", "SDK_VERSION", "install_sdk", "sdk_module", "why_no_sdk"]

SDK_PACKAGE = "@openai/codex-sdk"
SDK_VERSION = "0.163.0"


def sdk_module(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Look for the SDK's module, of just this version, and for Node; never install them."""
    return _installed(_place(install_folder(environ)), environ.get("PATH"))


def why_no_sdk(environ: Mapping[str, str] = os.environ) -> str:
    """Say, for a skipped test, what is missing and how to get it."""
    if shutil.which("node", path=environ.get("PATH")) is None:
        return f"node is not on the PATH; install Node.js to run {SDK_PACKAGE}"
    folder = str(_place(install_folder(environ)))
    missing = f"{SDK_PACKAGE} {SDK_VERSION} is not installed in {folder!r}"
    return f"{missing}; run python -m tests.interop.install"


def install_sdk(folder: Path) -> Path:
    """
    Let npm install the SDK below *folder*, and return its module.

    Does nothing when the right version is there already.

    Raises:
        NpmMissingError: There is no npm.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
        FileNotFoundError: npm succeeded, but the module is not where it should be.
    """
    place = _place(folder)
    if (installed := _installed(place, os.environ.get("PATH"))) is not None:
        return installed
    npm = shutil.which("npm")
    if npm is None:
        raise NpmMissingError
    place.mkdir(parents=True, exist_ok=True)
    # Without what is optional: the binary of its own Codex, which nobody runs here.
    flags = (*NPM_FLAGS, "--omit=optional")
    command = (npm, "install", *flags, "--prefix", str(place), f"{SDK_PACKAGE}@{SDK_VERSION}")
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    if (installed := _installed(place, os.environ.get("PATH"))) is None:
        raise FileNotFoundError(None, f"no module of {SDK_PACKAGE}", str(place))
    return installed


def _place(folder: Path) -> Path:
    # A folder of its own, because npm removes from a folder what it has not put there.
    return folder / "sdk"


def _installed(place: Path, search_path: str | None) -> Path | None:
    package = place / "node_modules" / SDK_PACKAGE
    try:
        described: object = json.loads((package / "package.json").read_bytes())
    except (OSError, ValueError):
        return None
    module = package / "dist" / "index.js"
    match described:
        case {"version": str(version)} if version == SDK_VERSION and module.is_file():
            return module if shutil.which("node", path=search_path) else None
        case _:
            return None
