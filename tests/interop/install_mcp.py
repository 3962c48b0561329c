"""Install the MCP servers the tests talk to: ``python -m tests.interop.install_mcp``."""

from __future__ import annotations

import subprocess
import sys

from tests.interop.codex_binary import NpmMissingError, install_folder
from tests.interop.mcp_servers import install_mcp_servers

__all__ = ["main"]


def main() -> int:
    """Install and print where it is; 1, with the reason on stderr, when that fails."""
    try:
        script = install_mcp_servers(install_folder())
    except (NpmMissingError, FileNotFoundError, subprocess.CalledProcessError) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    sys.stdout.write(f"{script}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
