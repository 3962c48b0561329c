"""Output as text: cut between characters, and put into words."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tools.capture import OutputBuffer
from actors.tools.exec_text import Characters, SessionAnswer
from messages.settings import TruncationMode, TruncationPolicy

ROOMY = TruncationPolicy(mode=TruncationMode.BYTES, limit=100_000)


def pieces_of(chunks: list[bytes]) -> list[bytes]:
    characters = Characters()
    pieces = [piece for chunk in chunks for piece in characters.feed(chunk)]
    return [*pieces, *filter(None, [characters.finish()])]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


@given(st.text(), st.lists(st.integers(0, 1000)))
def test_pieces_of_text_are_text_wherever_it_was_cut(text, places):
    """Nobody sees half a character, and nothing is lost."""
    pieces = pieces_of(cut(text.encode(), places))

    assert "".join(piece.decode() for piece in pieces) == text


@given(st.binary(), st.lists(st.integers(0, 1000)))
def test_pieces_of_anything_add_up(data, places):
    """What is no text goes through unchanged, and at most three bytes wait."""
    chunks = cut(data, places)
    characters = Characters()
    given_back = b""
    for number, chunk in enumerate(chunks, 1):
        given_back += b"".join(characters.feed(chunk))
        assert 0 <= len(b"".join(chunks[:number])) - len(given_back) <= 3

    assert given_back + characters.finish() == data
    assert "".join(p.decode("utf-8", "replace") for p in pieces_of(chunks)) == data.decode(
        "utf-8", "replace"
    )


def test_pieces_are_of_bounded_size():
    """8192 bytes at most, whatever came at once."""
    data = "ä€😀".encode() * 10_000

    pieces = pieces_of([data])

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 8192
    assert all(piece.decode() for piece in pieces)


def answer(output: bytes, exit_code: int | None = 0, limit_bytes: int = 1000, **changes: object):
    buffer = OutputBuffer(limit_bytes)
    buffer.append(output)
    fields = {"session_id": 1234, "wall_time": 1.25, "max_output_tokens": 10_000, **changes}
    return SessionAnswer(exit_code=exit_code, output=buffer, **fields)


@pytest.mark.parametrize(
    ("exit_code", "line"),
    [(None, "Process running with session ID 1234"), (7, "Process exited with code 7")],
)
def test_answer_says_how_the_process_is(exit_code, line):
    """One line for each fact, then the output."""
    text = answer(b"a\nb\n", exit_code).render(ROOMY, Random(1))

    chunk_id, *lines = text.split("\n", 1)
    assert chunk_id == f"Chunk ID: {Random(1).getrandbits(24):06x}"
    assert lines == [f"Wall time: 1.2500 seconds\n{line}\nOriginal token count: 1\nOutput:\na\nb\n"]


@pytest.mark.parametrize(
    ("wish", "policy", "kept"),
    [
        (10, ROOMY, 40),
        (10_000, TruncationPolicy(mode=TruncationMode.BYTES, limit=80), 80),
        (10_000, TruncationPolicy(mode=TruncationMode.TOKENS, limit=5), 20),
        (0, ROOMY, 0),
    ],
)
def test_answer_is_cut_to_the_lower_limit(wish, policy, kept):
    """The model may wish for less than the turn allows, not for more; it reads what is missing."""
    text = answer(b"x" * 400, max_output_tokens=wish).render(policy, Random(1))

    head, _, output = text.partition("\nOutput:\n")
    assert head.endswith("Original token count: 100")
    assert output.startswith("Total output lines: 1\n\n")
    assert output.count("x") == kept
    assert f"…{100 - kept // 4} tokens truncated…" in output


def test_answer_counts_what_was_not_kept_as_well():
    """And a line in the middle says that it is gone."""
    text = answer(b"y" * 400, limit_bytes=100).render(ROOMY, Random(1))

    assert "Original token count: 100\n" in text
    assert "[... 300 bytes omitted ...]" in text
