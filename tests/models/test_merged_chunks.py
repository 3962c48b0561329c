"""Chunks that came together are made one, and the body is the same."""

from itertools import pairwise

import h11
import httpx2
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.models.merged_chunks import ChunkMerger
from actors.models.responses import open_client

_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Write one chunk."""
    return b"%X\r\n%b\r\n" % (len(data), data)


def sliced(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut *data* at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def read(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """Return the data of a response as an HTTP client finds them, and whether it ended well."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    http.send(h11.EndOfMessage())
    found: list[bytes] = []
    for piece in pieces:
        http.receive_data(piece)
        while True:
            event = http.next_event()
            if isinstance(event, h11.Data):
                found.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return found, True
            elif event is h11.NEED_DATA:
                break
    return found, False


def merged(pieces: list[bytes]) -> list[bytes]:
    """Pass all through a merger, as a stream does."""
    merger = ChunkMerger()
    return [out for out in (*map(merger.feed, pieces), merger.finish()) if out]


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    before=st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]),
)
def test_body_is_the_same_however_it_comes(
    bodies: list[bytes], cuts: list[int], before: bytes
) -> None:
    """Nothing is lost, added or held back, wherever the bytes are cut."""
    whole = before + _HEAD + b"".join(map(chunk, bodies)) + _END
    pieces = sliced(whole, cuts)

    found, ended = read(merged(pieces))

    assert (b"".join(found), ended) == (b"".join(bodies), True)
    assert len(found) <= len(pieces) + 1


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_what_is_no_chunk_is_passed_on_as_it_is(data: bytes, cuts: list[int]) -> None:
    """A body without chunks, and rubbish after a size, are for others to judge."""
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + data
    broken = _HEAD + chunk(b"good") + b"zz" + data

    assert b"".join(merged(sliced(plain, cuts))) == plain
    assert b"".join(merged(sliced(broken, cuts))).endswith(b"zz" + data)


def test_chunks_that_come_together_are_one_and_trailers_stay() -> None:
    """What has an extension in its size is passed on as it is, and so is all behind it."""
    merger = ChunkMerger()

    assert merger.feed(_HEAD + chunk(b"ab") + chunk(b"cd")) == _HEAD + b"4\r\nabcd\r\n"
    assert merger.feed(b"3") == b""
    assert merger.feed(b"\r\ne") == b"1\r\ne\r\n"
    assert merger.feed(b"fg\r") == b"2\r\nfg\r\n"
    assert merger.feed(b"\n1;a=b\r\nh\r\n" + b"0\r\nX: y\r\n\r\n") == (
        b"1;a=b\r\nh\r\n0\r\nX: y\r\n\r\n"
    )
    merger.restart()
    assert merger.feed(_HEAD + b"1") == _HEAD
    assert merger.finish() == b"1"


async def _serve(stream: trio.SocketStream, bodies: list[bytes]) -> None:
    http = h11.Connection(h11.SERVER)
    async with stream:
        while True:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data(await stream.receive_some())
            if isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.EndOfMessage):
                await stream.send_all(_HEAD + b"".join(map(chunk, bodies)) + _END)
                http.send(h11.Response(status_code=204, headers=[]))
                http.send(h11.EndOfMessage())
                http.start_next_cycle()


@pytest.mark.slow
async def test_client_of_a_provider_merges_chunks_and_keeps_its_connection() -> None:
    """Many small chunks of a real server come as few, in each response of a connection."""
    bodies = [b"event %d" % number for number in range(100)]
    accepted = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal accepted
        accepted += 1
        await _serve(stream, bodies)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
        with trio.fail_after(10):
            client: httpx2.AsyncClient = await trio.to_thread.run_sync(open_client)
            async with client:
                for _ in range(2):
                    async with client.stream("POST", url, content=b"{}") as response:
                        found = [part async for part in response.aiter_raw()]
                    assert b"".join(found) == b"".join(bodies)
                    assert len(found) < len(bodies) / 10
        nursery.cancel_scope.cancel()

    assert accepted == 1
