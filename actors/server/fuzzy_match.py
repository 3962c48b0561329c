"""How well a path fits what a person types, and which of its characters do."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

__all__ = ["Candidate", "Match", "best_matches"]

_MATCH: Final = 16
_AT_START: Final = 10
"""For a character that begins a word, where a file or folder begins above all."""
_AT_WORD: Final = 8
_AT_CAPITAL: Final = 6
_IN_A_ROW: Final = 8
_GAP: Final = 3
_WIDER: Final = 1
"""What scores are made of: the usual kind of those of fzf and its relatives."""

_NEVER: Final = -(10**9)
_QUERY_AT_MOST: Final = 256
_RATED_AT_MOST: Final = 2000
"""Candidates that are looked at closely; of more, those that look best from afar."""
_PIECE: Final = 1000
_SMALL_PIECE: Final = 100
"""Candidates between two looks at whether to stop."""

_PATH_AT_MOST: Final = 1024


@attrs.frozen
class Candidate:
    """
    A path that may fit.

    Attributes:
        path: Below its root.
        folded: The same in lower case, character by character.
    """

    root: str
    path: str
    folded: str

    @classmethod
    def of(cls, root: str, path: str) -> Candidate:
        """Prepare a path."""
        folded = path.lower()
        if len(folded) != len(path):  # some characters become two
            folded = "".join(low if len(low := each.lower()) == 1 else each for each in path)
        return cls(root, path, folded)


@attrs.frozen
class Match:
    """
    A path that fits.

    Attributes:
        score: The higher the better; of all words together.
        indices: The characters that fit, in order.
    """

    candidate: Candidate
    score: int
    indices: tuple[int, ...]


def best_matches(
    query: str, candidates: Iterable[Candidate], limit: int, stopped: Callable[[], bool]
) -> list[Match]:
    """
    Find the paths that fit best, best first, those that fit equally well by name; blocks.

    A path fits when it has all characters of a word in their order, for each word of the
    query.  Case counts when the query has a capital.  Nothing fits an empty query.

    Args:
        stopped: Whether to end early, with nothing.

    Source:
        Codex, ``file-search``, with nucleo; there some characters in front of words are
        signs, here they are not.
    """
    wanted = _Wanted.of(query)
    fitting = [each for each in _until(stopped, _PIECE, candidates) if wanted.fits(each)]
    if len(fitting) > _RATED_AT_MOST:
        fitting = heapq.nlargest(_RATED_AT_MOST, fitting, key=wanted.from_afar)
    found = [wanted.rated(each) for each in _until(stopped, _SMALL_PIECE, fitting)]
    return [] if stopped() else heapq.nsmallest(limit, found, key=_rank)


def _until(
    stopped: Callable[[], bool], piece: int, candidates: Iterable[Candidate]
) -> Iterator[Candidate]:
    for number, each in enumerate(candidates):
        if number % piece == 0 and stopped():
            return
        yield each


def _rank(match: Match) -> tuple[int, str, str]:
    return (-match.score, match.candidate.path, match.candidate.root)


@attrs.frozen
class _Wanted:
    """
    A query, ready to be looked for.

    Attributes:
        exact: Whether case counts.
        patterns: For each word; no words fit nothing.
    """

    words: tuple[str, ...]
    exact: bool
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, query: str) -> _Wanted:
        words = tuple(query.split()) if len(query) <= _QUERY_AT_MOST else ()
        return cls(words, query != query.lower(), tuple(map(_in_order, words)))

    def text(self, candidate: Candidate) -> str:
        return candidate.path if self.exact else candidate.folded

    def fits(self, candidate: Candidate) -> bool:
        text = self.text(candidate)
        if not self.words or len(text) > _PATH_AT_MOST:
            return False
        return all(pattern.match(text) for pattern in self.patterns)

    def from_afar(self, candidate: Candidate) -> tuple[int, int, int]:
        text = self.text(candidate)
        name = text[text.rfind("/") + 1 :]
        in_name = sum(word in name for word in self.words)
        return (in_name, sum(word in text for word in self.words), -len(text))

    def rated(self, candidate: Candidate) -> Match:
        text, bonus = self.text(candidate), _bonuses(candidate.path)
        score, indices = 0, set[int]()
        for word in self.words:
            points, places = _aligned(word, text, bonus)
            score += points
            indices.update(places)
        return Match(candidate, score, tuple(sorted(indices)))


def _in_order(word: str) -> re.Pattern[str]:
    """Make what matches a text with these characters in their order, without looking back."""
    # Not ".*?" in between: that tries all ways to fail.
    return re.compile("".join(f"[^{re.escape(c)}]*{re.escape(c)}" for c in word), re.DOTALL)


def _bonuses(path: str) -> list[int]:
    """Say what a match is worth at each place because of what is before it."""
    bonus: list[int] = []
    before = "/"
    for letter in path:
        if before == "/":
            bonus.append(_AT_START)
        elif not before.isalnum() and letter.isalnum():
            bonus.append(_AT_WORD)
        elif (letter.isupper() and before.islower()) or (letter.isdigit() and not before.isdigit()):
            bonus.append(_AT_CAPITAL)
        else:
            bonus.append(0)
        before = letter
    return bonus


def _aligned(word: str, text: str, bonus: Sequence[int]) -> tuple[int, list[int]]:
    """
    Find the best way to see a word in a text that has it.

    Row by row: the best score with this character of the word at that place of the text,
    from the best with the one before it, right before it or with a gap between.
    """
    came_from: list[list[int]] = []
    before: list[int] = []
    for row, letter in enumerate(word):
        scores, origins = [_NEVER] * len(text), [-1] * len(text)
        gapped, gap_from = _NEVER, -1
        for place in range(row, len(text)):
            if row and place >= 2:  # noqa: PLR2004 -- the place before the one before
                gapped -= _WIDER
                if before[place - 2] - _GAP > gapped:
                    gapped, gap_from = before[place - 2] - _GAP, place - 2
            if text[place] != letter:
                continue
            worth = _MATCH + bonus[place]
            if not row:
                scores[place] = worth
                continue
            joined = before[place - 1] + _MATCH + max(bonus[place], _IN_A_ROW)
            if joined >= gapped + worth:
                scores[place], origins[place] = joined, place - 1
            else:
                scores[place], origins[place] = gapped + worth, gap_from
        came_from.append(origins)
        before = scores
    return _traced(came_from, before)


def _traced(came_from: Sequence[Sequence[int]], scores: Sequence[int]) -> tuple[int, list[int]]:
    place = max(range(len(scores)), key=scores.__getitem__)
    best, places = scores[place], [place]
    for origins in reversed(came_from[1:]):
        place = origins[place]
        places.append(place)
    return best, places[::-1]
