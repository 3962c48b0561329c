"""Rules about commands by their first words, and what they say of a command."""

from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice, product
from typing import Final

import attrs

from .script_split import Words, has_pattern

__all__ = ["PrefixRule", "RuleBook", "RuleMatch", "Verdict"]

_MOST_LISTED: Final = 200
"""Prefixes listed of a book; they end up in a text for the model."""


class Verdict(Enum):
    """What a rule says of the commands that it is about."""

    ALLOW = "allow"
    PROMPT = "prompt"
    FORBIDDEN = "forbidden"


_FROM_MILDEST: Final = tuple(Verdict)


@attrs.frozen
class PrefixRule:
    """
    What holds for every command that begins with some words.

    Attributes:
        pattern: For each place from the first, the words that fit there; never empty.
        justification: Why, for a person; never blank.
    """

    pattern: tuple[tuple[str, ...], ...] = attrs.field(validator=attrs.validators.min_len(1))
    verdict: Verdict = Verdict.ALLOW
    justification: str | None = None

    def fits(self, words: Sequence[str]) -> bool:
        """Whether the words begin as the rule says."""
        if len(words) < len(self.pattern):
            return False
        return all(word in place for word, place in zip(words, self.pattern, strict=False))


@attrs.frozen
class RuleMatch:
    """
    What a book says of the commands of one command line.

    Attributes:
        verdict: The strictest of all rules that fit; None when none does.
        rule: One with that verdict, the longest; None also when only the problem speaks.
        prefix: The words that fit it.
        allowed: For each command, whether a rule allows it; a stricter one may fit as well.
        problem: Why a person has to decide, when it is because the book cannot be read.
    """

    verdict: Verdict | None = None
    rule: PrefixRule | None = None
    prefix: Words = ()
    allowed: tuple[bool, ...] = ()
    problem: str | None = None


@attrs.frozen
class RuleBook:
    """
    All rules in force.

    Attributes:
        problem:
            Why part of the rules cannot be read; None when all are there.  What is
            missing may forbid anything, so every command then needs a person (L39).

    Source:
        Codex, ``Policy``; there one unreadable file drops all rules, those that forbid
        included, and ``/bin/rm`` is not what a rule about ``rm`` is about.
    """

    rules: tuple[PrefixRule, ...] = ()
    problem: str | None = None

    def check(
        self,
        commands: Iterable[Sequence[str]],
        *,
        patterns: bool = False,
        suspects: Iterable[Sequence[str]] = (),
    ) -> RuleMatch:
        """
        Look up what holds for the commands of one command line.

        A rule that restricts is about a program under any path; one that allows is about
        the very words it names.

        Args:
            commands: What is known to run, in order.
            patterns: Whether the shell may make other words of some of them.
            suspects: What may run as well; no rule allows anything by these.
        """
        known = [tuple(words) for words in commands]
        allowing = [self._allowing(words, patterns=patterns) for words in known]
        found = [(rule, words) for words, fit in zip(known, allowing, strict=True) for rule in fit]
        for words in (*known, *map(tuple, suspects)):
            found.extend((rule, words) for rule in self._restricting(words))
        return self._match(found, tuple(map(bool, allowing)))

    def allowed_prefixes(self) -> tuple[Words, ...]:
        """
        List the beginnings of commands that are allowed, sorted; the first 200 of them.

        To tell the model.  A stricter rule may hold for some of them.
        """
        allowing = (rule for rule in self.rules if rule.verdict is Verdict.ALLOW)
        listed = (words for rule in allowing for words in product(*rule.pattern))
        return tuple(sorted(set(islice(listed, _MOST_LISTED))))

    def _allowing(self, words: Words, *, patterns: bool) -> tuple[PrefixRule, ...]:
        return tuple(
            rule
            for rule in self.rules
            if rule.verdict is Verdict.ALLOW
            and rule.fits(words)
            and not (patterns and any(map(has_pattern, words[: len(rule.pattern)])))
        )

    def _restricting(self, words: Words) -> tuple[PrefixRule, ...]:
        return tuple(
            rule
            for rule in self.rules
            if rule.verdict is not Verdict.ALLOW
            and (rule.fits(words) or rule.fits(_by_name(words)))
        )

    def _match(
        self, found: Sequence[tuple[PrefixRule, Words]], allowed: tuple[bool, ...]
    ) -> RuleMatch:
        rule, words = max(found, key=_strictness, default=(None, ()))
        verdict = None if rule is None else rule.verdict
        if self.problem is not None and verdict in {None, Verdict.ALLOW}:
            return RuleMatch(Verdict.PROMPT, allowed=allowed, problem=self.problem)
        prefix = words[: len(rule.pattern)] if rule else ()
        return RuleMatch(verdict, rule, prefix, allowed, self.problem)


def _strictness(found: tuple[PrefixRule, Words]) -> tuple[int, int]:
    rule, _ = found
    return _FROM_MILDEST.index(rule.verdict), len(rule.pattern)


def _by_name(words: Words) -> Words:
    return (words[0].rpartition("/")[2], *words[1:]) if words else words
