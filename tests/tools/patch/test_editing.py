"""What chunks make of a text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.patch import editing
from actors.tools.patch.editing import edit_text
from actors.tools.patch.errors import PatchInvalid, PatchMismatch
from actors.tools.patch.hunks import UpdateHunk
from actors.tools.patch.parser import parse_patch

from .trees import update


def edited(text: str, *lines: str) -> str:
    (hunk,) = parse_patch(update("f", *lines))
    assert isinstance(hunk, UpdateHunk)
    return edit_text(text, hunk.chunks, "/f")


def refusal(text: str, *lines: str) -> str:
    with pytest.raises(PatchMismatch) as caught:
        edited(text, *lines)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("a\nb\nc\n", ["@@", " a", "-b", "+B", " c"], "a\nB\nc\n"),
        ("a\nb\nc\n", ["-a", "@@", "-c"], "b\n"),
        ("a\nb\na\nb\n", ["@@ a", "@@ a"], None),
        ("a\nb\na\nb\n", ["@@ a", "-b", "+1", "@@ a", "-b", "+2"], "a\n1\na\n2\n"),
        ("a\nb\n", ["-a", "-b"], ""),
        ("", ["+a"], "a\n"),
        ("a\n", ["@@", " a", "+b"], "a\nb\n"),
        ("a\nb\n", ["+0", " a", "+1", "-b", "+2"], "0\na\n1\n2\n"),
    ],
)
def test_chunks_are_applied_in_order(text: str, lines: list[str], expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Exception, match=r"Unexpected line|does not contain"):
            edited(text, *lines)
    else:
        assert edited(text, *lines) == expected


def test_missing_lines_and_missing_context_are_named() -> None:
    """Facts of the reference: models know these texts."""
    assert refusal("a\n", "@@ zz", "+b") == "Failed to find context 'zz' in /f"
    assert refusal("a\n", " x", "-y") == "Failed to find expected lines in /f:\nx\ny"
    # The cursor does not go back.
    assert "expected lines" in refusal("a\nb\n", "-b", "@@", "-a")
    assert "Failed to find context 'a'" in refusal("a\nb\n", "-b", "@@ a", "+x")


def test_insertion_goes_below_its_context() -> None:
    """L40: the context of a chunk that only adds counts."""
    assert edited("a\nb\nc\n", "@@ a", "+x", "@@ b", "+y") == "a\nx\nb\ny\nc\n"


def test_insertion_without_context_goes_to_the_end_before_an_empty_last_line() -> None:
    assert edited("a\nb\n", "@@", "+x") == "a\nb\nx\n"
    assert edited("a\n\n", "@@", "+x") == "a\nx\n\n"
    assert edited("a\nb\n", "@@ a", "+x", "*** End of File") == "a\nb\nx\n"


def test_end_marker_prefers_the_end_and_falls_back() -> None:
    """L40: lines that are not at the end are found all the same."""
    assert edited("x\ny\nx\n", "-x", "+z", "*** End of File") == "x\ny\nz\n"
    assert edited("x\ny\n", "-x", "+z", "*** End of File") == "z\ny\n"


def test_loose_match_keeps_the_files_own_context_lines() -> None:
    """L40: only lines that are added come from the patch."""
    text = "\tif x:  \n\t\u201cold\u201d\n  end\n"

    assert edited(text, " if x:", '-"old"', "+new", " end") == "\tif x:  \nnew\n  end\n"


def test_empty_last_context_line_stands_for_the_end_of_the_last_line() -> None:
    """Models write it; the file has no such line."""
    assert edited("a\nb\n", " a", "-b", "+c", "") == "a\nc\n"
    assert edited("a\nb\n", "-b", "-", "+c", "+") == "a\nc\n"
    assert edited("a\nb\n", " b", " ", "+c") == "a\nb\n\nc\n"
    assert edited("a\n", "@@", "", "+x") == "\nx\na\n"


def test_line_ends_are_kept_and_new_lines_follow_their_neighbours() -> None:
    """A CRLF file stays one, a mixed file stays mixed."""
    assert edited("a\r\nb\r\n", " a", "+x", "-b") == "a\r\nx\r\n"
    assert edited("a\r\nb\nc\n", "@@ a", "+x", "@@ b", "+y") == "a\r\nx\r\nb\ny\nc\n"
    assert edited("b\r\n", "+a", " b") == "a\r\nb\r\n"
    assert edited("a\rb\nc\n", "-c", "+d") == "a\rb\nd\n"


def test_result_ends_with_a_line_end_unless_it_is_empty() -> None:
    """The patch cannot say otherwise; the reference pins it by a test."""
    assert edited("a\nb", "-a", "+x") == "x\nb\n"
    assert edited("a\r\nb", " b", "+c") == "a\r\nb\r\nc\r\n"
    assert edited("a", "-a") == ""
    assert edited("a", " a") == "a\n"


def test_byte_order_mark_stays_and_is_no_part_of_a_line() -> None:
    """The model does not see it."""
    assert edited("\ufeffa\nb\n", "-a", "+x") == "\ufeffx\nb\n"


def test_file_of_too_many_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "LINE_LIMIT", 3)

    assert edited("a\nb\nc\n", "-a") == "b\nc\n"
    assert refusal("a\nb\nc\nd\n", "-a") == (
        "Failed to read file to update /f: it has 4 lines, and a patch may change files of up to 3"
    )


TEXTS = st.lists(st.text("ab \r\n", max_size=4), max_size=8).map("\n".join)
LINES = st.builds(str.__add__, st.sampled_from(" +-@"), st.text("ab ", max_size=2))


@given(TEXTS, st.lists(LINES, min_size=1))
@settings(deadline=None)
def test_any_chunks_fit_any_text_or_are_refused(text: str, lines: list[str]) -> None:
    """And what no chunk mentions stays, byte by byte."""
    try:
        result = edited(text, *["@@ " + line[1:] if line[0] == "@" else line for line in lines])
    except (PatchMismatch, PatchInvalid):
        pass
    else:
        assert result == "" or result.endswith("\n")
