"""Messages as lines."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.server.rpc_errors import MessageTooLong
from actors.server.transports.lines import LineSplitter


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10))
def test_lines_do_not_depend_on_how_their_bytes_come(data: bytes, cuts: list[int]) -> None:
    """A chunk may end anywhere."""
    data = data.replace(b"\x00", b"\n")
    splitter = LineSplitter(1000)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]

    lines = [
        line for start, end in itertools.pairwise(edges) for line in splitter.feed(data[start:end])
    ]

    assert [*lines, splitter.finish()] == data.split(b"\n")


@pytest.mark.parametrize(("size", "good"), [(9, True), (10, True), (11, False)])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_line_may_have_its_limit(size: int, good: bool, ended: bool, single: bool) -> None:
    """Its end does not count; whether it has one and how it comes makes no difference."""
    splitter = LineSplitter(10)
    data = b"a\n" + b"x" * size + b"\n" * ended
    chunks = [data[i : i + 1] for i in range(len(data))] if single else [data]

    if good:
        lines = [line for chunk in chunks for line in splitter.feed(chunk)]
        assert [*lines, splitter.finish()] == data.split(b"\n")
    else:
        with pytest.raises(MessageTooLong, match="10 bytes"):
            [splitter.feed(chunk) for chunk in chunks]
