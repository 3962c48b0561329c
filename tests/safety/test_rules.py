"""What rules say of commands."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.safety import PrefixRule, RuleBook, RuleMatch, Verdict

ALLOW, PROMPT, FORBIDDEN = Verdict


def rule(text: str, verdict: Verdict = ALLOW) -> PrefixRule:
    """Write a rule as words, alternatives divided by a bar."""
    return PrefixRule(tuple(tuple(place.split("|")) for place in text.split()), verdict)


BOOK = RuleBook(
    (
        rule("git push|pull"),
        rule("git push --force", PROMPT),
        rule("rm", FORBIDDEN),
        rule("rm -r", FORBIDDEN),
        rule("npm test"),
    )
)


@pytest.mark.parametrize(
    ("command", "verdict", "prefix", "allowed"),
    [
        ("git pull x", ALLOW, "git pull", True),
        ("git push", ALLOW, "git push", True),
        ("git push --force", PROMPT, "git push --force", True),
        ("git", None, "", False),
        ("git status", None, "", False),
        ("rm x", FORBIDDEN, "rm", False),
        ("rm -r x", FORBIDDEN, "rm -r", False),
        ("/bin/rm -r x", FORBIDDEN, "/bin/rm -r", False),
        ("./npm test", None, "", False),
        ("", None, "", False),
    ],
)
def test_strictest_and_longest_rule_decides(command, verdict, prefix, allowed):
    """One that restricts is about the program under any path, one that allows is not."""
    match = BOOK.check([command.split()])

    assert (match.verdict, match.prefix) == (verdict, tuple(prefix.split()))
    assert match.allowed == (allowed,)
    assert (match.rule is None) == (verdict is None)


def test_commands_of_a_script_are_checked_together_and_allowed_one_by_one():
    """The strictest of all counts; who is allowed is told of each."""
    match = BOOK.check([["git", "pull"], ["ls"], ["npm", "test"]])
    assert (match.verdict, match.allowed) == (ALLOW, (True, False, True))

    match = BOOK.check([["git", "pull"], ["rm", "x"]])
    assert (match.verdict, match.allowed) == (FORBIDDEN, (True, False))


def test_suspects_can_only_restrict():
    """What may be run makes nothing allowed."""
    assert BOOK.check([["sh"]], suspects=[["git", "pull"]]) == RuleMatch(allowed=(False,))
    assert BOOK.check([["git", "pull"]], suspects=[["rm"]]).verdict is FORBIDDEN


def test_word_that_the_shell_may_change_fits_no_rule_that_allows():
    """Behind the prefix it may; one that restricts is not so exact."""
    book = RuleBook((rule("git add"), rule("git *"), rule("rm *", FORBIDDEN)))

    assert book.check([["git", "add", "*"]], patterns=True).allowed == (True,)
    assert book.check([["git", "*"]], patterns=True).allowed == (False,)
    assert book.check([["git", "*"]]).allowed == (True,)
    assert book.check([["rm", "*"]], patterns=True).verdict is FORBIDDEN


def test_book_with_a_problem_leaves_every_command_to_a_person():
    """What is missing may have forbidden it; what is there still forbids."""
    book = attrs.evolve(BOOK, problem="'x': line 1: no")

    for command in (["ls"], ["git", "pull"]):
        match = book.check([command])
        assert (match.verdict, match.rule, match.problem) == (PROMPT, None, book.problem)
    match = book.check([["rm"]])
    assert (match.verdict, match.rule) == (FORBIDDEN, rule("rm", FORBIDDEN))


def test_allowed_prefixes_are_listed():
    """With each of their alternatives, sorted, once, and not without end."""
    book = RuleBook((*BOOK.rules, PrefixRule((("a b",), ("c",))), *BOOK.rules))

    assert book.allowed_prefixes() == (
        ("a b", "c"),
        ("git", "pull"),
        ("git", "push"),
        ("npm", "test"),
    )
    many = PrefixRule((("a", "b", "c", "d", "e", "f", "g", "h"),) * 20)
    assert len(RuleBook((many,)).allowed_prefixes()) == 200


def test_rule_needs_a_pattern():
    """Or it would be about everything."""
    with pytest.raises(ValueError, match="pattern"):
        PrefixRule(())


words = st.lists(st.sampled_from(["a", "b", "/x/a"]), max_size=3).map(tuple)
places = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2).map(tuple)
rules = st.builds(
    PrefixRule, st.lists(places, min_size=1, max_size=3).map(tuple), st.sampled_from(Verdict)
)


@given(st.lists(rules, max_size=5), st.lists(words, max_size=3))
def test_check_is_like_comparing_every_rule_with_every_command(book, commands):
    """A model without any cleverness says the same."""
    order = [None, ALLOW, PROMPT, FORBIDDEN]

    def fits(one: PrefixRule, command: tuple[str, ...]) -> bool:
        start = command[: len(one.pattern)]
        return any(
            start == prefix
            for prefix in RuleBook((attrs.evolve(one, verdict=ALLOW),)).allowed_prefixes()
        )

    strictest, allowed = None, []
    for command in commands:
        bare = tuple(word.removeprefix("/x/") if n == 0 else word for n, word in enumerate(command))
        found = [r for r in book if fits(r, command) or (r.verdict is not ALLOW and fits(r, bare))]
        strictest = max([strictest, *(r.verdict for r in found)], key=order.index)
        allowed.append(any(r.verdict is ALLOW for r in found))

    match = RuleBook(tuple(book)).check(commands)

    assert (match.verdict, match.allowed) == (strictest, tuple(allowed))
