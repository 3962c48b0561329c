"""The parser of server-sent events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.sse import EventTooLong, SseParser


def parsed(*chunks: bytes) -> list[bytes]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"event: x\nid: 7\nretry: 9\ndata: a\n\n", [b"a"]),
        (b": comment\n\ndata: a\n: comment\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"\n\n\n", []),
        (b"event: lonely\n\n", []),
        (b"database: a\n\n", []),
        (b"data: unfinished\n", []),
        (b"data: \xff\xfe\n\n", [b"\xff\xfe"]),
    ],
)
def test_parser_keeps_data_of_whole_events_only(stream: bytes, events: list[bytes]) -> None:
    """Names, ids and comments are skipped; an event ends with an empty line."""
    assert parsed(stream) == events


@given(
    texts=st.lists(st.binary(max_size=30).filter(lambda b: not set(b) & {10, 13}), max_size=6),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_parser_does_not_care_where_the_chunks_are_cut(
    texts: list[bytes], ending: bytes, cuts: list[int]
) -> None:
    """Any cutting gives the same events, also inside of a line ending."""
    stream = b"".join(b"data: " + text + ending + ending for text in texts)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    pieces = [stream[a:b] for a, b in pairwise(edges)]

    assert parsed(*pieces) == texts


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_parser_survives_rubbish(chunks: list[bytes]) -> None:
    """No bytes make it fail, and it holds no more than it was given."""
    parser = SseParser()

    events = [event for chunk in chunks for event in parser.feed(chunk)] + parser.finish()

    assert sum(map(len, events)) <= sum(map(len, chunks))


def test_parser_takes_an_event_up_to_the_limit_and_no_longer() -> None:
    """The limit counts what is held, in finished lines and in the unfinished one."""
    at = SseParser(limit_bytes=10)
    above = SseParser(limit_bytes=10)

    assert at.feed(b"data: 45\n") == []
    assert at.feed(b"data: 7890\n\n") == [b"45\n7890"]
    assert above.feed(b"data: 1234") == []
    with pytest.raises(EventTooLong, match="longer than 10 bytes"):
        above.feed(b"5")


def test_parser_forgets_what_it_gave_when_it_counts() -> None:
    """Many events and comments in pieces never add up to the limit."""
    parser = SseParser(limit_bytes=20)

    for _ in range(100):
        assert parser.feed(b": pi") == []
        assert parser.feed(b"ng\n\ndata: 12") == []
        assert parser.feed(b"345\n\n") == [b"12345"]


@pytest.mark.parametrize(
    ("stream", "events"),
    [(b"data: a\n", [b"a"]), (b"data: a", [b"a"]), (b"data: a\n\n", []), (b"", []), (b": x", [])],
)
def test_finish_gives_the_event_that_lacks_only_its_end(stream: bytes, events: list[bytes]) -> None:
    """A server that forgets the last empty line is understood."""
    parser = SseParser()
    parser.feed(stream)

    assert parser.finish() == events
    assert parser.finish() == []
