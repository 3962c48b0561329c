"""How well paths fit a query."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.server.fuzzy_match import Candidate, Match, best_matches


def found(query: str, *paths: str, limit: int = 50) -> list[Match]:
    return best_matches(query, [Candidate.of("/r", path) for path in paths], limit, lambda: False)


def names(query: str, *paths: str) -> list[str]:
    return [match.candidate.path for match in found(query, *paths)]


def test_what_begins_a_name_is_better_than_what_is_inside_of_one() -> None:
    """And what is together better than what is apart; then by name."""
    paths = ["src/deep/ma/in.txt", "src/main.py", "remain.txt", "main", "m_a_i_n", "other"]

    assert names("main", *paths) == [
        "main", "src/main.py", "src/deep/ma/in.txt", "m_a_i_n", "remain.txt",
    ]  # fmt: skip


def test_the_characters_that_fit_are_those_that_fit_best() -> None:
    """Not the first that do."""
    [match] = found("main", "my/admin/main.py")

    assert match.indices == (9, 10, 11, 12)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("readme", True),
        ("README", True),
        ("Readme", False),
        ("rd", True),
        ("mr", False),
        ("read docs", True),
        ("read nothing", False),
        ("", False),
        (" ", False),
        ("x" * 300, False),
    ],
)
def test_a_query_fits_by_its_characters_in_order(query: str, fits: bool) -> None:
    """Each word by itself; case counts when there is a capital."""
    assert bool(found(query, "docs/README.md")) is fits


def test_capitals_begin_words() -> None:
    """As they do in names of classes."""
    assert names("fb", "xfxbx", "xFooBar")[0] == "xFooBar"


@pytest.mark.parametrize("path", ["Straße", "İstanbul/x", "日本/ファイル"])
def test_any_text_can_be_looked_for(path: str) -> None:
    """Characters that become two in lower case stay one."""
    [match] = found(path, path)

    assert match.indices == tuple(range(len(path)))


@pytest.mark.slow
def test_the_best_of_many_are_found_in_time() -> None:
    """However many fit, and whatever they look like."""
    paths = [f"aaaa/aaaa{number}/" + "a" * 60 for number in range(20_000)]
    begun = time.process_time()

    best = found("aaaa", *paths, "aaaa.py", limit=3)
    nothing = found("aaaaaaaaaaaab", *paths)

    assert best[0].candidate.path == "aaaa.py"
    assert len(best) == 3
    assert nothing == []
    assert time.process_time() - begun < 10


def test_a_search_that_is_told_to_stop_finds_nothing() -> None:
    """Half of the answer would be a wrong one."""
    assert best_matches("a", [Candidate.of("/r", "a")], 5, lambda: True) == []


@given(st.text("abA/._", max_size=12), st.text("abA", min_size=1, max_size=4))
def test_indices_spell_the_query(path: str, query: str) -> None:
    """In order, and whenever they are there."""
    exact = query != query.lower()
    text = path if exact else path.lower()
    rest = iter(text)
    there = all(letter in rest for letter in query)

    matches = found(query, path)

    assert bool(matches) is there
    for match in matches:
        assert "".join(text[place] for place in match.indices) == query
