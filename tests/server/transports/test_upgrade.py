"""The first HTTP request of a client."""

from contextlib import suppress
from http import HTTPStatus

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.server.transports.bearer import Token
from actors.server.transports.upgrade import Head, judge

from .clients import get, http_status, read_until, serving, shake_hands, tcp, upgrade

SECRET = "0123456789abcdef"
BEARER = f"Authorization: Bearer {SECRET}"
TOKEN = Token(SECRET)


def head(
    target: bytes = b"/",
    *authorizations: bytes,
    method: bytes = b"GET",
    upgrades: bool = True,
    origin: bool = False,
) -> Head:
    return Head(
        method=method,
        target=target,
        upgrades=upgrades,
        has_origin=origin,
        authorizations=authorizations,
    )


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("upgrades", [False, True])
@pytest.mark.parametrize("target", [b"/", b"/readyz", b"/healthz"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS"])
def test_no_page_in_a_browser_is_ever_answered(
    token: Token | None, upgrades: bool, target: bytes, method: bytes
) -> None:
    """Not even a probe, and not with the right token."""
    asked = head(
        target, b"Bearer " + SECRET.encode(), method=method, upgrades=upgrades, origin=True
    )

    assert judge(asked, token) is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        (b"/readyz", b"GET", HTTPStatus.OK),
        (b"/healthz", b"HEAD", HTTPStatus.OK),
        (b"/healthz?a=b", b"GET", HTTPStatus.OK),
        (b"/readyz", b"POST", HTTPStatus.BAD_REQUEST),
        (b"/readyz/", b"GET", HTTPStatus.BAD_REQUEST),
        (b"/", b"GET", HTTPStatus.BAD_REQUEST),
    ],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_probe_needs_no_token_and_the_rest_needs_an_upgrade(
    target: bytes, method: bytes, status: HTTPStatus, token: Token | None
) -> None:
    """Who watches over us need not know the secret."""
    assert judge(head(target, method=method, upgrades=False), token) is status


GOOD = b"Bearer " + SECRET.encode()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ((), HTTPStatus.UNAUTHORIZED),
        ((b"Bearer x",), HTTPStatus.UNAUTHORIZED),
        ((GOOD, b"Bearer x"), HTTPStatus.UNAUTHORIZED),
        ((GOOD, GOOD), HTTPStatus.UNAUTHORIZED),
        ((GOOD,), HTTPStatus.SWITCHING_PROTOCOLS),
    ],
)
def test_upgrade_needs_the_token_where_there_is_one(
    given: tuple[bytes, ...], status: HTTPStatus
) -> None:
    """Once, and without one anything goes."""
    assert judge(head(b"/", *given), TOKEN) is status
    assert judge(head(b"/any/path", *given), None) is HTTPStatus.SWITCHING_PROTOCOLS


REQUESTS: list[tuple[bytes, int]] = [
    (get("/readyz"), 200),
    (get("/healthz"), 200),
    (get("/"), 400),
    (get("/readyz", "Origin: null"), 403),
    (upgrade("/", "Origin: http://127.0.0.1"), 403),
    (upgrade("/", BEARER, "Origin: http://127.0.0.1"), 403),
    (upgrade(), 401),
    (upgrade("/", "Authorization: Bearer wrong"), 401),
    (upgrade("/", BEARER, version=8), 400),
    (upgrade("/", BEARER).replace(b"GET", b"POST"), 400),
    (upgrade("/", BEARER).replace(b"Sec-WebSocket-Key", b"X"), 400),
    (upgrade("/", BEARER).replace(b"Connection: Upgrade", b"Connection: close"), 400),
    (upgrade("/", BEARER).replace(b"Host: 127.0.0.1", b"Host: \xff\xfe"), 400),
    (upgrade("/", BEARER).replace(b"Upgrade: websocket", b"Upgrade: h2c"), 400),
    (get("/", "Content-Length: 5") + b"12345", 400),
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50 + b"\r\n\r\n", 400),
    (get("/readyz", "X: " + "x" * 30_000), 400),
    (get("/readyz", "X: " + "x" * 15_000), 200),
    (b"x" * 20_000, 400),
]


@pytest.mark.parametrize(
    ("request_bytes", "status"), REQUESTS, ids=[repr(r[:30]) for r, _ in REQUESTS]
)
async def test_what_is_not_let_in_is_answered_and_closed(request_bytes: bytes, status: int) -> None:
    """The answer arrives whatever else was sent, and the server goes on."""
    async with serving(token=TOKEN) as server:
        assert await http_status(server, request_bytes) == status
        assert await http_status(server, get("/readyz")) == 200
        assert len(server.connections) == 0


async def test_request_may_come_a_byte_at_a_time() -> None:
    """And what comes right behind it is the first message."""
    async with serving(token=TOKEN) as server, tcp(server) as stream:
        request = upgrade("/any", BEARER) + b"\x81\x80\0\0\0\0"
        for index in range(len(request)):
            await stream.send_all(request[index : index + 1])

        answer = await read_until(stream, lambda data: b"\r\n\r\n" in data)

        assert answer.startswith(b"HTTP/1.1 101 ")


async def test_request_that_takes_too_long_is_closed_without_an_answer(
    mock_clock: MockClock,
) -> None:
    """However busily its head goes on; others are let in meanwhile."""
    async with serving(upgrade_patience=5) as server, tcp(server) as slow:
        await slow.send_all(b"GET / HTTP/1.1\r\n")
        closed = trio.Event()

        async def read() -> None:
            with suppress(trio.BrokenResourceError):  # reset, because we went on
                assert await slow.receive_some() == b""
            closed.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for _ in range(4):
                await slow.send_all(b"a: b\r\n")
                await wait_all_tasks_blocked(0.01)
                mock_clock.jump(1.2)
            assert await http_status(server, get("/readyz")) == 200
            assert not closed.is_set()
            mock_clock.jump(0.3)
            await closed.wait()


async def test_requests_beyond_the_bound_are_closed_and_places_get_free_again() -> None:
    """Slow ones cannot take all the memory there is."""
    async with serving(upgrades=2) as server, tcp(server) as one, tcp(server) as two:
        for stream in (one, two):
            await stream.send_all(b"GET / HT")
        await wait_all_tasks_blocked(0.02)

        async with tcp(server) as third:
            assert await third.receive_some() == b""

        await one.send_all(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_until(one, lambda _: False)).split()[1] == b"400"
        await one.aclose()
        await wait_all_tasks_blocked(0.02)
        async with tcp(server) as fourth:
            await shake_hands(fourth)


async def test_client_that_leaves_within_its_request_is_forgotten() -> None:
    """At any point of it."""
    async with serving() as server:
        for size in (0, 1, 20, len(upgrade()) - 1):
            async with tcp(server) as stream:
                await stream.send_all(upgrade()[:size])

        assert await http_status(server, get("/readyz")) == 200
        assert server.connections.statistics().accepted == 0
