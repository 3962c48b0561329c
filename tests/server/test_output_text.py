"""Output as text."""

from hypothesis import given
from hypothesis import strategies as st

from actors.server.output_text import OutputTexts
from messages.events import ExecOutputStream

OUT, ERR = ExecOutputStream.STDOUT, ExecOutputStream.STDERR


def test_character_in_two_pieces_is_told_with_the_second() -> None:
    """And each stream and command has its own."""
    texts = OutputTexts()
    one, two = "ä".encode()[:1], "ä".encode()[1:]

    assert texts.text("a", OUT, b"x" + one) == "x"
    assert texts.text("a", ERR, b"e") == "e"
    assert texts.text("b", OUT, b"b") == "b"
    assert texts.text("a", OUT, two + b"y") == "äy"


def test_half_character_at_the_end_is_replaced() -> None:
    """Nothing is swallowed; and what is forgotten is."""
    texts = OutputTexts()
    texts.text("a", OUT, b"\xc3")
    texts.text("b", OUT, b"\xc3")

    texts.keep_only({"a"})

    assert texts.rest("a") == "�"
    assert texts.rest("a") == ""
    assert texts.rest("b") == ""


@given(st.lists(st.binary(max_size=4)))
def test_pieces_together_are_the_text_of_the_whole(pieces: list[bytes]) -> None:
    """However the output is cut."""
    texts = OutputTexts()

    told = [texts.text("a", OUT, piece) for piece in pieces]

    assert "".join([*told, texts.rest("a")]) == b"".join(pieces).decode("utf-8", "replace")
