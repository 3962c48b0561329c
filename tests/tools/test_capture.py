"""Output within a limit: the beginning and the end stay."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from actors.tools.capture import OutputBuffer, ProcessOutput
from messages.events import ExecOutputStream

CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=20)


@given(chunks=CHUNKS, limit=st.integers(0, 60), less=st.integers(0, 60))
def test_buffer_keeps_the_ends_and_counts_the_rest_for_any_pieces(chunks, limit, less):
    """However the output was cut into pieces, what is shown depends on the bytes only."""
    whole = b"".join(chunks)
    shown = min(limit, less)
    buffer = OutputBuffer(limit)
    for chunk in chunks:
        buffer.append(chunk)

    back = shown // 2
    note = f"\n[... {len(whole) - shown} bytes omitted ...]\n".encode()
    cut = whole[: shown - back] + note + whole[len(whole) - back :]
    assert buffer.render(shown) == (whole if len(whole) <= shown else cut)
    assert buffer.total_bytes == len(whole)
    assert buffer.truncated == (len(whole) > limit)


@given(chunks=CHUNKS, limit=st.integers(0, 60))
def test_buffer_holds_no_more_than_its_limit_one_block_and_one_piece(chunks, limit):
    """A command that writes for ever costs no more memory than one that writes for a while."""
    with patch("actors.tools.capture._BLOCK_BYTES", 8):
        buffer = OutputBuffer(limit)
        for chunk in chunks:
            buffer.append(chunk)

    assert len(buffer._head) + sum(map(len, buffer._tail)) <= limit + 8 + 20


def test_tiny_pieces_are_put_together():
    """Each object costs more than a piece of one byte holds."""
    buffer = OutputBuffer(100_000)
    for _ in range(200_000):
        buffer.append(b"x")

    assert len(buffer._tail) < 10


@given(
    out=st.integers(0, 40), err=st.integers(0, 40), limit=st.integers(0, 30).map(lambda n: n * 3)
)
def test_both_streams_share_a_limit_and_leave_no_room_unused(out, err, limit):
    """Stdout is sure of a third, stderr of two thirds; what one does not need the other gets."""
    output = ProcessOutput(limit)
    output.append(ExecOutputStream.STDERR, b"e" * err)
    output.append(ExecOutputStream.STDOUT, b"o" * out)

    text = output.aggregated().replace(b"omitted", b"")
    shown_out, shown_err = text.count(b"o"), text.count(b"e") - text.count(b"bytes")
    assert shown_out + shown_err == min(out + err, limit)
    assert shown_out >= min(out, limit // 3)
    assert shown_err >= min(err, limit - limit // 3 if out >= limit // 3 else limit - out)
