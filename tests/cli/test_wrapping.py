"""Breaking lines between words."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cli.wrapping import WordWrap

TEXTS = st.text(alphabet="ab -\n", max_size=60)


def wrapped(*pieces: str, width: int = 10) -> str:
    wrap = WordWrap(len)
    return "".join(wrap.feed(piece, width) for piece in pieces) + wrap.flush(width)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1234 67890", "1234 67890"),
        ("1234 678901", "1234\n678901"),
        ("a b c d e f g", "a b c d e\nf g"),
        ("  in 5678 0", "  in 5678\n  0"),
        ("- one two three", "- one two\n  three"),
        ("12. one two", "12. one\n    two"),
        ("a - b c d e f", "a - b c d\ne f"),
        ("123456789012 4", "123456789012\n4"),
        ("one \ntwo", "one\ntwo"),
        ("\n\n", "\n\n"),
    ],
)
def test_a_line_breaks_between_words_and_goes_on_below_its_first(text: str, lines: str) -> None:
    """At, below and above the width; a word that is too long is let through."""
    assert wrapped(text) == lines


def test_a_word_that_comes_in_pieces_is_kept_together() -> None:
    """The last word waits until it is whole."""
    wrap = WordWrap(len)

    assert [wrap.feed(piece, 10) for piece in ("12345 ", "67", "8", "90 ")] == [
        "12345",
        "",
        "",
        "\n67890",
    ]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=5))
def test_pieces_do_not_matter(text: str, cuts: list[int]) -> None:
    """However a text is cut, it is wrapped as the whole is; and no word is lost."""
    ends = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(ends)]

    assert wrapped(*pieces, width=20).split() == text.split()
    if not any(len(word) > 10 for word in text.split()):
        assert wrapped(*pieces, width=20) == wrapped(text, width=20)
