"""Where turns begin, and what a fork takes."""

from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    drop_last_user_turns,
    reconstruct,
    truncate_before_nth_user_message,
    user_message_positions,
)
from messages.items import Message
from messages.rollout import CompactedItem, RolloutItem

from .samples import POLICY, assistant, meta, rolled_back, said, started, turn, user

U = [user(f"u{n}") for n in range(5)]
A = [assistant(f"a{n}") for n in range(5)]
WRAPPER = user("<environment_context>")
PREFIX = (meta(), WRAPPER)


def test_markers_take_positions_away_and_stay_in_the_prefix() -> None:
    """The example of the dossier: u1 a1 u2 a2 RB(1) u3 a3 u4 a4, cut before u4."""
    items: tuple[RolloutItem, ...] = (
        U[1], A[1], U[2], A[2], rolled_back(1), U[3], A[3], U[4], A[4],
    )  # fmt: skip

    assert user_message_positions(items) == [0, 5, 7]
    assert truncate_before_nth_user_message(items, 2) == items[:7]


def test_nth_counts_from_0_and_none_means_everything() -> None:
    """0 keeps what came before the first; beyond the last there is nothing."""
    items = (*PREFIX, U[0], said("u0"), A[0], started("t"), U[1], A[1])

    assert truncate_before_nth_user_message(items, 0) == PREFIX
    assert truncate_before_nth_user_message(items, 1) == items[:6]
    assert truncate_before_nth_user_message(items, 2) == ()
    assert truncate_before_nth_user_message(items, None) == items


def test_events_and_compactions_do_not_move_boundaries() -> None:
    """Only messages and rollback markers count."""
    items = (said("x"), U[0], said("u0"), CompactedItem(message="s"), rolled_back(0), U[1])
    assert user_message_positions(items) == [1, 5]
    assert user_message_positions((*items, rolled_back(99))) == []
    assert user_message_positions((*items, rolled_back(99), U[2])) == [7]


def test_dropping_turns_keeps_what_came_before_the_first() -> None:
    """None, some, all and more than all; without a user message nothing happens."""
    history = [WRAPPER, U[0], A[0], U[1], A[1]]
    for count, kept in ((0, 5), (-1, 5), (1, 3), (2, 1), (3, 1)):
        left = list(history)
        drop_last_user_turns(left, count)
        assert left == history[:kept]
    only_prefix = [WRAPPER, A[0]]
    drop_last_user_turns(only_prefix, 1)
    assert only_prefix == [WRAPPER, A[0]]


steps = st.lists(st.integers(0, 3), max_size=25)


def build(choices: list[int]) -> tuple[tuple[RolloutItem, ...], list[list[Message]]]:
    """A rollout of turns and rollbacks, and the turns that are left by a simple model."""
    items: list[RolloutItem] = [*PREFIX]
    turns: list[list[Message]] = []
    for number, choice in enumerate(choices):
        if choice:
            items += turn(number)
            turns.append([item for item in turn(number) if isinstance(item, Message)])
        if choice == 3:
            count = number % 4
            items.append(rolled_back(count))
            del turns[max(len(turns) - count, 0) :]
    return tuple(items), turns


@given(choices=steps)
def test_replay_gives_the_turns_that_were_not_rolled_back(choices: list[int]) -> None:
    """The history after replay is the prefix and the surviving turns."""
    items, turns = build(choices)

    history = reconstruct(items, initial_context=(), policy=POLICY)

    assert history == [WRAPPER, *(item for one in turns for item in one)]


@given(choices=steps, n=st.integers(0, 10))
def test_cut_prefix_replays_to_the_turns_before_the_nth(choices: list[int], n: int) -> None:
    """Whatever was rolled back on the way, a fork has exactly the first n turns."""
    items, turns = build(choices)

    prefix = truncate_before_nth_user_message(items, n)

    history = reconstruct(prefix, initial_context=(), policy=POLICY)
    if n >= len(turns):
        assert prefix == ()
    else:
        assert history == [WRAPPER, *(item for one in turns[:n] for item in one)]
