"""Runs commands in real sandboxes, as whoever may build them."""

import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import attrs

from actors.safety import Bubblewrap, confine, find_bubblewrap, probe_argv
from messages.settings import SandboxPolicy

__all__ = ["NOBODY", "Sandbox", "why_not"]

NOBODY = 65534
"""An ordinary user, to be where the tests run as root."""

_PATH = "/usr/local/bin:/usr/bin:/bin"


@cache
def why_not() -> str | None:
    """Say why no sandbox works here."""
    program = find_bubblewrap(_PATH)
    if program is None:
        return "bubblewrap is not installed"
    run = subprocess.run(probe_argv(program), capture_output=True, text=True, check=False)
    return f"bubblewrap builds no sandbox: {run.stderr.strip()}" if run.returncode else None


@attrs.frozen(kw_only=True)
class Sandbox:
    """What the commands of one test have in common."""

    policy: SandboxPolicy
    cwd: Path
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str])
    user: int | None = None

    def argv(self, command: str | Sequence[str], workdir: Path | None = None) -> tuple[str, ...]:
        """Build the command line; a text is a script."""
        program = find_bubblewrap(_PATH)
        assert program is not None
        return confine(
            ["sh", "-c", command] if isinstance(command, str) else command,
            Bubblewrap(program),
            policy=self.policy,
            cwd=str(self.cwd),
            workdir=str(workdir or self.cwd),
            environ=self.environ,
        )

    def run(
        self, command: str | Sequence[str], workdir: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.argv(command, workdir),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": _PATH, **self.environ},
            stdin=subprocess.DEVNULL,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            timeout=30,
        )

    def can(self, script: str) -> bool:
        """Whether a script ends well."""
        return self.run(script).returncode == 0
