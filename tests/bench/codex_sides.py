"""Codex and Treadle as the bench runs them: the same home, client and model for both."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.interop.codex_home import write_config
from tests.interop.process_tree import HeldProcesses, below

from .codex_client import Client, ServerGone, Silent

__all__ = ["Server", "Side", "input_of", "sides"]

_ROOT: Final = Path(__file__).parents[2]
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KB: Final = 1024
_EXIT_PATIENCE: Final = 20.0
_LAST_WORDS: Final = 4000
_HOME_VARIABLES: Final = ("HOME", "CODEX_HOME")


def input_of(text: str) -> list[dict[str, object]]:
    """Make the member ``input`` of a turn."""
    return [{"type": "text", "text": text, "text_elements": []}]


@attrs.define(eq=False)
class Server:
    """
    A running, initialized app-server.

    Attributes:
        client: The one client it has.
        process: It.
        started_in: Seconds from its start to the answer of ``initialize``.
        project: The folder of its threads.
    """

    client: Client
    process: subprocess.Popen[bytes]
    started_in: float
    project: Path

    def start_thread(self, **params: object) -> str:
        """Start a thread and return its id."""
        params = {"cwd": str(self.project), **params}
        thread_id: str = self.client.request("thread/start", params)["thread"]["id"]
        return thread_id

    def start_turn(self, thread_id: str, word: str = "text") -> int:
        """Start a turn in which the model answers *word*; return the id of the request."""
        params = {"threadId": thread_id, "input": input_of(f"bench:{word}")}
        return self.client.send("turn/start", params)

    def run_turn(self, thread_id: str, word: str = "text") -> float:
        """Run a turn to its end, and return how long it took."""
        began = time.perf_counter()
        number = self.start_turn(thread_id, word)
        turn = self.client.wait("turn/completed")["turn"]
        taken = time.perf_counter() - began
        self.client.drop(number)
        assert turn["status"] == "completed", turn
        return taken

    def cpu(self) -> float:
        """Return the seconds of CPU time that it and its children took so far."""
        return sum(_cpu(pid) for pid in self._tree())

    def memory(self, kind: str = "Rss") -> float:
        """Return the resident kilobytes of it and its children."""
        return sum(_memory(pid, kind) for pid in self._tree())

    def children(self, named: str) -> int:
        """Count the processes below it that have *named* in their command line."""
        return sum(named in _command_line(pid) for pid in below(self.process.pid))

    def close(self) -> float:
        """Say goodbye as a client does, and return how long it took to end."""
        began = time.perf_counter()
        assert self.process.stdin is not None
        self.process.stdin.close()
        while True:
            try:
                self.client.receive()
            except ServerGone:
                break
        self.process.wait(_EXIT_PATIENCE)
        return time.perf_counter() - began

    def kill(self) -> None:
        """Kill it at once; what it has started is left to itself."""
        self.process.kill()
        self.process.wait()

    def _tree(self) -> list[int]:
        return [self.process.pid, *below(self.process.pid)]


@attrs.define(eq=False)
class Side:
    """
    One of the two.

    Attributes:
        name: ``codex`` or ``treadle``.
        program: How it is started; what it is to do is put behind it.
        home: Its own folder for the length of the bench.
        base_url: Of the model.
    """

    name: str
    program: tuple[str, ...]
    home: Path
    base_url: str

    @property
    def project(self) -> Path:
        """A folder without anything, and not in a repository."""
        return self.home / "project"

    def configure(self, *, snapshot: bool = False, tables: str = "") -> None:
        """
        Write the configuration.

        Args:
            snapshot: Whether Codex takes a snapshot of the shell for each thread, as it
                does by default.
            tables: Further TOML.
        """
        self.project.mkdir(parents=True, exist_ok=True)
        path = write_config(self.home, self.base_url, extra_tables=tables)
        if snapshot:
            text = path.read_text().replace("shell_snapshot = false", "shell_snapshot = true")
            path.write_text(text)

    def environ(self) -> Mapping[str, str]:
        """What it is started with, and nothing of the user's."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(_ROOT),
            **dict.fromkeys(_HOME_VARIABLES, str(self.home)),
        }

    @contextmanager
    def serve(self, opted_out: Sequence[str] = ()) -> Generator[Server]:
        """
        Run its app-server; what is left of it at the end of the block is killed.

        Args:
            opted_out: What the client does not want to hear.
        """
        log = self.home / "stderr"
        began = time.perf_counter()
        with (
            log.open("wb") as stderr,
            subprocess.Popen(
                [*self.program, "app-server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.project,
                env=self.environ(),
            ) as process,
        ):
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                client = Client(process.stdin, process.stdout)
                client.initialize(opted_out)
                yield Server(client, process, time.perf_counter() - began, self.project)
            except (ServerGone, Silent) as problem:
                problem.add_note(f"{self.name} said: {log.read_text()[-_LAST_WORDS:]}")
                raise
            finally:
                tree = HeldProcesses(below(process.pid))
                process.kill()
                tree.kill()

    def run(self, *arguments: str) -> float:
        """Run a command of it to its end, and return how long it took."""
        began = time.perf_counter()
        subprocess.run(
            [*self.program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.project,
            env=self.environ(),
        )
        return time.perf_counter() - began

    def written(self) -> int:
        """Count the bytes of all rollouts."""
        return sum(path.stat().st_size for path in self.home.rglob("rollout-*.jsonl"))

    def forget(self) -> None:
        """Remove all threads and what was noted of them."""
        for folder in ("sessions", "archived_sessions"):
            shutil.rmtree(self.home / folder, ignore_errors=True)


def sides(codex: Path, folder: Path, base_url: str) -> tuple[Side, Side]:
    """Make both, Codex first, each with a home below *folder*."""
    ours = (sys.executable, "-m", "actors.cli")
    made = (
        Side("codex", (str(codex),), folder / "codex", base_url),
        Side("treadle", ours, folder / "treadle", base_url),
    )
    for side in made:
        side.configure()
    return made


def _cpu(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0  # gone; its parent has its time
    # From the state on; of what it and its dead children took in both modes.
    fields: list[Any] = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _memory(pid: int, kind: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # gone
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # gone
