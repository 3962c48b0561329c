"""Threads that workers die of are left alone for a while."""

from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.workers import quarantine as quarantine_module
from actors.workers.quarantine import Quarantine
from messages.ids import ThreadId
from tests.effort import examples

IDS = [ThreadId(name) for name in "abc"]
A, B, C = IDS


def test_a_thread_is_held_at_the_third_death_in_a_row_and_not_before() -> None:
    """And from that moment until the period is over, not a moment longer."""
    quarantine = Quarantine(crashes=3, period=600.0)

    told = [quarantine.blame([A], now) for now in (1.0, 2.0, 3.0)]

    assert told == [(), (), (A,)]
    assert quarantine.held_until(A, 3.0) == 603.0
    assert quarantine.held_until(A, 602.9) == 603.0
    assert quarantine.held_until(A, 603.0) is None
    assert quarantine.held_until(B, 3.0) is None


def test_a_finished_turn_clears_a_thread() -> None:
    """Only deaths in a row count."""
    quarantine = Quarantine(crashes=2)

    quarantine.blame([A], 0.0)
    quarantine.absolve(A)

    assert quarantine.blame([A], 0.0) == ()
    assert quarantine.blame([A], 0.0) == (A,)
    quarantine.absolve(A)
    assert quarantine.held_until(A, 0.0) is None
    assert len(quarantine) == 0


def test_a_thread_that_was_held_is_tried_once_before_it_is_held_again() -> None:
    """The first death after its time is one too many, until it finishes a turn."""
    quarantine = Quarantine(crashes=3, period=10.0)
    for now in (0.0, 0.0, 0.0):
        quarantine.blame([A], now)

    again = quarantine.blame([A], 20.0)

    assert again == (A,)
    assert quarantine.held_until(A, 20.0) == 30.0


def test_a_thread_counts_once_for_a_death_and_the_answer_keeps_the_order() -> None:
    """However often it is named."""
    quarantine = Quarantine(crashes=2)

    assert quarantine.blame([C, A, C, A, B], 0.0) == ()
    assert quarantine.blame([B, C, B], 0.0) == (B, C)


def test_what_was_blamed_longest_ago_is_forgotten_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stays within its bound whatever comes."""
    monkeypatch.setattr(quarantine_module, "_LIMIT", 2)
    quarantine = Quarantine(crashes=2)

    quarantine.blame([A], 0.0)
    quarantine.blame([B], 0.0)
    quarantine.blame([A], 0.0)
    quarantine.blame([C], 0.0)

    assert len(quarantine) == 2
    assert quarantine.held_until(A, 0.0) is not None
    assert quarantine.blame([B], 0.0) == ()


@pytest.mark.parametrize(("crashes", "period"), [(0, 1.0), (1, 0.0), (1, -1.0)])
def test_a_quarantine_that_makes_no_sense_cannot_be_made(crashes: int, period: float) -> None:
    """Crashes from 1, seconds above 0."""
    with pytest.raises(ValueError, match="must be"):
        Quarantine(crashes=crashes, period=period)


@attrs.define
class Model:
    """The rule itself, written as a history that is read from its end."""

    crashes: int
    period: float
    history: list[tuple[str, ThreadId, float]] = attrs.field(factory=list)

    def deaths(self, thread_id: ThreadId) -> list[float]:
        since: list[float] = []
        for kind, who, when in self.history:
            if who == thread_id:
                since = [*since, when] if kind == "blame" else []
        return since

    def held_until(self, thread_id: ThreadId, now: float) -> float | None:
        deaths = self.deaths(thread_id)
        if len(deaths) < self.crashes or deaths[-1] + self.period <= now:
            return None
        return deaths[-1] + self.period


Step = tuple[str, list[ThreadId], float]
steps = st.lists(
    st.tuples(
        st.sampled_from(["blame", "absolve"]),
        st.lists(st.sampled_from(IDS), max_size=4),
        st.floats(0, 20),
    ),
    max_size=30,
)


@given(crashes=st.integers(1, 4), period=st.floats(0.5, 30), steps=steps)
@settings(max_examples=examples(60), deadline=None)
def test_it_does_what_its_rule_says_whatever_happens(
    crashes: int, period: float, steps: Iterable[Step]
) -> None:
    """Held is who took part in so many deaths in a row, the last one not too long ago."""
    quarantine, model, now = Quarantine(crashes=crashes, period=period), Model(crashes, period), 0.0
    for kind, thread_ids, passed in steps:
        now += passed
        unique = list(dict.fromkeys(thread_ids))
        model.history += [(kind, thread_id, now) for thread_id in unique]
        if kind == "blame":
            expected = tuple(t for t in unique if len(model.deaths(t)) >= crashes)
            assert quarantine.blame(thread_ids, now) == expected
        else:
            for thread_id in thread_ids:
                quarantine.absolve(thread_id)

        for thread_id in IDS:
            assert quarantine.held_until(thread_id, now) == model.held_until(thread_id, now)
        assert len(quarantine) == sum(bool(model.deaths(t)) for t in IDS)
