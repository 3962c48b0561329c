"""Listing models."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from .running import Bench


class Server(BaseHTTPRequestHandler):
    """Says which models it has, and counts how often."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"data": [{"id": "small"}, {"id": "large"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("_", (Server,), {"asked": asked}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def acme(bench: Bench, port: int) -> None:
    bench.home.mkdir()
    (bench.home / "config.toml").write_text(
        'model_provider = "acme"\n'
        f'model_providers.acme = {{ base_url = "http://127.0.0.1:{port}/v1" }}\n'
    )


def test_models_are_listed_with_the_default_marked(bench: Bench) -> None:
    """Hidden ones on demand."""
    ran, everything = bench.run("models"), bench.run("models", "--all")

    head, *lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert head.split() == ["MODEL", "EFFORTS", "WHAT"]
    marked = [line for line in lines if line.startswith("*")]
    assert len(marked) == 1
    assert "[medium]" in marked[0]
    assert len(everything.out.splitlines()) > len(lines) + 1


def test_json_has_a_line_for_each_model(bench: Bench) -> None:
    """With everything that a picker needs."""
    lines = [json.loads(line) for line in bench.run("models", "--json", "--all").out.splitlines()]

    assert sum(line["is_default"] for line in lines) == 1
    assert any(line["hidden"] for line in lines)
    assert lines[0]["supported_efforts"][0].keys() == {"effort", "description"}


def test_the_configured_model_is_marked_or_told_of(bench: Bench) -> None:
    """A name that is not in the list may be right all the same."""
    marked = bench.run("models", "-c", "model=gpt-5.2").out
    other = bench.run("models", "-c", "model=gpt-9")

    assert [line.split()[1] for line in marked.splitlines() if line.startswith("*")] == ["gpt-5.2"]
    assert "*" not in other.out
    assert other.err == (
        "treadle: warning: the configured model 'gpt-9' is not in the list; "
        "it is asked all the same\n"
    )


def test_a_provider_is_asked_once_and_again_on_demand(bench: Bench) -> None:
    """A list that is new is good enough."""
    with served() as (port, asked):
        acme(bench, port)

        first, second = bench.run("models"), bench.run("models")
        assert (first.code, first.err) == (0, "")
        assert {"small", "large"} <= set(first.out.split())
        assert second.out == first.out
        assert len(asked) == 1

        bench.run("models", "--refresh")
        assert len(asked) == 2

        bench.run("models", "--offline")
        assert len(asked) == 2


def test_a_provider_that_does_not_answer_is_told(bench: Bench) -> None:
    """What is known is listed."""
    acme(bench, 9)

    ran = bench.run("models")

    assert ran.code == 0
    assert ran.err.startswith("treadle: warning: acme could not be asked, this is what is known: ")
    assert ran.err.count("\n") == 1


def test_openai_has_nothing_to_say_to_keys(bench: Bench) -> None:
    """Who wants a refresh all the same hears that there was none."""
    ran = bench.run("models", "--refresh")

    assert ran.code == 0
    assert "openai has no list for this login" in ran.err


def test_the_scripted_model_is_listed(bench: Bench) -> None:
    """It is the only one of its provider."""
    ran = bench.run("models", "-c", "model_provider=scripted")

    assert ran.out.splitlines()[1].split()[:2] == ["*", "scripted"]
