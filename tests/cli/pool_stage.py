"""A real pool with clients over its socket, for tests."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, Final, Protocol

import attrs

from tests.waiting import look_until

from .running import ROOT

PATIENCE: Final = 20.0

_HELLO: Final = {
    "clientInfo": {"name": "test", "version": "1"},
    "capabilities": {"experimentalApi": True},
}


@attrs.define(eq=False)
class Client:
    """A client: what it hears is kept until somebody waits for it."""

    _socket: socket.socket
    heard: list[Any] = attrs.field(factory=list)
    _rest: bytes = b""
    _last_id: int = 0

    def say(self, method: str, **params: Any) -> int:
        self._last_id += 1
        line = json.dumps({"method": method, "id": self._last_id, "params": params})
        self._socket.sendall(line.encode() + b"\n")
        return self._last_id

    def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Take the first message that is wanted; what came before it stays."""
        for position, message in enumerate(self.heard):
            if wanted(message):
                return self.heard.pop(position)
        while not wanted(message := self._next()):
            self.heard.append(message)
        return message

    def told(self, method: str, **params: Any) -> Any:
        def wanted(message: Any) -> bool:
            said = message.get("params") or {}
            return message.get("method") == method and params.items() <= said.items()

        return self.until(wanted)["params"]

    def answer(self, number: int) -> Any:
        return self.until(lambda message: message.get("id") == number and "method" not in message)

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.answer(self.say(method, **params))
        assert "result" in answer, answer
        return answer["result"]

    def start(self, **params: Any) -> str:
        thread_id: str = self.ask("thread/start", **params)["thread"]["id"]
        return thread_id

    def begin(self, thread_id: str, text: str) -> str:
        turn = self.ask("turn/start", threadId=thread_id, input=[{"type": "text", "text": text}])
        turn_id: str = turn["turn"]["id"]
        return turn_id

    def talk(self, thread_id: str, text: str) -> str:
        """Run a turn to its end; give what the model said last."""
        turn_id = self.begin(thread_id, text)
        ended = self.until(
            lambda message: (
                message.get("method") == "turn/completed"
                and message["params"]["turn"]["id"] == turn_id
            )
        )
        assert ended["params"]["turn"]["status"] == "completed", ended
        said = [
            message["params"]["item"]["text"]
            for message in self.heard
            if message.get("method") == "item/completed"
            and message["params"]["item"]["type"] == "agentMessage"
            and message["params"]["turnId"] == turn_id
        ]
        return str(said[-1])

    def ended(self) -> None:
        """Wait until the pool has closed the connection."""
        try:
            while True:
                self.heard.append(self._next())
        except (EOFError, ConnectionResetError):
            pass

    def _next(self) -> Any:
        while b"\n" not in self._rest:
            part = self._socket.recv(1 << 20)
            if not part:
                raise EOFError("the pool closed the connection")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


@attrs.define(eq=False)
class PoolProcess:
    """A pool as a process."""

    process: "Popen[bytes]"
    path: Path
    banner: str

    @contextmanager
    def client(self) -> Iterator[Client]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(self.path))
            client = Client(sock)
            client.ask("initialize", **_HELLO)
            yield client

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        code = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        return code, self.process.stderr.read().decode()

    def wait_until(self, client: Client, wanted: Callable[[Any], bool]) -> Any:
        """Look at the pool until it is as wanted."""
        return look_until(lambda: client.ask("treadle/pool/read"), wanted)

    def next_line(self, part: str) -> str:
        """Wait for a line on standard error with this in it."""
        assert self.process.stderr is not None
        while part not in (line := self.process.stderr.readline().decode()):
            assert line, f"no line with {part!r} came"
        return line

    def processes(self) -> set[int]:
        """The pool and all that it started."""
        found = {self.process.pid}
        parents = {pid: _parent(pid) for pid in _pids()}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def is_there(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Where(Protocol):
    """Where a pool runs, and what its model plays."""

    home: Path
    cwd: Path
    scenario: Path


@contextmanager
def start_process(
    *words: str, home: Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> Iterator["Popen[bytes]"]:
    """Run a command in a process of its own, which is killed in the end if it still runs."""
    variables = {"PYTHONPATH": str(ROOT), "TREADLE_HOME": str(home), **(environ or {})}
    process = Popen(
        [sys.executable, "-m", "actors.cli", *words],
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cwd or home,
        env={**os.environ, **variables},
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def running_pool(
    where: Where, *words: str, environ: Mapping[str, str] | None = None
) -> Iterator[PoolProcess]:
    """Run a pool with the scripted model."""
    path = where.home / "pool.sock"
    options = ("--scenario", str(where.scenario), "-c", 'model="scripted"')
    with start_process(
        "pool", *options, *words, home=where.home, cwd=where.cwd, environ=environ
    ) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline().decode() for _ in range(3)]
        assert lines[0] == "treadle pool\n", (lines, process.stderr.read().decode())
        yield PoolProcess(process, path, "".join(lines))
