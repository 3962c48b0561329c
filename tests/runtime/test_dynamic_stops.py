"""Children that are stopped, one by one or all: each has its time, and one deadline holds for all."""

import math

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    Crash,
    DuplicateChild,
    DynamicSupervisorStatistics,
    Intensity,
    NotStarted,
    Restart,
    Shutdown,
    StopOutcome,
    UnknownChild,
)

from .dynamic_stage import COMPLETED, FAILED, TIMED_OUT, Told, slow_spec, supervise
from .stage import Boom, Stage


async def test_stopped_child_gets_its_time(autojump_clock: MockClock) -> None:
    """Told once, waited for, and never restarted, whatever its kind."""
    stage, told = Stage(clean_up={"a": 4.9}), Told()

    async with supervise(told) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        begin = trio.current_time()
        assert await supervisor.stop_child("a") is COMPLETED
        assert trio.current_time() == begin + 4.9
        assert supervisor.child_ids() == ()

    assert stage.log == ["start a", "stop a", "stopped a"]
    assert told.log == [("exit", "a", Shutdown())]


@pytest.mark.parametrize(("grace", "seconds"), [(None, 5), (2, 2), (0, 0)])
async def test_child_that_does_not_stop_in_time_is_cancelled(
    autojump_clock: MockClock, grace: float | None, seconds: float
) -> None:
    """The time of its spec, or the one given."""
    stage, told = Stage(clean_up={"a": math.inf}), Told()

    async with supervise(told) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        begin = trio.current_time()
        assert await supervisor.stop_child("a", grace=grace) is TIMED_OUT
        assert trio.current_time() == begin + seconds

    assert stage.log[-1] == "cancel a"
    assert told.log == [("exit", "a", Shutdown())]


async def test_child_without_a_stop_is_told_by_cancellation(autojump_clock: MockClock) -> None:
    """That is not a timeout."""
    stage = Stage()

    async with supervise() as supervisor:
        await supervisor.start_child(stage.spec("a", polite=False))
        assert await supervisor.stop_child("a") is COMPLETED
        assert trio.current_time() == pytest.approx(0, abs=1e-6)

    assert stage.log == ["start a", "cancel a"]


async def test_child_that_crashes_while_it_stops_has_failed(autojump_clock: MockClock) -> None:
    """It is not restarted."""
    told = Told()
    told_to_stop = trio.Event()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        await told_to_stop.wait()
        raise Boom("a")

    async with supervise(told) as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=run, stop=told_to_stop.set))
        assert await supervisor.stop_child("a") is FAILED

    assert told.log == [("exit", "a", Crash(Boom("a")))]


async def test_child_whose_stop_fails_still_gets_its_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A closed or full mailbox is no reason to kill it at once."""
    stage = Stage()
    spec = attrs.evolve(stage.spec("a"), stop=lambda: stage.tell("nobody", "stop"))

    async with supervise() as supervisor:
        await supervisor.start_child(spec)
        begin = trio.current_time()
        assert await supervisor.stop_child("a") is TIMED_OUT
        assert trio.current_time() == begin + 5

    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "WARNING",
        "child 'a' could not be told to stop",
    )


async def test_unknown_child_is_not_stopped(autojump_clock: MockClock) -> None:
    """Never started, or gone by itself."""
    stage = Stage()

    async with supervise() as supervisor:
        await supervisor.start_child(stage.spec("a", Restart.TRANSIENT))
        stage.tell("a", "return")
        await trio.sleep(1)
        for name in ("a", "b"):
            with pytest.raises(UnknownChild, match=name):
                await supervisor.stop_child(name)


async def test_two_may_stop_one_child(autojump_clock: MockClock) -> None:
    """It is told once; each waits as long as it wants to."""
    stage = Stage(clean_up={"a": 3})
    outcomes: list[tuple[float, StopOutcome]] = []

    async def stop(grace: float) -> None:
        outcome = await supervisor.stop_child("a", grace=grace)
        outcomes.append((trio.current_time(), outcome))

    async with supervise() as supervisor, trio.open_nursery() as nursery:
        await supervisor.start_child(stage.spec("a"))
        begin = trio.current_time()
        nursery.start_soon(stop, 10)
        nursery.start_soon(stop, 20)

    assert outcomes == [(begin + 3, COMPLETED)] * 2
    assert stage.log == ["start a", "stop a", "stopped a"]


async def test_cancelled_stop_has_told_the_child(autojump_clock: MockClock) -> None:
    """It ends by itself; nobody cancels it."""
    stage, told = Stage(clean_up={"a": 20}), Told()

    async with supervise(told) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        with trio.move_on_after(1):
            await supervisor.stop_child("a", grace=10)
        await trio.sleep(30)
        assert told.log == [("exit", "a", Shutdown())]

    assert stage.log == ["start a", "stop a", "stopped a"]


async def test_child_that_waits_for_its_restart_is_stopped_at_once(
    autojump_clock: MockClock,
) -> None:
    """And one that is being restarted is cancelled."""
    stage, told = Stage(), Told()
    runs = 0

    async def hang(*, task_status: "trio.TaskStatus[None]") -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            task_status.started()
            raise Boom("b")
        await trio.sleep_forever()

    intensity = Intensity(restarts=1, period=1e5)
    async with supervise(told, intensity=intensity) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        await supervisor.start_child(ChildSpec(id="b", run=hang, stop=lambda: None))
        await trio.sleep(10)
        stage.tell("a", "crash")
        await wait_all_tasks_blocked()
        begin = trio.current_time()
        assert supervisor.statistics() == DynamicSupervisorStatistics(
            name="threads", children=2, up=0, stopping=0, open=True
        )
        assert await supervisor.stop_child("a") is COMPLETED
        assert await supervisor.stop_child("b") is COMPLETED
        assert trio.current_time() == begin

    assert stage.log == ["start a"]
    assert [entry[:2] for entry in told.log] == [
        ("restarting", "b"),
        ("restarting", "a"),
        ("exit", "a"),
        ("exit", "b"),
    ]


async def test_child_that_is_stopped_while_it_starts_has_not_started() -> None:
    """Whoever starts it gets an error, not a hang."""
    refused: list[str] = []

    async def start() -> None:
        with pytest.raises(NotStarted):
            await supervisor.start_child(slow_spec())
        refused.append("slow")

    async with supervise() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        assert await supervisor.stop_child("slow") is COMPLETED

    assert refused == ["slow"]


async def test_shutdown_is_a_broadcast_with_one_deadline(autojump_clock: MockClock) -> None:
    """Everybody is told at once; stragglers are cancelled; each outcome is reported."""
    stage = Stage(clean_up={"a": 3, "b": math.inf, "c": 4})

    async def fail(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise Boom("d")

    async with supervise() as supervisor:
        for name in "abc":
            await supervisor.start_child(stage.spec(name))
        await supervisor.start_child(ChildSpec(id="d", run=fail))
        begin = trio.current_time()

        outcomes = await supervisor.stop_all(grace=10)

        assert trio.current_time() == begin + 10
        assert list(outcomes.items()) == [
            ("a", COMPLETED),
            ("b", TIMED_OUT),
            ("c", COMPLETED),
            ("d", FAILED),
        ]
        assert await supervisor.stop_all(grace=10) == {}
        assert trio.current_time() == begin + 10
        assert await supervisor.start_child(stage.spec("e")) == "value of e"


async def test_child_that_clings_to_life_is_reported_and_keeps_its_id(
    autojump_clock: MockClock,
) -> None:
    """The wait for a cancelled child is bounded; its id is free when it has ended."""
    told = Told()

    async def cling(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    async with supervise(told, cancel_grace=3) as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=cling))
        begin = trio.current_time()
        assert await supervisor.stop_child("a", grace=1) is TIMED_OUT
        assert trio.current_time() == begin + 4
        assert supervisor.child_ids() == ("a",)
        assert supervisor.statistics().stopping == 1
        with pytest.raises(DuplicateChild):
            await supervisor.start_child(ChildSpec(id="a", run=cling))
        await trio.sleep(100)
        assert told.log == [("exit", "a", Shutdown())]
