"""The supervisor of a fixed set of children."""

import logging
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    DuplicateChild,
    Intensity,
    IntensityExceeded,
    NotStarted,
    Restart,
    Strategy,
    Supervisor,
    SupervisorStatistics,
)

from .stage import Boom, Stage

PATIENT = Intensity(restarts=100, period=5.0)


def supervise(children: Sequence[ChildSpec], **fields: object) -> Supervisor:
    """Return a supervisor with a jitter of its own."""
    return Supervisor("top", children, jitter=random.Random(0), **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncGenerator[Supervisor, None]:
    """Run *supervisor* around the block, and stop it at the end."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(supervisor.run)
        supervisor.stop()


@asynccontextmanager
async def giving_up(supervisor: Supervisor) -> AsyncGenerator[list[IntensityExceeded], None]:
    """Run *supervisor* around the block; it must give up in it, and the list tells how."""
    found: list[IntensityExceeded] = []

    async def run(*, task_status: "trio.TaskStatus[Supervisor]") -> None:
        with pytest.raises(IntensityExceeded) as gave_up:
            await supervisor.run(task_status=task_status)
        found.append(gave_up.value)

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        yield found


async def test_children_start_in_order_and_stop_in_reverse(autojump_clock: MockClock) -> None:
    """Each is ready before the next; each has ended before the one before it is told."""
    stage = Stage(clean_up={"a": 1, "b": 2, "c": 3})

    async with running(supervise([stage.spec(name) for name in "abc"])):
        assert stage.take_log() == ["start a", "start b", "start c"]
        begin = trio.current_time()

    assert stage.log == ["stop c", "stopped c", "stop b", "stopped b", "stop a", "stopped a"]
    assert trio.current_time() == begin + 6


async def test_child_that_does_not_stop_in_its_time_is_cancelled(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each by its own time; a child that is not told politely is cancelled at once."""
    stage = Stage(clean_up={"a": math.inf, "b": math.inf})
    children = [
        stage.spec("a", shutdown=2),
        stage.spec("b", shutdown=0),
        stage.spec("c", polite=False),
    ]

    async with running(supervise(children)):
        stage.take_log()
        begin = trio.current_time()

    assert stage.log == ["cancel c", "stop b", "cancel b", "stop a", "cancel a"]
    assert trio.current_time() == begin + 2
    assert [record.getMessage() for record in caplog.records] == [
        "child 'b' of 'top' stopped: timed_out",
        "child 'a' of 'top' stopped: timed_out",
    ]


async def test_stop_goes_on_when_a_cancelled_child_clings_to_life(
    autojump_clock: MockClock,
) -> None:
    """The wait for a cancelled child is bounded; the others are told meanwhile."""
    stage = Stage()

    async def cling(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    children = [stage.spec("a"), ChildSpec(id="b", run=cling)]
    begin = trio.current_time()

    async with trio.open_nursery() as nursery:
        supervisor = supervise(children, cancel_grace=3)
        await nursery.start(supervisor.run)
        supervisor.stop()
        await trio.sleep(9)
        assert stage.log == ["start a", "stop a"]

    assert trio.current_time() == begin + 100


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["start b"]),
        (Strategy.REST_FOR_ONE, ["stop c", "start b", "start c"]),
        (Strategy.ONE_FOR_ALL, ["stop c", "stop a", "start a", "start b", "start c"]),
    ],
)
async def test_crash_restarts_the_group(
    autojump_clock: MockClock, strategy: Strategy, expected: list[str]
) -> None:
    """Siblings of the group stop in reverse order, then all start in order."""
    stage = Stage()

    async with running(supervise([stage.spec(name) for name in "abc"], strategy=strategy)):
        stage.take_log()
        stage.tell("b", "crash")
        await trio.sleep(1)
        assert stage.take_log() == expected


async def test_restart_waits_a_growing_time(autojump_clock: MockClock) -> None:
    """Jittered exponential backoff, between half and all of the doubled base."""
    stage = Stage()
    intensity = Intensity(restarts=5, period=60, backoff_base=0.1, backoff_cap=10)
    delays: list[float] = []

    async with running(supervise([stage.spec("a")], intensity=intensity)):
        for _ in range(5):
            begin = trio.current_time()
            stage.tell("a", "crash")
            await wait_all_tasks_blocked()
            while not stage.is_up("a"):  # noqa: ASYNC110 -- measures on a mock clock
                await trio.sleep(0.001)
            delays.append(trio.current_time() - begin)

    for attempt, delay in enumerate(delays):
        whole = 0.1 * 2**attempt
        assert whole / 2 <= delay <= whole + 0.01


async def test_supervisor_gives_up_when_the_intensity_is_exceeded(
    autojump_clock: MockClock,
) -> None:
    """It stops the others in reverse order and raises, bare, from the last crash."""
    stage = Stage()

    async with giving_up(supervise([stage.spec(name) for name in "abc"])) as gave_up:
        stage.tell("b", "crash")
        await trio.sleep(1)
        stage.tell("b", "crash")

    assert [error.args for error in gave_up] == [("top", "b", 1, 5.0)]
    assert gave_up[0].__cause__ == Boom("b")
    assert stage.log == ["start a", "start b", "start c", "start b", "stop c", "stop a"]


async def test_permanent_child_that_returns_too_often_has_no_crash_to_blame() -> None:
    """A return of a PERMANENT child counts like a crash."""
    stage = Stage()
    supervisor = supervise([stage.spec("a")], intensity=Intensity(restarts=0))

    async with giving_up(supervisor) as gave_up:
        stage.tell("a", "return")

    assert [error.__cause__ for error in gave_up] == [None]


async def test_crashes_far_apart_are_forgiven(autojump_clock: MockClock) -> None:
    """Only restarts within the period count."""
    stage = Stage()

    async with running(supervise([stage.spec("a")])):
        for _ in range(5):
            stage.tell("a", "crash")
            await trio.sleep(5.1)

    assert stage.log == ["start a"] * 6 + ["stop a"]


async def test_crash_during_a_restart_is_one_more_crash(autojump_clock: MockClock) -> None:
    """A child that does not come up again is tried until the intensity is exceeded."""
    stage = Stage()
    supervisor = supervise([stage.spec("a"), stage.spec("b")], intensity=Intensity(restarts=3))

    async with running(supervisor):
        stage.bad_starts["a"] = 2
        stage.take_log()
        stage.tell("a", "crash")
        await trio.sleep(4)
        assert stage.take_log() == ["bad start a", "bad start a", "start a"]
    async with giving_up(supervisor):
        stage.take_log()
        stage.bad_starts["a"] = 3
        stage.tell("a", "crash")
    assert stage.take_log() == ["bad start a"] * 3 + ["stop b"]


async def test_failed_restart_in_a_group_restarts_the_group_of_the_one_that_failed(
    autojump_clock: MockClock,
) -> None:
    """REST_FOR_ONE: those before the one that failed stay up."""
    stage = Stage()
    children = [stage.spec(name) for name in "abc"]

    async with running(supervise(children, strategy=Strategy.REST_FOR_ONE, intensity=PATIENT)):
        stage.take_log()
        stage.bad_starts["b"] = 1
        stage.tell("a", "crash")
        await trio.sleep(1)
        assert stage.take_log() == [
            "stop c",
            "stop b",
            "start a",
            "bad start b",
            "start b",
            "start c",
        ]


@pytest.mark.parametrize("how", ["raises", "returns"])
async def test_failed_first_start_is_not_retried(how: str) -> None:
    """Children that had started stop in reverse order; the failure comes out bare."""
    stage = Stage(bad_starts=Counter({"c": 1}))

    async def just_return(*, task_status: "trio.TaskStatus[None]") -> None:
        await trio.lowlevel.checkpoint()

    bad = stage.spec("c") if how == "raises" else ChildSpec(id="c", run=just_return)
    expected = Boom if how == "raises" else NotStarted

    with pytest.raises(expected):
        await supervise([stage.spec("a"), stage.spec("b"), bad, stage.spec("d")]).run()

    log = [entry for entry in stage.log if not entry.startswith("bad")]
    assert log == ["start a", "start b", "stop b", "stop a"]


async def test_transient_child_stays_down_after_a_return_until_its_group_restarts(
    autojump_clock: MockClock,
) -> None:
    """As in OTP: known, down, and back with its group."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("b", Restart.TRANSIENT)]

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL)) as supervisor:
        stage.tell("b", "return")
        await trio.sleep(1)
        assert supervisor.statistics() == SupervisorStatistics(
            name="top", children=("a", "b"), up=("a",), restarts=0
        )
        stage.take_log()
        stage.tell("a", "crash")
        await trio.sleep(1)
        assert stage.take_log() == ["start a", "start b"]


async def test_temporary_child_is_forgotten_when_it_ends(autojump_clock: MockClock) -> None:
    """By itself, or with its group."""
    stage = Stage()
    children = [
        stage.spec("a"),
        stage.spec("b", Restart.TEMPORARY),
        stage.spec("c", Restart.TEMPORARY),
    ]

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL)) as supervisor:
        stage.tell("b", "crash")
        await trio.sleep(1)
        assert supervisor.statistics().children == ("a", "c")
        stage.take_log()
        stage.tell("a", "crash")
        await trio.sleep(1)
        assert stage.take_log() == ["stop c", "start a"]
        assert supervisor.statistics() == SupervisorStatistics(
            name="top", children=("a",), up=("a",), restarts=1
        )


async def test_children_of_one_group_that_crash_at_once_count_once(
    autojump_clock: MockClock,
) -> None:
    """The restart of the group deals with all of them."""
    stage = Stage()
    children = [stage.spec(name) for name in "abc"]

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL)) as supervisor:
        stage.take_log()
        for name in "abc":
            stage.tell(name, "crash")
        await trio.sleep(1)
        assert stage.take_log() == ["start a", "start b", "start c"]
        assert supervisor.statistics().restarts == 1


async def test_temporary_child_that_crashes_with_its_group_is_forgotten_once(
    autojump_clock: MockClock,
) -> None:
    """Its end was dealt with by the group."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("b", Restart.TEMPORARY)]

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL)) as supervisor:
        stage.take_log()
        stage.tell("a", "crash")
        stage.tell("b", "crash")
        await trio.sleep(1)
        assert stage.take_log() == ["start a"]
        assert supervisor.statistics().children == ("a",)


async def test_unrelated_children_that_crash_at_once_restart_one_after_the_other(
    autojump_clock: MockClock,
) -> None:
    """Each counts; none is lost."""
    stage = Stage()
    supervisor = supervise([stage.spec(name) for name in "ab"], intensity=PATIENT)

    async with running(supervisor):
        stage.take_log()
        stage.tell("a", "crash")
        stage.tell("b", "crash")
        await trio.sleep(1)
        assert sorted(stage.take_log()) == ["start a", "start b"]
        assert supervisor.statistics().restarts == 2


async def test_child_that_clings_to_life_is_not_started_a_second_time(
    autojump_clock: MockClock,
) -> None:
    """A restart waits for the end of every child of the group, however long."""
    alive = 0
    starts: list[float] = []

    async def cling(*, task_status: "trio.TaskStatus[None]") -> None:
        nonlocal alive
        alive += 1
        assert alive == 1
        starts.append(trio.current_time())
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        alive -= 1

    stage = Stage()
    children = [stage.spec("a"), ChildSpec(id="b", run=cling)]

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL, cancel_grace=0)):
        stage.tell("a", "crash")
        await trio.sleep(150)

    assert starts[1] - starts[0] >= 100


@pytest.mark.parametrize("when", ["backoff", "start", "stop of a sibling"])
async def test_stop_does_not_wait_for_what_the_supervisor_is_doing(
    autojump_clock: MockClock, when: str
) -> None:
    """It cuts a backoff or a start short, and stops what runs in reverse order."""
    stage = Stage(clean_up={"b": 1})
    slow = False

    async def slow_start(*, task_status: "trio.TaskStatus[None]") -> None:
        if slow:
            await trio.sleep_forever()
        task_status.started()
        await trio.sleep_forever()

    children = [stage.spec("a"), stage.spec("b"), ChildSpec(id="c", run=slow_start)]
    intensity = Intensity(restarts=1, period=1e6, backoff_base=1000, backoff_cap=1e5)
    begin = trio.current_time()

    async with running(supervise(children, strategy=Strategy.ONE_FOR_ALL, intensity=intensity)):
        slow = when == "start"
        stage.take_log()
        stage.tell("a", "crash")
        await trio.sleep({"backoff": 10, "start": 2000, "stop of a sibling": 0.5}[when])
        now = trio.current_time()

    assert trio.current_time() - now <= 1
    assert stage.log[:2] == ["stop b", "stopped b"]
    assert stage.log[2:] == (["start a", "start b", "stop b", "stopped b", "stop a"] * slow)
    assert begin < now


async def test_cancelled_supervisor_cancels_all_children() -> None:
    """All at once, without telling them."""
    stage = Stage()

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise([stage.spec("a"), stage.spec("b")]).run)
            stage.take_log()
            scope.cancel()

    assert sorted(stage.log) == ["cancel a", "cancel b"]
    assert not +stage.alive


async def test_start_is_cancelled_with_the_child_that_starts() -> None:
    """No child is left behind."""
    stage = Stage()

    async def never_up(*, task_status: "trio.TaskStatus[None]") -> None:
        stage.log.append("begin b")
        try:
            await trio.sleep_forever()
        finally:
            stage.log.append("end b")

    with trio.move_on_after(0.01):
        await supervise([stage.spec("a"), ChildSpec(id="b", run=never_up)]).run()

    assert sorted(stage.log) == ["begin b", "cancel a", "end b", "start a"]


async def test_keyboard_interrupt_in_a_child_comes_out_bare() -> None:
    """It is no crash: everything is cancelled and the host gets it."""
    stage = Stage()

    async def interrupted(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        await trio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await supervise([stage.spec("a"), ChildSpec(id="b", run=interrupted)]).run()

    assert stage.log == ["start a", "cancel a"]


async def test_supervisor_runs_under_a_supervisor(autojump_clock: MockClock) -> None:
    """One that gives up is a crash of its parent's child, and starts afresh."""
    stage = Stage()
    inner = supervise([stage.spec("a"), stage.spec("b")], intensity=Intensity(restarts=0))
    outer = supervise([ChildSpec(id="inner", run=inner.run, stop=inner.stop, shutdown=math.inf)])

    async with running(outer):
        stage.tell("a", "crash")
        await trio.sleep(1)

    assert stage.log == [
        "start a",
        "start b",
        "stop b",
        "start a",
        "start b",
        "stop b",
        "stop a",
    ]


async def test_supervisor_runs_once_at_a_time_and_again_afterwards() -> None:
    """A second run at the same time is an error of the caller."""
    stage = Stage()
    supervisor = supervise([stage.spec("a")])

    async with running(supervisor):
        assert repr(supervisor) == (
            "<Supervisor 'top': one_for_one, 1 of 1 children up, 0 restarts, running>"
        )
        with pytest.raises(RuntimeError, match="runs already"):
            await supervisor.run()
    supervisor.stop()
    async with running(supervisor):
        pass

    assert stage.log == ["start a", "stop a"] * 2
    assert repr(supervisor).endswith("stopped>")


def test_children_have_different_ids() -> None:
    """Refused before anything starts."""
    stage = Stage()

    with pytest.raises(DuplicateChild, match="'a'"):
        supervise([stage.spec("a"), stage.spec("a")])


async def test_crashes_and_restarts_are_logged_without_messages(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A crash with its traceback at ERROR, a restart at INFO."""
    stage = Stage()

    with caplog.at_level(logging.DEBUG, "actors"):
        async with running(supervise([stage.spec("a")])):
            stage.tell("a", "crash")
            await trio.sleep(1)

    crash, restart = caplog.records
    assert (crash.levelname, crash.getMessage()) == ("ERROR", "child 'a' of 'top' crashed")
    assert crash.exc_info is not None
    assert crash.exc_info[1] == Boom("a")
    assert restart.levelname == "INFO"
    assert restart.getMessage().startswith("supervisor 'top' restarts a in 0.")
