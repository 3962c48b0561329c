"""Where clients are listened for."""

from pathlib import Path

import pytest

from actors.server.rpc_errors import BadListenAddress
from actors.server.transports.addresses import (
    ListenAddress,
    StdioAddress,
    UnixAddress,
    WebSocketAddress,
    parse_listen,
)

GOOD: list[tuple[str, ListenAddress]] = [
    ("stdio://", StdioAddress()),
    ("ws://127.0.0.1:4500", WebSocketAddress("127.0.0.1", 4500)),
    ("ws://0.0.0.0:0", WebSocketAddress("0.0.0.0", 0)),
    ("ws://[::1]:65535", WebSocketAddress("::1", 65535)),
    ("unix:///run/a b.sock", UnixAddress(Path("/run/a b.sock"))),
]


@pytest.mark.parametrize(("text", "address"), GOOD, ids=[text for text, _ in GOOD])
def test_address_is_read_and_written_back(text: str, address: ListenAddress) -> None:
    """What a client is told leads it here."""
    assert parse_listen(text) == address
    assert str(address) == text


def test_relative_path_is_below_the_working_directory() -> None:
    """As for any program."""
    assert parse_listen("unix://a/b.sock") == UnixAddress(Path.cwd() / "a/b.sock")


BAD = [
    ("", "unsupported --listen URL ``; expected `stdio://`, `unix://PATH` or `ws://IP:PORT`"),
    ("stdio", "unsupported --listen URL `stdio`; "),
    ("stdio://x", "unsupported --listen URL `stdio://x`; "),
    ("wss://127.0.0.1:1", "unsupported --listen URL `wss://127.0.0.1:1`; "),
    ("http://127.0.0.1:1", "unsupported --listen URL `http://127.0.0.1:1`; "),
    *(
        (f"ws://{rest}", f"invalid websocket --listen URL `ws://{rest}`; expected `ws://IP:PORT`")
        for rest in (
            "", "localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:1/",
            "127.0.0:1", "[127.0.0.1]:1", "::1:1", "[::1]", "[::1%1]:1", "1.2.3.4:-1",
            "999.0.0.1:1", "127.0.0.1:１", " 127.0.0.1:1",
        )
    ),
    ("unix://", "invalid unix --listen URL `unix://`; expected `unix://PATH`"),
    ("unix:///run/", "invalid unix --listen URL `unix:///run/`; expected `unix://PATH`"),
    ("unix:///a\0b", "invalid unix --listen URL"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), BAD, ids=[repr(text) for text, _ in BAD])
def test_what_is_no_address_is_told_with_the_forms_there_are(text: str, problem: str) -> None:
    """With the words that clients of Codex know."""
    with pytest.raises(BadListenAddress) as caught:
        parse_listen(text)

    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(("size", "good"), [(106, True), (107, True), (108, False)])
def test_path_must_fit_into_an_address(size: int, good: bool) -> None:
    """Bytes count, and not characters."""
    text = "unix:///é" + "x" * (size - 3)
    if good:
        parse_listen(text)
        return
    with pytest.raises(BadListenAddress, match="has 108 bytes; a socket's path has at most 107"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_what_no_other_machine_can_reach(host: str, loopback: bool) -> None:
    """All addresses together are not."""
    assert WebSocketAddress(host, 1).is_loopback is loopback
