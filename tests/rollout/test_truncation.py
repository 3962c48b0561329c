"""Where turns begin, and what a fork takes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout import (
    drop_last_user_turns,
    is_user_message,
    load_rollout,
    missing_turn_ends,
    reconstruct,
    truncate_before_nth_user_message,
    user_message_positions,
)
from messages.items import Message
from messages.rollout import CompactedItem, RolloutItem

from .samples import (
    POLICY,
    assistant,
    completed,
    meta,
    rolled_back,
    said,
    started,
    turn,
    turn_context,
    user,
)

U = [user(f"u{n}") for n in range(5)]
A = [assistant(f"a{n}") for n in range(5)]
WRAPPER = user("<environment_context>")
PREFIX = (meta(), WRAPPER)
RECORDED = sorted(Path(__file__).parents[1].joinpath("fixtures", "rollouts").glob("*.jsonl"))


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> tuple[RolloutItem, ...]:
    return load_rollout(request.param).items


def test_markers_take_positions_away_and_stay_in_the_prefix() -> None:
    """The example of the dossier: u1 a1 u2 a2 RB(1) u3 a3 u4 a4, cut before u4."""
    items: tuple[RolloutItem, ...] = (
        U[1], A[1], U[2], A[2], rolled_back(1), U[3], A[3], U[4], A[4],
    )  # fmt: skip

    assert user_message_positions(items) == [0, 5, 7]
    assert truncate_before_nth_user_message(items, 2) == items[:7]


def test_nth_counts_from_0_and_none_means_everything() -> None:
    """0 keeps what came before the first; beyond the last there is nothing."""
    items = (*PREFIX, U[0], said("u0"), A[0], U[1], A[1])

    assert truncate_before_nth_user_message(items, 0) == PREFIX
    assert truncate_before_nth_user_message(items, 1) == items[:5]
    assert truncate_before_nth_user_message(items, 2) == ()
    assert truncate_before_nth_user_message(items, None) == items


def test_turn_that_the_nth_message_begins_is_left_out_as_a_whole() -> None:
    """With what came before the message in it, such as settings; else it would stay, empty."""
    first = (started("t0"), U[0], A[0], completed("t0"))
    items = (*PREFIX, *first, started("t1"), WRAPPER, turn_context("m"), U[1], A[1])

    assert truncate_before_nth_user_message(items, 0) == PREFIX
    assert truncate_before_nth_user_message(items, 1) == (*PREFIX, *first)


def test_turn_that_the_nth_message_joined_keeps_what_came_before() -> None:
    """The message before it was said in that turn."""
    items = (*PREFIX, started("t0"), U[0], A[0], U[1], A[1], completed("t0"))

    assert truncate_before_nth_user_message(items, 1) == items[:5]


@pytest.mark.parametrize("between", [completed("t0"), rolled_back(1)])
def test_turn_that_is_over_is_not_the_one_that_the_nth_message_begins(
    between: RolloutItem,
) -> None:
    """Such as one that compacted, before a message of an old file, which names no turns."""
    items = (*PREFIX, started("t0"), between, U[0], A[0])

    assert truncate_before_nth_user_message(items, 0) == items[:4]


def test_fork_of_a_recorded_thread_has_only_whole_turns(recorded: tuple[RolloutItem, ...]) -> None:
    """Before whichever message it is cut."""
    for n in range(len(user_message_positions(recorded))):
        assert missing_turn_ends(truncate_before_nth_user_message(recorded, n)) == ()


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


steps = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["named", "unnamed", "steered"])), max_size=25
)


def one_turn(number: int, kind: str) -> list[RolloutItem]:
    """One with its start and end, one of an old file without, or one with a second message."""
    items = turn(number)
    if kind == "unnamed":
        return items[1:-1]
    joined = [user(f"and {number}"), said("and"), assistant(f"more {number}")]
    return [*items[:-1], *joined, items[-1]] if kind == "steered" else items


def build(
    choices: list[tuple[int, str]],
) -> tuple[tuple[RolloutItem, ...], list[list[Message]]]:
    """A rollout of turns and rollbacks, and the exchanges that are left by a simple model."""
    items: list[RolloutItem] = [*PREFIX]
    exchanges: list[list[Message]] = []
    for number, (choice, kind) in enumerate(choices):
        if choice:
            said_now = one_turn(number, kind)
            items += said_now
            for message in (item for item in said_now if isinstance(item, Message)):
                if message.role == "user":
                    exchanges.append([])
                exchanges[-1].append(message)
        if choice == 3:
            count = number % 4
            items.append(rolled_back(count))
            del exchanges[max(len(exchanges) - count, 0) :]
    return tuple(items), exchanges


@given(choices=steps)
def test_replay_gives_the_turns_that_were_not_rolled_back(choices: list[tuple[int, str]]) -> None:
    """The history after replay is the prefix and what survived."""
    items, exchanges = build(choices)

    history = reconstruct(items, initial_context=(), policy=POLICY)

    assert history == [WRAPPER, *(item for one in exchanges for item in one)]


@given(choices=steps, n=st.integers(0, 10))
def test_cut_prefix_replays_to_what_came_before_the_nth(
    choices: list[tuple[int, str]], n: int
) -> None:
    """Whatever was rolled back on the way, a fork has exactly the first n exchanges."""
    items, exchanges = build(choices)

    prefix = truncate_before_nth_user_message(items, n)

    history = reconstruct(prefix, initial_context=(), policy=POLICY)
    if n >= len(exchanges):
        assert prefix == ()
    else:
        assert prefix == items[: len(prefix)]
        assert history == [WRAPPER, *(item for one in exchanges[:n] for item in one)]


@given(choices=steps, n=st.integers(0, 10))
def test_only_a_turn_that_was_joined_is_left_unfinished(
    choices: list[tuple[int, str]], n: int
) -> None:
    """A fork ends with the turn before, and never with an empty one."""
    prefix = truncate_before_nth_user_message(build(choices)[0], n)

    unfinished = [end.turn_id for end in missing_turn_ends(prefix)]

    starts = [i for i, item in enumerate(prefix) if item in map(started, map(str, unfinished))]
    assert len(starts) == len(unfinished) <= 1
    assert all(any(map(is_user_message, prefix[start:])) for start in starts)
