"""Install what the interop tests drive and run: ``python -m tests.interop.install``."""

from __future__ import annotations

import subprocess
import sys

from tests.interop.codex_binary import NpmMissingError, install_codex, install_folder
from tests.interop.schemas import install_schemas
from tests.interop.sdk.package import install_sdk

__all__ = ["main"]


def main() -> int:
    """
    Install Codex, its TypeScript SDK and the newest schemas, and print where they are.

    Returns:
        1, with the reason on stderr, when that fails.
    """
    try:
        for install in (install_codex, install_sdk, install_schemas):
            sys.stdout.write(f"{install(install_folder())}\n")
    except (NpmMissingError, FileNotFoundError, subprocess.CalledProcessError) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
