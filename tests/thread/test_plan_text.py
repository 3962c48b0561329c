"""Plans are cut out of what the model writes, however it comes in pieces."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.thread.plan_text import PlanBegan, PlanSplitter, PlanText, Said, split_plan

PLAN = "<proposed_plan>\n- look\n- leap\n</proposed_plan>\n"

PIECES = st.sampled_from(
    [
        "<proposed_plan>",
        "</proposed_plan>",
        "<proposed_plan>\n",
        "\n</proposed_plan>\n",
        "<proposed",
        "_plan>",
        "<",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\n\n",
        "text",
        "- step\n",
        "\u2028",
        "\xa0",
        " " * 199,
        " " * 200,
    ]
)
MESSAGES = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def split(*pieces: str) -> list[tuple[str, str]]:
    """All segments in short, neighbours of a kind joined."""
    splitter = PlanSplitter()
    segments = [segment for piece in pieces for segment in splitter.take(piece)]
    segments += splitter.finish()
    result: list[tuple[str, str]] = []
    for segment in segments:
        kind = type(segment).__name__
        text = "" if isinstance(segment, PlanBegan) else segment.text
        if result and result[-1][0] == kind != "PlanBegan":
            result[-1] = (kind, result[-1][1] + text)
        else:
            result.append((kind, text))
    return result


def stated(message: str) -> tuple[str, str | None]:
    """The rule once more, on the lines of a whole message."""
    said, plan, inside = "", None, False
    for line in re.findall(r"[^\n]*\n|[^\n]+", message):
        bare = line.strip() if len(line.removesuffix("\n")) <= 200 else ""
        if bare == "<proposed_plan>" and not inside:
            plan, inside = "", True
        elif bare == "</proposed_plan>" and inside:
            inside = False
        elif inside:
            plan += line
        else:
            said += line
    return said, plan


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", ("", None)),
        ("hello\nworld", ("hello\nworld", None)),
        (PLAN, ("", "- look\n- leap\n")),
        (f"Preface\n{PLAN}Postscript", ("Preface\nPostscript", "- look\n- leap\n")),
        # No closing tag: to the end.
        ("a\n<proposed_plan>\n- look", ("a\n", "- look")),
        ("<proposed_plan>", ("", "")),
        ("<proposed_plan>\n", ("", "")),
        # The closing tag ends the message.
        ("<proposed_plan>\n- look\n</proposed_plan>", ("", "- look\n")),
        # White space around tags.
        (" \t<proposed_plan>  \r\n- look\r\n\t</proposed_plan>\r\nb", ("b", "- look\r\n")),
        # Tags that are not alone on their line.
        ("see <proposed_plan>\n", ("see <proposed_plan>\n", None)),
        ("<proposed_plan> see\n", ("<proposed_plan> see\n", None)),
        ("<proposed_plan></proposed_plan>\n", ("<proposed_plan></proposed_plan>\n", None)),
        ("<proposed_plan>\na </proposed_plan>\n", ("", "a </proposed_plan>\n")),
        # Tags in the wrong place.
        ("</proposed_plan>\na", ("</proposed_plan>\na", None)),
        ("<proposed_plan>\n<proposed_plan>\na", ("", "<proposed_plan>\na")),
        # Other tags.
        ("<proposed_plans>\n", ("<proposed_plans>\n", None)),
        ("<PROPOSED_PLAN>\n", ("<PROPOSED_PLAN>\n", None)),
        ("<proposed_pla", ("<proposed_pla", None)),
        # Several plans: the last counts.
        (f"a\n{PLAN}b\n<proposed_plan>\nnew\n</proposed_plan>\nc", ("a\nb\nc", "new\n")),
        # A tag may stand among so much white space, and no more.
        (" " * 185 + "<proposed_plan>\nx", ("", "x")),
        (" " * 186 + "<proposed_plan>\nx", (" " * 186 + "<proposed_plan>\nx", None)),
    ],
)
def test_message_is_split_into_what_it_says_and_its_plan(message, expected):
    """Whole, and in pieces of one character."""
    assert split_plan(message) == expected
    assert split(*message) == split(message)


def test_segments_come_as_soon_as_they_are_sure():
    """Only what may become a tag is held back."""
    splitter = PlanSplitter()

    told = [
        splitter.take(piece)
        for piece in ("Pre", "face\n <pro", "posed_plan>", "\n", "- look", "\n</", "div>\n", "</")
    ]

    assert told == [
        [Said("Pre")],
        [Said("face\n")],
        [],
        [PlanBegan()],
        [PlanText("- look")],
        [PlanText("\n")],
        [PlanText("</div>\n")],
        [],
    ]
    assert splitter.finish() == [PlanText("</")]
    assert splitter.finish() == []


def test_neighbours_of_a_kind_are_one_segment():
    """A piece of many lines makes few events."""
    assert PlanSplitter().take(f"a\nb\n{PLAN}c\nd\ne") == [
        Said("a\nb\n"),
        PlanBegan(),
        PlanText("- look\n- leap\n"),
        Said("c\nd\ne"),
    ]


@pytest.mark.slow
@given(MESSAGES, st.data())
def test_pieces_do_not_matter(message, data):
    """Every cut gives what the whole gives, and what the rule says of its lines."""
    places = st.integers(0, len(message))
    cuts = sorted(data.draw(st.lists(places, max_size=6)))
    pieces = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]

    assert split(*pieces) == split(message) == split(*message)


@given(MESSAGES)
def test_every_message_is_split_by_the_rule_of_lines(message):
    """The same rule, said of the whole message at once."""
    assert split_plan(message) == stated(message)


@pytest.mark.parametrize("text", [" ", "\n", "<", "a\n"])
def test_long_messages_in_tiny_pieces_take_their_time_only_once(text):
    """What is held is bounded, so that nobody can make it quadratic."""
    splitter = PlanSplitter()
    began = time.process_time()

    total = sum(
        len(segment.text)
        for _ in range(20_000)
        for segment in splitter.take(text)
        if isinstance(segment, Said)
    )

    assert total + sum(len(s.text) for s in splitter.finish()) == 20_000 * len(text)
    assert time.process_time() - began < 2
