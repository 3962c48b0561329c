"""Which skills an input asks for."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.skills import Skill, SkillsOutcome, mentioned_skills
from actors.skills.mentions import Mentions, parse_mentions
from messages.content import ImageInput, MentionInput, SkillInput, TextInput, UserInputItem

from .trees import skill

A, B, B2, C = (
    skill("a"),
    skill("b"),
    skill("b", path="/other/b/SKILL.md"),
    skill("c-d_1", allow_implicit=False),
)
OUTCOME = SkillsOutcome(skills=(A, B, B2, C))


def said(*texts: str) -> list[UserInputItem]:
    return [TextInput(text=text) for text in texts]


def selected(items: list[UserInputItem], outcome: SkillsOutcome = OUTCOME) -> list[Skill]:
    return [*mentioned_skills(outcome, items)]


# The grammar ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "paths"),
    [
        ("", "", ""),
        ("$", "", ""),
        ("$a", "a", ""),
        ("$$a$b", "a b", ""),
        ("x$a-b_C1.d", "a-b_C1", ""),
        ("$-", "-", ""),
        ("$ä $aä", "a", ""),
        ("${a} $(a) $ a", "", ""),
        ("$PATH $Home $xdg_config_home $PATHS", "PATHS", ""),
        ("[$a](/p)", "", "/p"),
        ("[$a] \t\r\n\f ( /p q )", "", "/p q"),
        ("[$a]\v(/p)", "a", ""),
        ("[$a]\xa0(/p)", "a", ""),
        ("[ $a](/p)", "a", ""),
        ("[$a ](/p)", "a", ""),
        ("[$a](/p", "a", ""),
        ("[$a]()", "a", ""),
        ("[$a]( \n )", "a", ""),
        ("[$a](/p) $b [$c](/q)", "b", "/p /q"),
        ("[$a]($b)", "", "$b"),
        ("[$a](x(y)z)", "", "x(y"),
        ("[$PATH](/p) [$a](/q)", "", "/q"),
        ("[$path](/p)", "", ""),
        ("[$](/p)", "", ""),
        ("[[$a](/p)](/q)", "", "/p"),
        ("[$a][$b](/p)", "a", "/p"),
        ("[$a](app://x)", "", "app://x"),
    ],
)
def test_mentions_are_read_by_their_grammar(text: str, names: str, paths: str) -> None:
    """A link never mentions its name, and one without a path is none."""
    expected = [paths] if " q" in paths else paths.split()

    assert parse_mentions(text) == Mentions(frozenset(names.split()), frozenset(expected))


def simple_model(text: str) -> Mentions:
    """Go through the text letter by letter, and forget nothing."""
    names, paths, place = set[str](), set[str](), 0
    variables = {
        "PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "TEMP", "TMP", "LANG", "TERM",
        "XDG_CONFIG_HOME",
    }  # fmt: skip
    letters = string.ascii_letters + string.digits + "_-"

    def name_at(start: int) -> str:
        end = start
        while end < len(text) and text[end] in letters:
            end += 1
        return text[start:end]

    while place < len(text):
        link = re.match(r"\[\$([A-Za-z0-9_-]+)\][ \t\n\r\f]*\(([^)]*)\)", text[place:])
        if link and link[2].strip():
            if link[1].upper() not in variables:
                paths.add(link[2].strip())
            place += link.end()
        elif text[place] == "$" and name_at(place + 1):
            name = name_at(place + 1)
            if name.upper() not in variables:
                names.add(name)
            place += 1 + len(name)
        else:
            place += 1
    return Mentions(frozenset(names), frozenset(paths))


PIECES = st.lists(
    st.sampled_from(["[$", "](", "$", "[", "]", "(", ")", " ", "\n", "a", "PATH", "-1", "/p", "ä"])
).map("".join)


@pytest.mark.slow
@given(PIECES)
@example("[$a]([$b](/p)")
def test_mentions_are_those_of_a_simple_model(text: str) -> None:
    """On any text."""
    assert parse_mentions(text) == simple_model(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["[$a](", "[$a]", "$", "$a", "[$", "[$a] ", "[$a](b) [$a](", "[$a]()"]
)
def test_any_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    """A megabyte of links that nobody closed would otherwise take an hour."""
    found = parse_mentions(piece * (1_000_000 // len(piece)) + "[$a" + " " * 10_000)

    assert found.names | found.paths <= {"a", "b", "[$a](b"}


# Selection ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        (said("nothing"), []),
        (said("$a"), [A]),
        (said("$c-d_1 and $a"), [A, C]),  # in the order of the outcome
        (said("$c-d_1", "$a"), [C, A]),  # texts one after the other
        (said("$a $a", "$a"), [A]),
        (said("$A"), []),
        (said("$b"), []),  # which of the two?
        (said(f"[$b]({B2.path})"), [B2]),
        (said(f"[$b](skill://{B2.path}) [$b]({B.path})"), [B, B2]),
        (said(f"[$whatever]({A.path})"), [A]),
        (said("[$a](/no)"), []),
        (said("[$a](/no) $a"), [A]),
        (said(f"[$a](app://{A.path}) [$a](mcp://{A.path})"), []),
        (said(f"$c-d_1 [$b]({B.path}) $b"), [B, C]),
        ([SkillInput(name="a", path=A.path)], [A]),
        ([SkillInput(name="x", path=A.path)], [A]),
        ([SkillInput(name="a", path="/no"), *said("$a")], []),
        ([*said("$a $c-d_1"), SkillInput(name="a", path="/no")], [C]),
        ([SkillInput(name="a", path="/no"), *said(f"[$a]({A.path})")], [A]),
        ([*said("$a"), SkillInput(name="b", path=B.path), *said("$b")], [B, A]),
        ([SkillInput(name="c", path=C.path), SkillInput(name="c", path=C.path)], [C]),
        ([SkillInput(name="a", path=A.path), *said("$a", f"[$a]({A.path})")], [A]),
        ([MentionInput(name="a", path=A.path), ImageInput(image_url="$a")], []),
    ],
)
def test_skills_are_selected_as_the_rules_say(
    items: list[UserInputItem], expected: list[Skill]
) -> None:
    """Given ones first, then links, then names that are those of one skill only."""
    assert selected(items) == expected


def test_disabled_skills_are_never_selected() -> None:
    """And do not make a name ambiguous."""
    outcome = SkillsOutcome(skills=OUTCOME.skills, disabled_paths=frozenset({A.path, B.path}))

    items = [SkillInput(name="x", path=A.path), *said(f"$a [$a]({A.path}) $b")]

    assert selected(items, outcome) == [B2]


@given(st.lists(st.one_of(PIECES.map(lambda text: TextInput(text=text)),
                          st.builds(SkillInput, name=st.sampled_from("abc"),
                                    path=st.sampled_from([A.path, B.path, "/no"])))))  # fmt: skip
def test_no_skill_is_selected_twice(items: list[UserInputItem]) -> None:
    """Whatever is said."""
    found = selected(items)

    assert len({skill.path for skill in found}) == len(found)
    assert set(found) <= set(OUTCOME.skills)
