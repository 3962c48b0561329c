"""Running the command in tests: inside this process, or as one of its own."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final

import attrs
import pytest

from actors.cli import main

ROOT: Final = Path(__file__).resolve().parents[2]

TALK: Final = """
name = "talk"
[[reply]]
when = { user = "fail" }
[[reply.steps]]
error = "invalid_request"
message = "no such thing"
[[reply]]
when = { user = "forever" }
[[reply.steps]]
say = "I wait."
[[reply.steps]]
stall = "forever"
[[reply]]
when = { user = "sleep" }
[[reply.steps]]
call = "shell"
arguments = { command = ["sh", "-c", "echo $$ > pid; exec sleep 1000"] }
[[reply]]
when = { user = "much" }
pace = 0.001
delta_chars = 100
[[reply.steps]]
say = '''
MUCH'''
[[reply]]
times = "always"
when = { last = "user" }
[[reply.steps]]
think = "Easy."
[[reply.steps]]
say = "You said {user}."
""".replace("MUCH", "much more to say\n" * 5000)
"""What the model plays: it fails, waits, runs a command or writes much, if it is asked to."""


@attrs.frozen
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


@attrs.define
class Bench:
    """A home, a working directory and a scenario for commands."""

    home: Path
    cwd: Path
    scenario: Path
    _capture: pytest.CaptureFixture[str]

    def run(self, *words: str, stdin: bytes | int = b"") -> Ran:
        """Run a command in this process, with bytes or a file on standard input."""
        self._capture.readouterr()
        with standard_input(stdin):
            code = main(words)
        captured = self._capture.readouterr()
        return Ran(code, captured.out, captured.err)

    def talk(self, *words: str) -> Ran:
        """Run ``exec`` with the scenario."""
        return self.run("exec", *words, "--scenario", str(self.scenario))

    def rollouts(self) -> list[Path]:
        """All rollouts, oldest first."""
        return sorted(self.home.glob("sessions/*/*/*/*.jsonl"))

    def expect_sleep(self) -> None:
        """Make a pipe where the command that sleeps writes its process id."""
        os.mkfifo(self.cwd / "pid")

    def pid_of_sleep(self) -> int:
        """Wait until that command runs."""
        return int((self.cwd / "pid").read_text())

    @contextmanager
    def process(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        stdout: int = PIPE,
        stderr: int = PIPE,
    ) -> Iterator[Popen[bytes]]:
        """Run a command in a process of its own, which is killed at the end if it still runs."""
        process = Popen(
            [sys.executable, "-m", "actors.cli", *words],
            stdin=PIPE,
            stdout=stdout,
            stderr=stderr,
            cwd=self.cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def talking(self, prompt: str, *words: str) -> Sequence[str]:
        """The words of an ``exec`` with the scenario."""
        return ["exec", prompt, "--scenario", str(self.scenario), *words]


@contextmanager
def standard_input(data: bytes | int) -> Iterator[None]:
    """Put something on the standard input of this process; bytes as a pipe that ends."""
    before = os.dup(0)
    if isinstance(data, int):
        os.dup2(data, 0)
    else:
        reader, writer = os.pipe()
        os.dup2(reader, 0)
        os.close(reader)
        os.write(writer, data)  # less than a pipe holds
        os.close(writer)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
