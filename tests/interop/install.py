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

    What fails keeps nothing else from being installed.

    Returns:
        1, with the reasons on stderr, when any of that fails.
    """
    code = 0
    for install in (install_codex, install_sdk, install_schemas):
        try:
            sys.stdout.write(f"{install(install_folder())}\n")
        except NpmMissingError as failed:
            sys.stderr.write(f"{failed}\n")
            return 1
        except (OSError, subprocess.CalledProcessError) as failed:
            sys.stderr.write(f"{failed}\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
