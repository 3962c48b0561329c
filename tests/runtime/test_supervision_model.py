"""Running supervisors against models of them, on a mock clock."""

import logging
import random
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Literal, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    Crash,
    DynamicSupervisor,
    ExitReason,
    Intensity,
    IntensityExceeded,
    Normal,
    NotStarted,
    Restart,
    Shutdown,
    StopOutcome,
    Strategy,
    Supervisor,
)

from .stage import Boom, Stage

NAMES = "abcd"
PERIOD = 5.0

Gone = Literal["crash", "return"]
GONE = st.sampled_from(("crash", "return"))
KINDS = st.sampled_from(Restart)

# A child's command, or seconds that pass, or how many restarts in a row fail.
Step: TypeAlias = tuple[str, str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(GONE, st.sampled_from(NAMES), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 6)),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True, scope="module")
def _silence() -> Generator[None, None, None]:
    """Do not format thousands of tracebacks that are on purpose."""
    logger = logging.getLogger("actors")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


def run_on_mock_clock(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *main* with a clock of its own: hypothesis calls a test many times."""
    trio.run(main, clock=MockClock(autojump_threshold=0))


@attrs.define
class GroupModel:
    """
    What OTP's supervisor does, written down as plain list work.

    Attributes:
        children: Known children and their kind, in start order.
        strategy: Who restarts together.
        intensity: Restarts allowed within `PERIOD`.
        up: Who runs.
        log: What the stage must have logged.
        history: When there was a restart.
        given_up: Whether it is over.
    """

    children: list[tuple[str, Restart]]
    strategy: Strategy
    intensity: int
    up: set[str] = attrs.field(factory=set[str])
    log: list[str] = attrs.field(factory=list[str])
    history: list[float] = attrs.field(factory=list[float])
    given_up: bool = False

    def start(self) -> None:
        for name, _ in self.children:
            self.log.append(f"start {name}")
            self.up.add(name)

    def stop(self) -> None:
        self._stop([name for name, _ in self.children])

    def end(self, name: str, how: str, now: float, bad_starts: int) -> None:
        """A child ends by itself, and *bad_starts* of the following starts of it fail."""
        kind = dict(self.children)[name]
        self.up.discard(name)
        if kind is Restart.TEMPORARY:
            self.children.remove((name, kind))
            return
        if kind is Restart.TRANSIENT and how == "return":
            return
        if sum(now - time <= PERIOD for time in self.history) + 1 > self.intensity:
            self.given_up = True
            self.stop()
            return
        self.history.append(now)
        group = self._group(name)
        self._stop([sibling for sibling, _ in group])
        for sibling, sibling_kind in group:
            if sibling_kind is Restart.TEMPORARY:
                self.children.remove((sibling, sibling_kind))
        for sibling, sibling_kind in group:
            if sibling_kind is Restart.TEMPORARY:
                continue
            if sibling == name and bad_starts:
                self.log.append(f"bad start {name}")
                self.end(name, "crash", now, bad_starts - 1)
                return
            self.log.append(f"start {sibling}")
            self.up.add(sibling)

    def _group(self, name: str) -> list[tuple[str, Restart]]:
        names = [child for child, _ in self.children]
        at = names.index(name)
        return {
            Strategy.ONE_FOR_ONE: self.children[at : at + 1],
            Strategy.ONE_FOR_ALL: self.children[:],
            Strategy.REST_FOR_ONE: self.children[at:],
        }[self.strategy]

    def _stop(self, names: list[str]) -> None:
        for name in reversed(names):
            if name in self.up:
                self.log.append(f"stop {name}")
                self.up.remove(name)


@given(
    kinds=st.lists(KINDS, min_size=1, max_size=len(NAMES)),
    strategy=st.sampled_from(Strategy),
    intensity=st.integers(0, 4),
    steps=STEPS,
)
def test_supervisor_does_what_otp_would_do(
    kinds: list[Restart], strategy: Strategy, intensity: int, steps: list[Step]
) -> None:
    """Who stops, who starts, in what order, and when it gives up."""
    children = list(zip(NAMES, kinds, strict=False))
    model = GroupModel(children[:], strategy, intensity)
    stage = Stage()
    gave_up: list[IntensityExceeded] = []

    async def run(supervisor: Supervisor, *, task_status: "trio.TaskStatus[Supervisor]") -> None:
        try:
            await supervisor.run(task_status=task_status)
        except IntensityExceeded as error:
            gave_up.append(error)

    async def main() -> None:
        supervisor = Supervisor(
            "top",
            [stage.spec(name, kind) for name, kind in children],
            strategy=strategy,
            # No delay: the model would have to know the jitter.
            intensity=Intensity(restarts=intensity, period=PERIOD, backoff_base=0),
            jitter=random.Random(0),
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(run, supervisor)
            model.start()
            for what, name, number in steps:
                if what == "wait":
                    await trio.sleep(number)
                elif name in model.up:
                    stage.bad_starts[name] = number
                    stage.tell(name, what)
                    model.end(name, what, trio.current_time(), number)
                    await wait_all_tasks_blocked()
                    stage.bad_starts.clear()
                assert stage.log == model.log
                assert {child for child in NAMES if stage.is_up(child)} == model.up
                assert bool(gave_up) == model.given_up
                if gave_up:
                    return
                assert supervisor.statistics().up == tuple(
                    child for child, _ in model.children if child in model.up
                )
            supervisor.stop()
            model.stop()

    run_on_mock_clock(main)

    assert stage.log == model.log
    assert not +stage.alive


CHAOS = st.lists(
    st.tuples(
        st.integers(0, 40),  # when, in quarters of a second
        st.sampled_from(NAMES),
        st.sampled_from(("crash", "return", "bad start")),
    ),
    max_size=20,
)


@given(
    kinds=st.lists(KINDS, min_size=1, max_size=len(NAMES)),
    strategy=st.sampled_from(Strategy),
    intensity=st.integers(0, 6),
    clean_up=st.lists(st.sampled_from((0.0, 0.3, 9.0)), min_size=4, max_size=4),
    chaos=CHAOS,
    end_at=st.integers(0, 60),
    end=st.sampled_from(("stop", "cancel")),
)
def test_supervisor_keeps_its_invariants_whatever_happens_at_once(  # noqa: PLR0917 -- by name
    kinds: list[Restart],
    strategy: Strategy,
    intensity: int,
    clean_up: list[float],
    chaos: list[tuple[int, str, str]],
    end_at: int,
    end: str,
) -> None:
    """
    No child runs twice at a time, none outlives the supervisor, and it always ends.

    The stage fails if a child runs twice.
    """
    children = list(zip(NAMES, kinds, strict=False))
    stage = Stage(clean_up=dict(zip(NAMES, clean_up, strict=True)))

    async def disturb(when: int, name: str, what: str) -> None:
        await trio.sleep(when / 4)
        if what == "bad start":
            stage.bad_starts[name] += 1
        elif stage.is_up(name):
            stage.tell(name, what)

    async def main() -> None:
        supervisor = Supervisor(
            "top",
            [stage.spec(name, kind, shutdown=1) for name, kind in children],
            strategy=strategy,
            intensity=Intensity(restarts=intensity, period=PERIOD),
            jitter=random.Random(0),
        )
        async with trio.open_nursery() as nursery:
            for trouble in chaos:
                nursery.start_soon(disturb, *trouble)
            with trio.move_on_after(end_at / 4) as scope:
                try:
                    await supervisor.run()
                except (IntensityExceeded, Boom):
                    nursery.cancel_scope.cancel()
                    return
            assert scope.cancelled_caught
            assert not +stage.alive
            nursery.cancel_scope.cancel()
        if end == "stop":
            await stop_politely(supervisor)

    async def stop_politely(supervisor: Supervisor) -> None:
        stage.bad_starts.clear()
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            begin = trio.current_time()
            stage.take_log()
            supervisor.stop()
        told = [entry[5:] for entry in stage.log if entry.startswith("stop ")]
        assert told == [name for name, _ in reversed(children)]
        assert trio.current_time() - begin <= len(children)

    run_on_mock_clock(main)

    assert not +stage.alive


# The dynamic one --------------------------------------------------------------

DYNAMIC_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(NAMES), st.integers(0, 1), KINDS),
        st.tuples(GONE, st.sampled_from(NAMES), st.integers(0, 2), st.just(Restart.PERMANENT)),
        st.tuples(st.just("stop"), st.sampled_from(NAMES), st.just(0), st.just(Restart.PERMANENT)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 6), st.just(Restart.PERMANENT)),
    ),
    max_size=20,
)

Told: TypeAlias = tuple[object, ...]


@attrs.define
class CrowdModel:
    """
    Children that have nothing to do with each other.

    Attributes:
        intensity: Restarts allowed within `PERIOD`, for each.
        children: Kind and restart times of each.
        told: What the callbacks must have been told.
    """

    intensity: int
    children: dict[str, tuple[Restart, list[float]]] = attrs.field(
        factory=dict[str, tuple[Restart, list[float]]]
    )
    told: list[Told] = attrs.field(factory=list[Told])

    def end(self, name: str, how: str, now: float, bad_starts: int) -> None:
        kind, history = self.children[name]
        reason: ExitReason = Crash(Boom(name)) if how == "crash" else Normal()
        comes_back = kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and how == "crash")
        if not comes_back:
            self._exit(name, reason)
        elif sum(now - time <= PERIOD for time in history) + 1 > self.intensity:
            self.told.append(("gave up", name))
            self._exit(name, reason)
        else:
            history.append(now)
            self.told.append(("restarting", name, reason))
            if bad_starts:
                self.end(name, "crash", now, bad_starts - 1)
            else:
                self.told.append(("restarted", name))

    def stop(self, name: str) -> None:
        self._exit(name, Shutdown())

    def _exit(self, name: str, reason: ExitReason) -> None:
        del self.children[name]
        self.told.append(("exit", name, reason))


@given(intensity=st.integers(0, 3), steps=DYNAMIC_STEPS)
def test_dynamic_supervisor_treats_each_child_as_if_it_were_alone(
    intensity: int, steps: list[tuple[str, str, int, Restart]]
) -> None:
    """Callbacks, ids and outcomes are those of the model, step by step."""
    model = CrowdModel(intensity)
    stage = Stage()
    told: list[Told] = []

    def on_restarting(name: str, reason: ExitReason, delay: float) -> None:
        assert delay == 0
        told.append(("restarting", name, reason))

    async def take(supervisor: DynamicSupervisor, step: tuple[str, str, int, Restart]) -> None:
        what, name, number, kind = step
        if what == "wait":
            await trio.sleep(number)
        elif what == "start" and name not in model.children:
            stage.bad_starts[name] = number
            if number:
                with pytest.raises(Boom):
                    await supervisor.start_child(stage.spec(name, kind))
            else:
                assert await supervisor.start_child(stage.spec(name, kind)) == f"value of {name}"
                model.children[name] = kind, []
        elif what == "stop" and name in model.children:
            assert await supervisor.stop_child(name) is StopOutcome.COMPLETED
            model.stop(name)
        elif what in ("crash", "return") and name in model.children:
            stage.bad_starts[name] = number
            stage.tell(name, what)
            model.end(name, what, trio.current_time(), number)
            await wait_all_tasks_blocked()
        stage.bad_starts.clear()

    async def main() -> None:
        supervisor = DynamicSupervisor(
            "crowd",
            jitter=random.Random(0),
            intensity=Intensity(restarts=intensity, period=PERIOD, backoff_base=0),
            on_exit=lambda name, reason: told.append(("exit", name, reason)),
            on_restarting=on_restarting,
            on_restarted=lambda name: told.append(("restarted", name)),
            on_gave_up=lambda name, _: told.append(("gave up", name)),
        )
        async with supervisor:
            for step in steps:
                await take(supervisor, step)
                assert told == model.told
                assert supervisor.child_ids() == tuple(model.children)
                assert {name for name in NAMES if stage.is_up(name)} == set(model.children)
            left = len(model.children)
            outcomes = await supervisor.stop_all(grace=1)
            assert list(outcomes) == list(model.children)
            assert set(outcomes.values()) <= {StopOutcome.COMPLETED}
            assert len(told) == len(model.told) + left

    run_on_mock_clock(main)

    assert not +stage.alive


@given(
    starts=st.lists(
        st.tuples(
            st.integers(0, 8),  # when, in quarters of a second
            st.sampled_from(NAMES),
            st.sampled_from((0.0, 0.3, 0.6)),  # until it is up
            st.sampled_from((None, 0.2, 0.5)),  # until its starter is cancelled
            st.sampled_from((None, 0.1, 0.4, 1.5)),  # until it crashes
        ),
        max_size=10,
    ),
    stops=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(NAMES)), max_size=6),
    leave_at=st.integers(0, 16),
    cancel=st.booleans(),
)
def test_dynamic_supervisor_keeps_its_invariants_whatever_happens_at_once(
    starts: list[tuple[int, str, float, float | None, float | None]],
    stops: list[tuple[int, str]],
    leave_at: int,
    cancel: bool,
) -> None:
    """
    Each start that succeeded has exactly one exit, each other start has none.

    No id runs twice at a time, and nothing outlives the block.
    """
    alive: dict[str, int] = dict.fromkeys(NAMES, 0)
    came_up: list[str] = []
    exits: list[str] = []

    def spec(name: str, until_up: float, until_crash: float | None) -> ChildSpec:
        async def run(*, task_status: "trio.TaskStatus[None]") -> None:
            alive[name] += 1
            assert alive[name] == 1
            try:
                await trio.sleep(until_up)
                task_status.started()
                if until_crash is None:
                    await trio.sleep_forever()
                await trio.sleep(until_crash or 0)
                raise Boom(name)
            finally:
                alive[name] -= 1

        return ChildSpec(id=name, run=run)

    async def start(
        supervisor: DynamicSupervisor,
        what: tuple[int, str, float, float | None, float | None],
    ) -> None:
        when, name, until_up, until_cancel, until_crash = what
        await trio.sleep(when / 4)
        if name in supervisor:
            return
        with trio.move_on_after(9 if until_cancel is None else until_cancel):
            try:
                await supervisor.start_child(spec(name, until_up, until_crash))
            except NotStarted:
                return
            came_up.append(name)

    async def stop(supervisor: DynamicSupervisor, when: int, name: str) -> None:
        await trio.sleep(when / 4)
        if name in supervisor:
            await supervisor.stop_child(name, grace=1)

    async def main() -> None:
        supervisor = DynamicSupervisor(
            "crowd",
            jitter=random.Random(0),
            on_exit=lambda name, _: exits.append(name),
        )
        with trio.CancelScope() as host:
            async with supervisor, trio.open_nursery() as nursery:
                for what in starts:
                    nursery.start_soon(start, supervisor, what)
                for when, name in stops:
                    nursery.start_soon(stop, supervisor, when, name)
                await trio.sleep(leave_at / 4)
                if cancel:
                    host.cancel()
                nursery.cancel_scope.cancel()
        assert len(supervisor) == 0

    run_on_mock_clock(main)

    assert sorted(exits) == sorted(came_up)
    assert not any(alive.values())
