"""Excerpts: never longer than promised, cut between characters, honest about what is missing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    approximate_tokens,
    formatted_truncate_text,
    scaled,
    truncate_output,
    truncate_text,
)
from messages.content import InputImage, InputText, UnknownContent
from messages.settings import TruncationMode, TruncationPolicy

TEXTS = st.text(max_size=200) | st.text(st.sampled_from("aé€😀\n"), max_size=200)
MARKER = re.compile(r"…(\d+) (chars|tokens) truncated…")


def in_bytes(limit: int) -> TruncationPolicy:
    return TruncationPolicy(mode=TruncationMode.BYTES, limit=limit)


def in_tokens(limit: int) -> TruncationPolicy:
    return TruncationPolicy(mode=TruncationMode.TOKENS, limit=limit)


POLICIES = st.builds(
    TruncationPolicy, mode=st.sampled_from(TruncationMode), limit=st.integers(0, 60)
)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@given(text=TEXTS, policy=POLICIES)
def test_text_is_whole_or_beginning_marker_end(text: str, policy: TruncationPolicy) -> None:
    """Both halves are cut between characters and within their share of the limit."""
    budget = policy.limit * (4 if policy.mode is TruncationMode.TOKENS else 1)

    cut = truncate_text(text, policy)

    if size(text) <= budget:
        assert cut is text
        return
    candidates = [
        match
        for match in MARKER.finditer(cut)
        if text.startswith(cut[: match.start()]) and text.endswith(cut[match.end() :])
    ]
    match = candidates[0]
    beginning, end = cut[: match.start()], cut[match.end() :]
    # Less than a character of each half's share stays unused.
    assert budget // 2 - 3 <= size(beginning) <= budget // 2
    assert budget - budget // 2 - 3 <= size(end) <= budget - budget // 2
    if policy.mode is TruncationMode.TOKENS:
        assert int(match[1]) == -(-(size(text) - budget) // 4)
    else:
        assert int(match[1]) == len(text) - len(beginning) - len(end)


@given(text=TEXTS, policy=POLICIES)
def test_what_was_cut_is_not_cut_again_on_the_way_into_the_history(
    text: str, policy: TruncationPolicy
) -> None:
    """A fifth more room takes the marker, for limits that real policies have."""
    policy = TruncationPolicy(mode=policy.mode, limit=policy.limit + 200)
    cut = truncate_text(text * 10, policy)

    assert truncate_text(cut, scaled(policy, 1.2)) == cut


def test_numbered_lines_are_cut_as_the_reference_cuts_them() -> None:
    """The example of the dossier, with the line count on top."""
    text = "".join(f"{number}\n" for number in range(1, 401))

    cut = formatted_truncate_text(text, in_tokens(100))

    assert cut.startswith("Total output lines: 400\n\n1\n2\n")
    assert "\n69\n70…273 tokens truncated…351\n352\n" in cut
    assert cut.endswith("399\n400\n")


@pytest.mark.parametrize(
    ("text", "lines"), [("abc", 1), ("abc\n", 1), ("a\nb", 2), ("a\n\n", 2), ("\n", 1)]
)
def test_formatted_form_counts_lines(text: str, lines: int) -> None:
    """A line end belongs to its line."""
    assert formatted_truncate_text(text, in_bytes(0)).startswith(f"Total output lines: {lines}\n\n")
    assert formatted_truncate_text(text, in_bytes(10)) == text


def test_no_budget_leaves_only_the_marker() -> None:
    """A limit of 0 shows that there was something."""
    assert truncate_text("hello", in_bytes(0)) == "…5 chars truncated…"
    assert truncate_text("hello", in_tokens(0)) == "…2 tokens truncated…"
    assert truncate_text("", in_bytes(0)) == ""


def test_lone_surrogates_do_not_fail() -> None:
    """Text that cannot be written as UTF-8 can still be cut."""
    assert truncate_text("\ud800" * 10, in_bytes(30)) == "\ud800" * 10
    assert truncate_text("a" + "\ud800" * 10 + "z", in_bytes(4)) == "a…10 chars truncated…z"


def test_limits_scale_upwards() -> None:
    """A scaled limit is rounded up, and its unit stays."""
    assert scaled(in_bytes(1), 1.2) == in_bytes(2)
    assert scaled(in_tokens(10), 1.2) == in_tokens(12)
    assert scaled(in_tokens(0), 1.2) == in_tokens(0)


def test_tokens_are_four_bytes_each() -> None:
    """Rounded up, and counted in bytes rather than characters."""
    assert [approximate_tokens(text) for text in ("", "a", "abcd", "abcde", "é" * 4)] == [
        0,
        1,
        1,
        2,
        2,
    ]


def test_text_output_is_cut_as_text() -> None:
    """An output that is one text is treated like any text."""
    assert truncate_output("0123456789", in_bytes(4)) == "01…6 chars truncated…89"


def test_parts_share_one_limit_in_their_order() -> None:
    """Whole, cut, left out; images and unknown parts always stay."""
    image = InputImage(image_url="data:,")
    unknown = UnknownContent(tag="sound", raw={"type": "sound"})
    parts = (
        InputText(text="01234"),
        image,
        InputText(text="0123456789"),
        InputText(text="gone"),
        unknown,
        InputText(text="too"),
    )

    assert truncate_output(parts, in_bytes(9)) == (
        InputText(text="01234"),
        image,
        InputText(text="01…6 chars truncated…89"),
        unknown,
        InputText(text="[omitted 2 text items ...]"),
    )
    assert truncate_output(parts, in_bytes(100)) == parts


def test_parts_that_use_the_limit_up_exactly_are_whole() -> None:
    """At the limit nothing is cut, and what comes behind is left out."""
    first, second = InputText(text="0123"), InputText(text="more")
    assert truncate_output((first, second), in_tokens(1)) == (
        first,
        InputText(text="[omitted 1 text items ...]"),
    )
    assert truncate_output((first,), in_tokens(1)) == (first,)
