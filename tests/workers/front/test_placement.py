"""Who gets a thread, and who a client."""

from hypothesis import given
from hypothesis import strategies as st

from actors.workers.front.placement import Load, place_client, place_thread

counts = st.integers(0, 5)
loads = st.lists(
    st.builds(
        Load,
        number=st.integers(1, 50),
        accepting=st.booleans(),
        turns=counts,
        threads=counts,
        reserved=counts,
        clients=counts,
    ),
    max_size=6,
    unique_by=lambda load: load.number,
)


@given(loads)
def test_a_thread_goes_to_the_worker_with_the_least_to_do(offered: list[Load]) -> None:
    """Turns count before threads, threads on their way as threads; the rest get nothing."""
    number = place_thread(offered)
    able = [load for load in offered if load.accepting]

    if not able:
        assert number is None
        return
    [chosen] = [load for load in able if load.number == number]
    for other in able:
        assert (chosen.turns, chosen.threads + chosen.reserved) <= (
            other.turns,
            other.threads + other.reserved,
        )


@given(loads)
def test_a_client_goes_to_the_worker_with_the_fewest(offered: list[Load]) -> None:
    """However many threads are there."""
    number = place_client(offered)
    able = [load for load in offered if load.accepting]

    if not able:
        assert number is None
        return
    [chosen] = [load for load in able if load.number == number]
    assert chosen.clients == min(load.clients for load in able)


@given(loads, st.randoms())
def test_the_choice_does_not_hang_on_the_order(offered: list[Load], random: object) -> None:
    """The same workers, the same choice: a run can be repeated."""
    shuffled = list(offered)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert place_thread(shuffled) == place_thread(offered)
    assert place_client(shuffled) == place_client(offered)


@given(st.integers(1, 5), st.integers(1, 40))
def test_threads_that_nobody_uses_are_spread_evenly(workers: int, threads: int) -> None:
    """None gets two more than another."""
    counts = dict.fromkeys(range(1, workers + 1), 0)
    for _ in range(threads):
        number = place_thread(Load(number=n, threads=count) for n, count in counts.items())
        assert number is not None
        counts[number] += 1

    assert max(counts.values()) - min(counts.values()) <= 1
