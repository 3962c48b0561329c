"""
The model that both servers ask: on loopback, in a process of its own, and instant.

``python -m tests.bench.codex_model`` prints the address and serves until its standard
input ends.  What to answer is the last ``bench:`` word in a request's body; what was
answered before is counted behind it, so nothing is kept between requests.
"""

import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, cast

from tests.interop.scripted_replies import Event, Part, answer, function_call, text_message

__all__ = ["open_model"]

_ROOT: Final = Path(__file__).parents[2]
_WORD: Final = b"bench:"
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_END: Final = b"0\r\n\r\n"
_REFUSAL: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_OUTPUTS: Final = b"function_call_output"
_COMMANDS: Final = 3


@contextmanager
def open_model() -> Generator[str]:
    """Serve for the length of the block; yields the address that a provider is given."""
    command = [sys.executable, "-m", "tests.bench.codex_model"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def _stream(events: tuple[Event, ...], *, ended: bool) -> bytes:
    """Write events as a server does that flushes each: a chunk for each."""
    parts = [_HEAD]
    for event in events:
        text = json.dumps(event, separators=(",", ":"))
        data = f"event: {event['type']}\ndata: {text}\n\n".encode()
        parts.append(b"%x\r\n%b\r\n" % (len(data), data))
    return b"".join([*parts, _END] if ended else parts)


@cache
def _reply(word: str, outputs: int) -> bytes:
    """
    Write what answers a word, when so many tools have answered since it was said.

    ``text`` is a short message, ``deltas-N`` one in N pieces, ``shell`` one command and
    then a message; ``stall-N`` says N pieces and then nothing more; ``loss`` says and does
    three things, and then nothing more.
    """
    kind, _, count = word.partition("-")
    done = text_message("All ", "is ", "done.", item_id=f"msg_{outputs}")
    command = function_call(
        "exec_command",
        {"cmd": f"echo {outputs}"},
        call_id=f"call_{outputs}",
        item_id=f"fc_{outputs}",
    )
    match kind:
        case "deltas":
            return _whole(text_message(*["a word "] * int(count)))
        case "stall":
            return _stream(_steps(text_message(*["a word "] * int(count)))[:-4], ended=False)
        case "shell" if not outputs:
            return _whole(command)
        case "loss" if outputs >= _COMMANDS:
            return _stream(_steps(done)[:1], ended=False)
        case "loss" if outputs == 1:
            return _whole(command)
        case "loss":
            return _whole(done, command)
        case _:
            return _whole(done)


def _steps(*parts: Part) -> tuple[Event, ...]:
    # An answer has steps of other kinds only when somebody puts them in.
    return cast("tuple[Event, ...]", answer(*parts).steps)


def _whole(*parts: Part) -> bytes:
    return _stream(_steps(*parts), ended=True)


class _Handler(socketserver.StreamRequestHandler):
    """One connection, for as many requests as the client likes."""

    disable_nagle_algorithm = True
    rbufsize = 1024 * 1024

    def handle(self) -> None:
        while line := self.rfile.readline():
            body = self._read_body()
            if not line.startswith(b"POST"):
                self.wfile.write(_REFUSAL)
                continue
            reply = _choose(body)
            self.wfile.write(reply)
            if not reply.endswith(_END):
                self.rfile.readline()  # until the client leaves
                return

    def _read_body(self) -> bytes:
        length = 0
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return self.rfile.read(length)


def _choose(body: bytes) -> bytes:
    start = body.rfind(_WORD) + len(_WORD)
    end = min(found for mark in (b'"', b" ", b"\\", b"<") if (found := body.find(mark, start)) >= 0)
    return _reply(body[start:end].decode(), body.count(_OUTPUTS, start))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main() -> None:
    """Serve until standard input ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
