"""What counts as a patch, and what is said of the rest."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.patch.errors import PatchInvalid
from actors.tools.patch.hunks import AddHunk, Chunk, DeleteHunk, Mark, PatchLine, UpdateHunk
from actors.tools.patch.parser import parse_patch

from .trees import patch, update

KEEP, ADD, REMOVE = Mark.KEEP, Mark.ADD, Mark.REMOVE


def lines(*pairs: tuple[Mark, str]) -> tuple[PatchLine, ...]:
    return tuple(PatchLine(mark, text) for mark, text in pairs)


def refusal(text: str) -> str:
    with pytest.raises(PatchInvalid) as caught:
        parse_patch(text)
    return str(caught.value)


def test_patch_of_all_kinds_becomes_hunks_in_order() -> None:
    """Nothing of what is written is lost."""
    text = patch(
        "*** Add File: a.txt",
        "+one",
        "+",
        "*** Delete File: b.txt",
        "*** Update File: c.txt",
        "*** Move to: d.txt",
        "@@ class C",
        " keep",
        "-old",
        "+new",
        "@@",
        "+last",
        "*** End of File",
    )

    assert parse_patch(text) == (
        AddHunk(path="a.txt", content="one\n\n"),
        DeleteHunk(path="b.txt"),
        UpdateHunk(
            path="c.txt",
            move_to="d.txt",
            chunks=(
                Chunk(
                    context="class C", lines=lines((KEEP, "keep"), (REMOVE, "old"), (ADD, "new"))
                ),
                Chunk(lines=lines((ADD, "last")), at_end=True),
            ),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "  \n*** Begin Patch\n*** Delete File: a\n*** End Patch\n\n",
        " *** Begin Patch \n  *** Delete File: a  \n  *** End Patch ",
        "*** Begin Patch\r\n*** Delete File: a\r\n*** End Patch\r\n",
        "<<EOF\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF",
        "<<'EOF'\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF\n",
        '<<"EOF"\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF',
    ],
)
def test_patch_with_harmless_surroundings_is_understood(text: str) -> None:
    """Space, CRLF and a heredoc around it say nothing else."""
    assert parse_patch(text) == (DeleteHunk(path="a"),)


def test_empty_patch_and_empty_new_file_parse() -> None:
    """Whether an empty patch may be applied is not the parser's business."""
    assert parse_patch(patch()) == ()
    assert parse_patch("<<EOF\n*** Begin Patch\n*** End Patch\nEOF") == ()
    assert parse_patch(patch("*** Add File: a")) == (AddHunk(path="a", content=""),)


def test_first_chunk_may_omit_its_marker_and_blank_lines_are_context_or_nothing() -> None:
    """An empty line inside a chunk is an empty line of the file; between chunks it is skipped."""
    (hunk,) = parse_patch(update("a", "", "-x", "", "+y", "@@", "  ", "-z"))

    assert hunk == UpdateHunk(
        path="a",
        chunks=(
            Chunk(lines=lines((REMOVE, "x"), (KEEP, ""), (ADD, "y"))),
            Chunk(lines=lines((KEEP, " "), (REMOVE, "z"))),
        ),
    )


def test_context_marker_with_only_a_space_means_an_empty_line() -> None:
    """It differs from the bare marker, which means no context."""
    (hunk,) = parse_patch(update("a", "@@ ", "+y"))

    assert isinstance(hunk, UpdateHunk)
    assert hunk.chunks[0].context == ""


def test_move_target_keeps_its_spaces_and_must_follow_at_once() -> None:
    """Only headers are trimmed."""
    (hunk,) = parse_patch(update("a", "*** Move to: b ", "@@", "+y"))
    assert isinstance(hunk, UpdateHunk)
    assert hunk.move_to == "b "

    assert "'*** Move to: b' is not a valid hunk header" in refusal(
        update("a", "@@", "+y", "*** Move to: b")
    )


def test_lines_divide_at_line_feeds_only() -> None:
    """A form feed or a Unicode line separator is part of its line."""
    (hunk,) = parse_patch(patch("*** Add File: a", "+x\x0cy\u2028z"))

    assert hunk == AddHunk(path="a", content="x\x0cy\u2028z\n")


HEADERS = (
    "Valid hunk headers: '*** Add File: {path}', '*** Delete File: {path}', "
    "'*** Update File: {path}'"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "invalid patch: The first line of the patch must be '*** Begin Patch'"),
        ("bad", "invalid patch: The first line of the patch must be '*** Begin Patch'"),
        ("*** Begin Patch", "invalid patch: The last line of the patch must be '*** End Patch'"),
        (
            "*** Begin Patch\nbad",
            "invalid patch: The last line of the patch must be '*** End Patch'",
        ),
        (
            "<<EOF\n*** Begin Patch\n*** Delete File: a\nEOF",
            "invalid patch: The last line of the patch must be '*** End Patch'",
        ),
        (
            "<<OTHER\n*** Begin Patch\n*** End Patch\nOTHER",
            "invalid patch: The first line of the patch must be '*** Begin Patch'",
        ),
        (
            patch("nonsense"),
            f"invalid hunk at line 2, 'nonsense' is not a valid hunk header. {HEADERS}",
        ),
        (
            patch("*** Delete File: a", "", "*** Delete File: b"),
            f"invalid hunk at line 3, '' is not a valid hunk header. {HEADERS}",
        ),
        (update("a"), "invalid hunk at line 2, Update file hunk for path 'a' is empty"),
        (
            patch("*** Delete File: z", "*** Update File: a", "*** Move to: b"),
            "invalid hunk at line 3, Update file hunk for path 'a' is empty",
        ),
        (
            update("a", "@@", "-x", "nonsense"),
            "invalid hunk at line 5, Expected update hunk to start with a @@ context marker, "
            "got: 'nonsense'",
        ),
        (update("a", "@@"), "invalid hunk at line 4, Update hunk does not contain any lines"),
        (
            update("a", "@@", "*** End of File"),
            "invalid hunk at line 4, Update hunk does not contain any lines",
        ),
        (
            update("a", "@@", "nonsense"),
            "invalid hunk at line 4, Unexpected line found in update hunk: 'nonsense'. Every line "
            "should start with ' ' (context line), '+' (added line), or '-' (removed line)",
        ),
    ],
)
def test_what_is_no_patch_is_refused_with_its_line(text: str, expected: str) -> None:
    """The model reads where to look."""
    assert refusal(text) == expected


def test_lines_of_a_wrapped_patch_count_without_the_heredoc() -> None:
    """The numbers are those of the patch."""
    assert refusal(f"<<EOF\n{patch('bad')}\nEOF").startswith("invalid hunk at line 2, ")


def test_error_survives_pickle() -> None:
    error = PatchInvalid("text")

    assert str(pickle.loads(pickle.dumps(error))) == "text"


PIECES = st.sampled_from(
    [
        "*** Begin Patch", "*** End Patch", "*** Add File: a", "*** Delete File: a", "",
        "*** Update File: a", "*** Move to: b", "@@", "@@ c", "+x", "-x", " x", "x", "***",
        "*** End of File", "<<EOF", "EOF", " ", "\r", "\0",
    ]
)  # fmt: skip


@given(
    st.one_of(st.text(), st.lists(PIECES).map("\n".join), st.lists(PIECES).map(lambda x: patch(*x)))
)
@settings(deadline=None)
def test_any_text_is_a_patch_or_is_refused(text: str) -> None:
    """Nothing else can happen."""
    try:
        hunks = parse_patch(text)
    except PatchInvalid as error:
        assert str(error).startswith(("invalid patch: ", "invalid hunk at line "))
    else:
        assert isinstance(hunks, tuple)
