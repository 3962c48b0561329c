"""The roster of threads: its table of moves, and what holds after any of them."""

from contextlib import ExitStack
from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.workers.front.roster import Entry, Roster
from actors.workers.front.roster_states import MOVES, SETTLED, Move, State, after
from messages.ids import ThreadId, TurnId
from messages.ops import OverrideTurnContext
from tests.effort import examples

OPENING = {"method": "thread/start", "params": {"cwd": "/x", "history": [1], "excludeTurns": True}}


@attrs.define(eq=False)
class Peer:
    """As much of a worker as a roster knows."""

    number: int
    threads: set[ThreadId] = attrs.field(factory=set)


A, B = ThreadId("a"), ThreadId("b")


@pytest.mark.parametrize(("state", "move"), list(product([None, *State], Move)))
def test_a_move_that_is_not_in_the_table_changes_nothing(state: State | None, move: Move) -> None:
    """It is a defect of whoever makes it, and says so."""
    if (state, move) in MOVES:
        assert after(state, move) is MOVES[state, move]
        return
    with pytest.raises(RuntimeError, match=f"cannot {move.value}$"):
        after(state, move)


def test_each_state_can_be_left_and_each_can_be_reached() -> None:
    """Nothing is stuck for ever, and nothing is only drawn."""
    for state in State:
        assert any(new is state for (old, _), new in MOVES.items() if old is not state)
        assert any(new is not state for (old, _), new in MOVES.items() if old is state)


def test_what_opened_a_thread_is_kept_without_what_its_answer_was_to_be() -> None:
    """Histories are recorded by then, and pages of turns are nobody's business later."""
    roster, worker = Roster(), Peer(1)
    with roster.opening(worker, None, OPENING):  # type: ignore[arg-type]
        assert roster.reserved(worker) == 1  # type: ignore[arg-type]
        entry = roster.answered(worker, A, OPENING)  # type: ignore[arg-type]

    assert entry is not None
    assert entry.opening == {"method": "thread/start", "params": {"cwd": "/x"}}
    assert roster.reserved(worker) == 0  # type: ignore[arg-type]


def test_whoever_joins_a_thread_does_not_change_how_it_was_opened() -> None:
    """Overrides of a thread that is loaded count for nothing."""
    roster, worker = Roster(), Peer(1)
    roster.answered(worker, A, {"method": "thread/start", "params": {}})  # type: ignore[arg-type]
    joining = {"method": "thread/resume", "params": {"model": "other"}}
    with roster.opening(worker, A, joining):  # type: ignore[arg-type]
        entry = roster.answered(worker, A, joining)  # type: ignore[arg-type]

    assert entry is not None
    assert entry.opening == {"method": "thread/start", "params": {}}


def test_an_answer_that_comes_after_the_end_of_its_thread_opens_nothing() -> None:
    """What the worker says of its threads may be ahead of its answers."""
    roster, worker = Roster(), Peer(1)
    roster.opened(worker, A, None, ephemeral=False)  # type: ignore[arg-type]
    roster.closed(worker, A)  # type: ignore[arg-type]

    assert roster.answered(worker, A, OPENING) is None  # type: ignore[arg-type]
    assert len(roster) == 0
    assert roster.opened(worker, A, None, ephemeral=False) is not None  # type: ignore[arg-type]


def test_a_thread_that_is_closed_while_it_is_resumed_stays_with_its_worker() -> None:
    """The next request for it must go there as well, or two workers would have it."""
    roster, worker, other = Roster(), Peer(1), Peer(2)
    first = {"method": "thread/start", "params": {"model": "old"}}
    again = {"method": "thread/resume", "params": {"model": "new"}}
    opened = roster.answered(worker, A, first)  # type: ignore[arg-type]
    assert opened is not None
    opened.followers["client"] = None
    with roster.opening(worker, A, again):  # type: ignore[arg-type]
        roster.closed(worker, A)  # type: ignore[arg-type]

        assert roster.find(A) is opened
        assert (opened.state, opened.worker) == (State.RESERVED, worker)
        assert opened.followers == {}
        assert roster.opened(other, A, None, ephemeral=False) is None  # type: ignore[arg-type]

        roster.opened(worker, A, None, ephemeral=False)  # type: ignore[arg-type]

    assert opened.state is State.LOADED
    assert opened.opening == again


def test_a_thread_that_is_closed_behind_the_answer_of_a_resume_is_gone() -> None:
    """The request was there before the end, and loaded nothing after it."""
    roster, worker = Roster(), Peer(1)
    roster.answered(worker, A, OPENING)  # type: ignore[arg-type]
    with roster.opening(worker, A, OPENING):  # type: ignore[arg-type]
        roster.closed(worker, A)  # type: ignore[arg-type]
        assert roster.answered(worker, A, OPENING) is None  # type: ignore[arg-type]

    assert len(roster) == 0


def test_settings_are_remembered_until_many_turns_have_begun() -> None:
    """One of so many has recorded them; what was changed last is remembered longest."""
    entry = Entry(A)
    for number in range(40):
        entry.override(OverrideTurnContext(model=str(number)))
    assert [changed.op.model for changed in entry.overridden] == [str(n) for n in range(8, 40)]
    entry.begin_turn(TurnId("first"))
    entry.override(OverrideTurnContext(model="last"))
    for number in range(31):
        entry.begin_turn(TurnId(str(number)))

    [changed] = entry.overridden
    assert changed.op.model == "last"
    assert changed.turns == tuple(str(n) for n in range(31))
    assert entry.turn_id == "30"


def test_a_second_worker_is_not_believed_about_a_thread_that_another_has() -> None:
    """The first one keeps it."""
    roster, first, second = Roster(), Peer(1), Peer(2)
    entry = roster.opened(first, A, None, ephemeral=False)  # type: ignore[arg-type]
    assert roster.opened(second, A, None, ephemeral=False) is None  # type: ignore[arg-type]
    roster.closed(second, A)  # type: ignore[arg-type]

    assert roster.find(A) is entry
    assert entry is not None
    assert entry.worker is first


def test_agents_are_heard_of_by_who_follows_above_them() -> None:
    """Through any number of generations; each client once."""
    roster, worker = Roster(), Peer(1)
    parents: list[tuple[str, str | None]] = [("r", None), ("a", "r"), ("b", "a")]
    for name, parent in parents:
        roster.opened(worker, ThreadId(name), parent, ephemeral=False)  # type: ignore[arg-type]
    for name, client in (("r", "one"), ("a", "one"), ("b", "two")):
        entry = roster.find(ThreadId(name))
        assert entry is not None
        entry.followers[client] = None
    lowest = roster.find(ThreadId("b"))
    assert lowest is not None

    assert roster.followers(lowest) == ("two", "one")
    roster.forget("one")
    assert roster.followers(lowest) == ("two",)


class Rosters(RuleBasedStateMachine):
    """Workers come, open, close, die; requests come and go; the roster must keep up."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.peers = [Peer(number) for number in (1, 2, 3)]
        self.dead: list[Peer] = []
        self.open: list[tuple[Peer, ThreadId | None, ExitStack]] = []

    peer = st.integers(0, 2)
    thread = st.sampled_from([A, B])

    def _find(self, thread: ThreadId) -> Any:
        return self.roster.find(thread)

    @rule(index=peer, thread=st.none() | thread)
    def ask(self, index: int, thread: ThreadId | None) -> None:
        """A request that may load a thread, where the front would send it."""
        worker = self.peers[index]
        entry = self._find(thread) if thread else None
        if entry is not None:
            if entry.state not in SETTLED:
                return
            worker = entry.worker
        stack = ExitStack()
        stack.enter_context(self.roster.opening(worker, thread, OPENING))
        self.open.append((worker, thread, stack))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), loads=st.booleans())
    def answer(self, data: Any, loads: bool) -> None:
        worker, thread, stack = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        if loads and thread is not None and worker not in self.dead:
            self.roster.answered(worker, thread, OPENING)  # type: ignore[arg-type]
        stack.close()

    @rule(index=peer, thread=thread)
    def says_opened(self, index: int, thread: ThreadId) -> None:
        self.roster.opened(self.peers[index], thread, None, ephemeral=False)  # type: ignore[arg-type]

    @rule(index=peer, thread=thread)
    def says_closed(self, index: int, thread: ThreadId) -> None:
        self.roster.closed(self.peers[index], thread)  # type: ignore[arg-type]

    @rule(index=peer)
    def die(self, index: int) -> None:
        worker = self.peers[index]
        had = self.roster.lose(worker)  # type: ignore[arg-type]
        for entry in had:
            assert entry.state is State.HOMELESS
        for entry in self.roster.at(worker):  # type: ignore[arg-type]
            assert entry.state is State.ADOPTING
            self.roster.fail(entry)
        self.dead.append(worker)
        self.peers[index] = Peer(worker.number + 3)

    @rule(thread=thread)
    def move(self, thread: ThreadId) -> None:
        entry = self._find(thread)
        if entry is not None and entry.state is State.LOADED:
            self.roster.release(entry)

    @rule(thread=thread, keeps=st.booleans())
    def moved(self, thread: ThreadId, keeps: bool) -> None:
        entry = self._find(thread)
        if entry is not None and entry.state is State.RELEASING:
            (self.roster.keep if keeps else self.roster.part)(entry)

    @rule(thread=thread, index=peer)
    def adopt(self, thread: ThreadId, index: int) -> None:
        entry = self._find(thread)
        if entry is not None and entry.state is State.HOMELESS:
            self.roster.adopt(entry, self.peers[index])

    @rule(thread=thread, outcome=st.sampled_from(["settle", "fail", "give_up"]))
    def adopted(self, thread: ThreadId, outcome: str) -> None:
        entry = self._find(thread)
        if entry is not None and entry.state is State.ADOPTING:
            getattr(self.roster, outcome)(entry)

    @invariant()
    def holds(self) -> None:
        entries: list[Entry] = list(self.roster)
        for entry in entries:
            assert self.roster.find(entry.thread_id) is entry
            assert entry.state is not None
            assert (entry.worker is None) == (entry.state is State.HOMELESS)
            assert entry.settled.is_set() == (entry.state in SETTLED)
            assert entry.worker not in self.dead
            if entry.state is State.RESERVED:
                assert entry.reservations
        for worker in self.peers:
            coming = sum(
                entry.worker is worker and entry.state in (State.RESERVED, State.ADOPTING)
                for entry in entries
            )
            asked = sum(peer is worker and thread is None for peer, thread, _ in self.open)
            assert self.roster.reserved(worker) == coming + asked  # type: ignore[arg-type]

    def teardown(self) -> None:
        for _, _, stack in self.open:
            stack.close()


TestRosters = pytest.mark.slow(Rosters.TestCase)
TestRosters.settings = settings(max_examples=examples(30), stateful_step_count=40, deadline=None)
