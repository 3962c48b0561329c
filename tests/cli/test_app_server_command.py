"""The command that serves clients, as a process."""

import json
import os
import signal
import socket
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from .running import Bench

_PATIENCE = 20.0

_HELLO = {"clientInfo": {"name": "test", "version": "1"}}


class Client:
    """One client that says a line and waits for the lines it is told."""

    def __init__(self, write_fd: int, read_fd: int) -> None:
        self._write, self._read, self._rest = write_fd, read_fd, b""

    def say(self, number: int, method: str, **params: Any) -> None:
        line = json.dumps({"method": method, "id": number, "params": params})
        os.write(self._write, line.encode() + b"\n")

    def hear(self) -> Any:
        while b"\n" not in self._rest:
            part = os.read(self._read, 65536)
            assert part, "the server went away"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def until_item(self, kind: str) -> None:
        """Wait until an item of this kind has started."""
        while True:
            message = self.hear()
            if (
                message.get("method") == "item/started"
                and message["params"]["item"]["type"] == kind
            ):
                return

    def ask(self, number: int, method: str, **params: Any) -> Any:
        self.say(number, method, **params)
        while (message := self.hear()).get("id") != number:
            pass
        return message["result"]


def at_stdio(process: "Popen[bytes]") -> Client:
    assert process.stdin is not None
    assert process.stdout is not None
    return Client(process.stdin.fileno(), process.stdout.fileno())


def end_of(process: "Popen[bytes]") -> tuple[int, str]:
    code = process.wait(_PATIENCE)
    assert process.stderr is not None
    return code, process.stderr.read().decode()


@pytest.mark.slow
def test_a_client_at_standard_input_runs_a_turn_and_ends_the_server(bench: Bench) -> None:
    """With nothing but the protocol on standard output, and the exit code 0."""
    words = ("app-server", "--scenario", str(bench.scenario), "-c", 'model="scripted"')
    with bench.process(*words) as process:
        client = at_stdio(process)
        hello = client.ask(0, "initialize", **_HELLO)
        thread = client.ask(1, "thread/start")["thread"]
        client.say(
            2, "turn/start", threadId=thread["id"], input=[{"type": "text", "text": "sleep"}]
        )
        # Its record begins after the turn does; when the model has answered it is there.
        client.until_item("commandExecution")
        assert process.stdin is not None
        process.stdin.close()
        code, err = end_of(process)

    assert hello["codexHome"] == str(bench.home)
    assert thread["cwd"] == str(bench.cwd)
    assert thread["originator"] == "test"
    assert (code, err) == (0, "")
    assert [path.stem[-36:] for path in bench.rollouts()] == [thread["id"]]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_server(bench: Bench, number: int, code: int) -> None:
    """In order, with whatever runs in it."""
    with bench.process("serve", "--scenario", str(bench.scenario)) as process:
        client = at_stdio(process)
        client.ask(0, "initialize", **_HELLO)
        client.ask(1, "thread/start")
        process.send_signal(number)
        ended = end_of(process)

    assert ended == (code, "")


@pytest.mark.slow
def test_clients_come_to_a_socket_and_go(bench: Bench, tmp_path: Path) -> None:
    """A thread that one has started the other can go on with."""
    path = tmp_path / "s"
    words = ("app-server", "--listen", f"unix://{path}", "--scenario", str(bench.scenario))
    with bench.process(*words) as process:
        assert process.stderr is not None
        banner = process.stderr.readline() + process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            client = Client(first.fileno(), first.fileno())
            client.ask(0, "initialize", **_HELLO)
            thread_id = client.ask(1, "thread/start")["thread"]["id"]
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(path))
            client = Client(second.fileno(), second.fileno())
            client.ask(0, "initialize", **_HELLO)
            joined = client.ask(1, "thread/resume", threadId=thread_id)
        process.terminate()
        ended = end_of(process)

    assert banner.decode() == f"treadle app-server\n  listening on: unix://{path}\n"
    assert joined["thread"]["id"] == thread_id
    assert ended == (0, "")
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--listen", "carrier://pigeon"), "unsupported --listen URL `carrier://pigeon`"),
        (("--listen", "ws://0.0.0.0:0"), "other machines can reach it; give a token"),
        (("--token-file", "/no/such/file"), "--token-file is for ws:// addresses"),
        (
            ("--listen", "ws://127.0.0.1:0", "--token-file", "/no/such/file"),
            "--token-file /no/such/file: the token cannot be",
        ),
        (("-c", "model=5"), "model"),
    ],
)
def test_a_server_that_cannot_be_says_why(
    bench: Bench, words: tuple[str, ...], problem: str
) -> None:
    """In one line, before anything is opened."""
    ran = bench.run("app-server", *words)

    assert ran.code == 2
    assert ran.out == ""
    assert problem in ran.err
    assert ran.err.count("\n") == 1


def test_both_names_of_the_command_are_known(bench: Bench) -> None:
    """Options may stand before them."""
    for words in (("app-server", "--help"), ("serve", "--help")):
        ran = bench.run(*words)
        assert ran.code == 0
        assert "--token-file" in ran.out
