"""Servers over HTTP that are small, strict or hostile; by hand, in an OS thread."""

import contextlib
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio

from messages.tool_settings import McpHttp, McpServerConfig

TOKEN = "token-with-many-letters"


class Handler(BaseHTTPRequestHandler):
    """Answers each POST in one piece; what it does besides is an attribute of the server."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((question.get("method"), dict(self.headers)))
        if self.server.refuse is not None:
            self.reply(self.server.refuse, b"no")
        elif "id" not in question:
            self.reply(202, b"")
        else:
            self.answer(question)

    def do_GET(self) -> None:
        self.reply(405, b"")

    def answer(self, question) -> None:
        results = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "by hand", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]},
        }
        method = question["method"]
        if method == "tools/call":
            self.server.call(self, question)
            return
        self.reply_json(question, results[method])

    def reply_json(self, question, result) -> None:
        body = {"jsonrpc": "2.0", "id": question["id"], "result": result}
        self.reply(200, json.dumps(body).encode())

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        with contextlib.suppress(OSError):  # the client may be gone
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site():
    """A server; its `call` says what a tool call does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.refuse = None
        server.seen = []
        server.leave = threading.Event()
        server.call = lambda handler, question: handler.reply_json(
            question, {"content": [{"type": "text", "text": "done"}]}
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.leave.set()
        server.shutdown()
        thread.join()


def http(site, **settings: object) -> McpServerConfig:
    transport = {
        name: settings.pop(name)
        for name in ("bearer_token_env_var", "http_headers", "env_http_headers")
        if name in settings
    }
    url = f"http://127.0.0.1:{site.server_port}/mcp?key={TOKEN}"
    return McpServerConfig(transport=McpHttp(url=url, **transport), **settings)


async def test_headers_and_token_come_along_with_every_request(site, environ, hold) -> None:
    """Fixed ones, those of variables that are set, and the token of its variable."""
    environ.update(TOKEN=TOKEN, TEAM="blue", EMPTY=" ")
    config = http(
        site,
        bearer_token_env_var="TOKEN",
        http_headers={"X-Fixed": "1", "authorization": "Basic x"},
        env_http_headers={"X-Team": "TEAM", "X-None": "NONE", "X-Empty": "EMPTY"},
    )
    async with hold(h=config) as held:
        await held.lease.wait_ready()
        assert (await held.call("mcp__h__t")).success

    for _, headers in site.seen:
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert (headers["X-Fixed"], headers["X-Team"]) == ("1", "blue")
        assert not {"X-None", "X-Empty"} & set(headers)
        assert "authorization" not in headers
    assert [method for method, _ in site.seen][:3] == [
        "initialize",
        "notifications/initialized",
        "tools/list",
    ]


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        ({}, ("environment variable TOKEN is not set", "Set TOKEN to a token")),
        ({"TOKEN": " "}, ("environment variable TOKEN is empty", "Set TOKEN to a token")),
        ({"TOKEN": TOKEN}, ("the server wants a login (status 401)", "Set TOKEN to a token")),
        (None, ("the server wants a login (status 401)", "name that under [mcp_servers.h]")),
    ],
)
async def test_want_of_a_token_is_told_with_the_way_out(
    site, environ, hold, variables, texts
) -> None:
    """In words that fit to what is configured."""
    raw, friendly = texts
    site.refuse = 401
    environ.update(variables or {})
    named = {} if variables is None else {"bearer_token_env_var": "TOKEN"}
    async with hold(h=http(site, **named)) as held:
        complete = await held.told.complete()

        assert complete.failed[0].error == raw
        assert friendly in held.told.states("h")[-1]
        assert TOKEN not in str(held.told.events)


async def test_refusal_of_another_kind_is_no_question_of_login(site, hold) -> None:
    """It fails with what the server says, and without the address."""
    site.refuse = 500
    async with hold(h=http(site)) as held:
        complete = await held.told.complete()

    assert complete.failed[0].error == "the server answered with status 500"


async def test_server_that_is_not_there_fails_at_once(hold) -> None:
    """With the kind of error."""
    nowhere = McpServerConfig(transport=McpHttp(url="http://127.0.0.1:1/mcp"))
    odd = McpServerConfig(transport=McpHttp(url="ftp://example.com/mcp"))
    async with hold(nowhere=nowhere, odd=odd) as held:
        complete = await held.told.complete()

    assert {failure.server: failure.error for failure in complete.failed} == {
        "nowhere": "the server could not be reached (ConnectError)",
        "odd": "its url does not begin with http:// or https:// and a host",
    }


@pytest.mark.slow
async def test_answer_that_is_too_long_fails_only_its_own_call(site, hold) -> None:
    """Whole or packed: nothing is unpacked that was not asked for."""
    async with hold(h=http(site)) as held:
        await held.lease.wait_ready()
        usual = site.call
        site.call = lambda handler, question: handler.reply_json(
            question, {"content": [{"type": "text", "text": "x" * 9_000_000}]}
        )
        long = await held.call("mcp__h__t")
        site.call = lambda handler, question: handler.reply(
            200, gzip.compress(b" " * 50_000_000), content_encoding="gzip"
        )
        packed = await held.call("mcp__h__t")
        site.call = usual

        assert "the answer has more than 8 MiB" in long.output
        assert "tool call failed for `h/t`: " in packed.output
        assert (await held.call("mcp__h__t")).success


async def test_call_that_is_never_answered_runs_out_of_time(site, hold) -> None:
    """And the session goes on."""
    async with hold(h=http(site, tool_timeout=0.5)) as held:
        await held.lease.wait_ready()
        usual = site.call
        site.call = lambda handler, question: site.leave.wait()

        output = await held.call("mcp__h__t")
        site.call = usual

        assert "timed out after 0.5 seconds" in output.output
        assert (await held.call("mcp__h__t")).success


async def test_server_that_never_answers_the_handshake_fails_in_its_time(
    site, hold, monkeypatch
) -> None:
    """As over standard input and output."""
    monkeypatch.setattr(Handler, "answer", lambda handler, question: site.leave.wait())
    async with hold(h=http(site, startup_timeout=0.2)) as held:
        complete = await held.told.complete()
        friendly = held.told.states("h")[-1]

    assert complete.failed[0].error == "timed out after 0.2 seconds"
    assert friendly == (
        "MCP client for `h` timed out after 0.2 seconds. Add or raise `startup_timeout_sec` "
        "under [mcp_servers.h] in config.toml."
    )


async def test_address_with_a_token_is_never_shown(site, hold, caplog) -> None:
    """Neither in logs nor in reprs."""
    async with hold(h=http(site, http_headers={"X-Key": "another-secret"})) as held:
        await held.lease.wait_ready()
        await held.call("mcp__h__t")
        shown = repr((held.lease, held.lease.tools(), held.told.events)) + caplog.text
        await trio.lowlevel.checkpoint()

    assert TOKEN not in caplog.text
    assert "another-secret" not in shown
