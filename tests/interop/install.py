"""Install the Codex binary the interop tests drive: ``python -m tests.interop.install``."""

from __future__ import annotations

import subprocess
import sys

from tests.interop.codex_binary import NpmMissingError, install_codex, install_folder

__all__ = ["main"]


def main() -> int:
    """Install Codex and print where it is; 1, with the reason on stderr, when that fails."""
    try:
        executable = install_codex(install_folder())
    except (NpmMissingError, FileNotFoundError, subprocess.CalledProcessError) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    sys.stdout.write(f"{executable}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
