"""The supervisor of children that come and go."""

import logging
import math
import random

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    Crash,
    DuplicateChild,
    DynamicSupervisor,
    DynamicSupervisorStatistics,
    ExitReason,
    Intensity,
    IntensityExceeded,
    Normal,
    NotStarted,
    Restart,
    Shutdown,
    StopOutcome,
    SupervisorStopped,
    UnknownChild,
)

from .stage import Boom, Stage

COMPLETED, TIMED_OUT, FAILED = StopOutcome.COMPLETED, StopOutcome.TIMED_OUT, StopOutcome.FAILED


@attrs.define(eq=False)
class Told:
    """What the callbacks were told, in order."""

    log: list[tuple[object, ...]] = attrs.field(factory=list[tuple[object, ...]])
    gave_up: list[IntensityExceeded] = attrs.field(factory=list[IntensityExceeded])

    def on_exit(self, child_id: str, reason: ExitReason) -> None:
        self.log.append(("exit", child_id, reason))

    def on_restarting(self, child_id: str, reason: ExitReason, delay: float) -> None:
        self.log.append(("restarting", child_id, reason))
        assert 0.05 <= delay <= 1

    def on_restarted(self, child_id: str) -> None:
        self.log.append(("restarted", child_id))

    def on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        self.log.append(("gave up", child_id))
        self.gave_up.append(error)


def supervise(told: Told | None = None, **fields: object) -> DynamicSupervisor:
    """Return a supervisor that tells *told*."""
    callbacks: dict[str, object] = {}
    if told is not None:
        callbacks = {
            "on_exit": told.on_exit,
            "on_restarting": told.on_restarting,
            "on_restarted": told.on_restarted,
            "on_gave_up": told.on_gave_up,
        }
    return DynamicSupervisor(
        "threads",
        jitter=random.Random(0),
        **callbacks,  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


# Starting -------------------------------------------------------------------


async def test_start_gives_what_the_child_gave_to_started() -> None:
    """The child is listed from its start, in start order."""
    stage = Stage()

    async with supervise() as supervisor:
        assert await supervisor.start_child(stage.spec("b")) == "value of b"
        assert await supervisor.start_child(stage.spec("a")) == "value of a"
        assert supervisor.child_ids() == ("b", "a")
        assert "a" in supervisor
        assert "c" not in supervisor
        assert len(supervisor) == 2


async def test_second_child_of_an_id_is_refused() -> None:
    """Also while the first one starts; the first is not touched."""
    stage = Stage()

    async with supervise() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.start_child, slow_spec())
        await wait_all_tasks_blocked()
        with pytest.raises(DuplicateChild, match="'slow'"):
            await supervisor.start_child(slow_spec())
        await supervisor.start_child(stage.spec("a"))
        with pytest.raises(DuplicateChild, match="'a'"):
            await supervisor.start_child(stage.spec("a"))
        assert stage.log == ["start a"]
        nursery.cancel_scope.cancel()


def slow_spec() -> ChildSpec:
    """Return a child that never comes up."""

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        await trio.sleep_forever()

    return ChildSpec(id="slow", run=run)


async def test_failed_start_is_raised_and_not_retried(autojump_clock: MockClock) -> None:
    """The child leaves no trace, and no callback hears of it."""
    stage, told = Stage(), Told()
    stage.bad_starts["a"] = 1

    async with supervise(told) as supervisor:
        with pytest.raises(Boom):
            await supervisor.start_child(stage.spec("a"))
        await trio.sleep(10)
        assert supervisor.child_ids() == ()
        assert await supervisor.start_child(stage.spec("a")) == "value of a"

    assert stage.log == ["bad start a", "start a", "stop a"]
    assert told.log == [("exit", "a", Shutdown())]


async def test_child_that_returns_before_it_is_up_is_not_started() -> None:
    """A clear error instead of a hang."""

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        await trio.lowlevel.checkpoint()

    async with supervise() as supervisor:
        with pytest.raises(NotStarted, match="'a' of 'threads'"):
            await supervisor.start_child(ChildSpec(id="a", run=run))
        assert len(supervisor) == 0


async def test_child_that_ends_right_after_it_came_up_has_started() -> None:
    """The starter gets its value even if the child is gone when it runs."""
    told = Told()

    async def run(*, task_status: "trio.TaskStatus[int]") -> None:
        task_status.started(7)

    async with supervise(told) as supervisor:
        spec = ChildSpec(id="a", run=run, restart=Restart.TRANSIENT)
        assert await supervisor.start_child(spec) == 7

    assert told.log == [("exit", "a", Normal())]


async def test_child_says_started_once() -> None:
    """The second time is a crash of the child."""
    told = Told()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        task_status.started()

    async with supervise(told) as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=run, restart=Restart.TEMPORARY))

    [(_, _, reason)] = told.log
    assert isinstance(reason, Crash)
    assert "started() twice" in str(reason.error)


@pytest.mark.parametrize("says_started", [False, True])
async def test_cancelled_start_leaves_no_child(*, says_started: bool) -> None:
    """The child is cancelled too, and has cleaned up when the starter goes on."""
    log: list[str] = []
    told = Told()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            if says_started:
                task_status.started()
            log.append("cleaned up")

    async with supervise(told) as supervisor:
        with trio.move_on_after(0.01) as scope:
            await supervisor.start_child(ChildSpec(id="a", run=run))
        assert scope.cancelled_caught
        assert log == ["cleaned up"]
        assert supervisor.child_ids() == ()

    assert told.log == []


async def test_start_that_was_cancelled_before_it_began_does_nothing() -> None:
    """Either a child or none."""
    stage = Stage()

    async with supervise() as supervisor:
        with trio.CancelScope() as scope:
            scope.cancel()
            await supervisor.start_child(stage.spec("a"))

    assert stage.log == []


@pytest.mark.parametrize("when", ["before", "while it stops", "after"])
async def test_supervisor_outside_its_block_starts_nothing(when: str) -> None:
    """Before it is entered, while it is left, and afterwards."""
    stage = Stage()
    supervisor = supervise()
    refused: list[str] = []

    async def refuse() -> None:
        with pytest.raises(SupervisorStopped, match="'threads'"):
            await supervisor.start_child(stage.spec("b"))
        refused.append(when)

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await refuse()

    if when == "before":
        await refuse()
    async with supervisor:
        if when == "while it stops":
            await supervisor.start_child(ChildSpec(id="a", run=run))
    if when == "after":
        await refuse()
        with pytest.raises(RuntimeError, match="entered before"):
            async with supervisor:
                pass

    assert refused == [when]
    assert stage.log == []


# Crashing -------------------------------------------------------------------


async def test_crashed_child_comes_back_and_siblings_never_notice(
    autojump_clock: MockClock,
) -> None:
    """It is started again, after a delay, with the same spec."""
    stage, told = Stage(), Told()

    async with supervise(told) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        await supervisor.start_child(stage.spec("b"))
        stage.take_log()
        stage.tell("a", "crash")
        await trio.sleep(1)
        assert stage.take_log() == ["start a"]
        assert supervisor.child_ids() == ("a", "b")
        assert told.log == [("restarting", "a", Crash(Boom("a"))), ("restarted", "a")]


@pytest.mark.parametrize(
    ("restart", "command", "expected"),
    [
        (Restart.PERMANENT, "return", [("restarting", "a", Normal()), ("restarted", "a")]),
        (Restart.TRANSIENT, "return", [("exit", "a", Normal())]),
        (Restart.TEMPORARY, "return", [("exit", "a", Normal())]),
        (
            Restart.PERMANENT,
            "crash",
            [("restarting", "a", Crash(Boom("a"))), ("restarted", "a")],
        ),
        (
            Restart.TRANSIENT,
            "crash",
            [("restarting", "a", Crash(Boom("a"))), ("restarted", "a")],
        ),
        (Restart.TEMPORARY, "crash", [("exit", "a", Crash(Boom("a")))]),
    ],
)
async def test_restart_kind_decides_who_comes_back(
    autojump_clock: MockClock,
    restart: Restart,
    command: str,
    expected: list[tuple[object, ...]],
) -> None:
    """All kinds, for a return and for a crash."""
    stage, told = Stage(), Told()

    async with supervise(told) as supervisor:
        await supervisor.start_child(stage.spec("a", restart))
        stage.tell("a", command)
        await trio.sleep(1)
        assert told.log == expected
        assert ("a" in supervisor) == (len(expected) == 2)


async def test_each_child_has_an_intensity_of_its_own(autojump_clock: MockClock) -> None:
    """The supervisor gives up on one child; the others and the host carry on."""
    stage, told = Stage(), Told()

    async with supervise(told) as supervisor:
        for name in "abc":
            await supervisor.start_child(stage.spec(name))
            stage.tell(name, "crash")
        await trio.sleep(1)
        assert supervisor.child_ids() == ("a", "b", "c")
        told.log.clear()
        stage.tell("b", "crash")
        await trio.sleep(1)

        assert supervisor.child_ids() == ("a", "c")
        assert told.log == [("gave up", "b"), ("exit", "b", Crash(Boom("b")))]
        [error] = told.gave_up
        assert error.args == ("threads", "b", 1, 5.0)
        assert error.__cause__ == Boom("b")
        await trio.sleep(5)
        stage.tell("a", "crash")
        await trio.sleep(1)
        assert "a" in supervisor
        assert await supervisor.start_child(stage.spec("b")) == "value of b"


async def test_return_that_was_one_too_many_has_no_cause() -> None:
    """A PERMANENT child that keeps returning is given up as well."""
    stage, told = Stage(), Told()

    async with supervise(told, intensity=Intensity(restarts=0)) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        stage.tell("a", "return")
        await wait_all_tasks_blocked()

    assert told.log == [("gave up", "a"), ("exit", "a", Normal())]
    assert told.gave_up[0].__cause__ is None


async def test_crash_during_a_restart_is_one_more_crash(autojump_clock: MockClock) -> None:
    """Also a return before it is up again."""
    stage, told = Stage(), Told()

    async with supervise(told, intensity=Intensity(restarts=3)) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        stage.bad_starts["a"] = 2
        stage.tell("a", "crash")
        await trio.sleep(4)
        crash = Crash(Boom("a"))
        assert told.log == [("restarting", "a", crash)] * 3 + [("restarted", "a")]
        stage.bad_starts["a"] = 1
        stage.tell("a", "crash")
        await trio.sleep(4)

    assert told.log[4:] == [("gave up", "a"), ("exit", "a", crash)]


async def test_child_that_returns_before_it_is_up_again_has_crashed(
    autojump_clock: MockClock,
) -> None:
    """TRANSIENT children come back from it too."""
    told = Told()
    runs = 0

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            return
        task_status.started()
        if runs == 1:
            raise Boom("a")
        await trio.sleep_forever()

    spec = ChildSpec(id="a", run=run, restart=Restart.TRANSIENT)
    async with supervise(told, intensity=Intensity(restarts=2)) as supervisor:
        await supervisor.start_child(spec)
        await trio.sleep(3)
        assert runs == 3

    kinds = [entry[0] for entry in told.log]
    assert kinds == ["restarting", "restarting", "restarted", "exit"]
    reason = told.log[1][2]
    assert isinstance(reason, Crash)
    assert isinstance(reason.error, NotStarted)


@pytest.mark.parametrize("kind", ["lone", "several", "with a cancellation"])
async def test_crash_is_reported_as_it_was_raised(kind: str) -> None:
    """A lone error bare, several as a group, and the cancellation beside them goes on."""
    told = Told()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        if kind == "lone":
            raise Boom("1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late, "1")
            nursery.start_soon(fail_late, "2")
            if kind == "several":
                nursery.cancel_scope.cancel()
            await trio.sleep_forever()

    async def fail_late(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom(name)

    async with supervise(told) as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=run, restart=Restart.TEMPORARY))
        await wait_all_tasks_blocked()
        if kind == "with a cancellation":
            assert await supervisor.stop_child("a") is FAILED

    [(_, _, reason)] = told.log
    assert isinstance(reason, Crash)
    if kind == "lone":
        assert reason.error == Boom("1")
    else:
        assert isinstance(reason.error, ExceptionGroup)
        errors: tuple[Exception, ...] = reason.error.exceptions
        assert {str(error) for error in errors} == {"1", "2"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_what_is_no_crash_comes_out_bare(error: type[BaseException]) -> None:
    """Ctrl-C and exits end the supervisor, and the other children are cancelled."""
    stage, told = Stage(), Told()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        await wait_all_tasks_blocked()
        raise error

    with pytest.raises(error):
        async with supervise(told) as supervisor:
            await supervisor.start_child(stage.spec("b"))
            await supervisor.start_child(ChildSpec(id="a", run=run))
            await trio.sleep_forever()

    assert stage.log == ["start b", "cancel b"]
    assert sorted(told.log, key=str) == [("exit", "a", Shutdown()), ("exit", "b", Shutdown())]


async def test_interrupt_that_is_mixed_with_crashes_comes_out_without_them() -> None:
    """The crashes are the child's; the rest goes on to the host."""
    told = Told()

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        await trio.lowlevel.checkpoint()
        raise BaseExceptionGroup("both", [KeyboardInterrupt(), Boom("a")])

    with pytest.RaisesGroup(KeyboardInterrupt):
        async with supervise(told) as supervisor:
            await supervisor.start_child(ChildSpec(id="a", run=run))
            await trio.sleep_forever()

    [(_, _, reason)] = told.log
    assert isinstance(reason, Crash)
    assert isinstance(reason.error, ExceptionGroup)


async def test_several_interrupts_come_out_as_a_group() -> None:
    """Nothing is lost."""

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt, KeyboardInterrupt):
        async with supervise() as supervisor:
            await supervisor.start_child(ChildSpec(id="a", run=run))
            await supervisor.start_child(ChildSpec(id="b", run=run))
            await supervisor.stop_all(grace=1)


async def test_callback_that_fails_is_logged_and_changes_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A child is not to blame for its supervisor's owner."""
    stage = Stage()

    def fail(*_: object) -> None:
        raise Boom("callback")

    supervisor = DynamicSupervisor(
        "threads", jitter=random.Random(0), on_exit=fail, on_restarting=fail, on_restarted=fail
    )
    async with supervisor:
        await supervisor.start_child(stage.spec("a"))
        stage.tell("a", "crash")
        await trio.sleep(1)

    assert stage.log == ["start a", "start a", "stop a"]
    failed = [record for record in caplog.records if "callback" in record.getMessage()]
    assert [record.levelname for record in failed] == ["ERROR"] * 3


async def test_crashes_and_restarts_are_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A crash at ERROR with its traceback, a restart at INFO; ends are silent."""
    stage = Stage()

    with caplog.at_level(logging.DEBUG, "actors"):
        async with supervise() as supervisor:
            await supervisor.start_child(stage.spec("a"))
            stage.tell("a", "crash")
            await trio.sleep(1)

    crash, restart = caplog.records
    assert (crash.levelname, crash.getMessage()) == ("ERROR", "child 'a' of 'threads' crashed")
    assert restart.getMessage().startswith("child 'a' of 'threads' restarts in 0.")


# Stopping -------------------------------------------------------------------


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


# The block ------------------------------------------------------------------


async def test_leaving_the_block_stops_the_children_politely(autojump_clock: MockClock) -> None:
    """Within the supervisor's own time."""
    stage = Stage(clean_up={"a": 2, "b": math.inf})

    async with supervise(shutdown=7) as supervisor:
        await supervisor.start_child(stage.spec("a"))
        await supervisor.start_child(stage.spec("b"))
        begin = trio.current_time()

    assert trio.current_time() == begin + 7
    assert sorted(stage.log[2:4]) == ["stop a", "stop b"]
    assert stage.log[4:] == ["stopped a", "cancel b"]


async def test_error_in_the_block_cancels_the_children_and_comes_out_bare() -> None:
    """The caller need not know that there is a nursery."""
    stage = Stage()
    cause = ValueError("why")

    with pytest.raises(Boom, match="body") as raised:
        async with supervise() as supervisor:
            await supervisor.start_child(stage.spec("a"))
            raise Boom("body") from cause

    assert raised.value.__cause__ is cause
    assert raised.value.__context__ is None
    assert stage.log == ["start a", "cancel a"]
    assert repr(supervisor) == "<DynamicSupervisor 'threads': 0 children, 0 up, 0 stopping, closed>"


async def test_cancelled_host_cancels_the_children() -> None:
    """Without telling them; each end is still reported."""
    stage, told = Stage(), Told()

    with trio.CancelScope() as scope:
        async with supervise(told) as supervisor:
            await supervisor.start_child(stage.spec("a"))
            scope.cancel()
            await trio.sleep_forever()

    assert stage.log == ["start a", "cancel a"]
    assert told.log == [("exit", "a", Shutdown())]


def test_block_that_was_never_entered_cannot_be_left() -> None:
    """A clear error for those who call `__aexit__` by hand."""
    with pytest.raises(RuntimeError, match="never entered"):
        supervise().__aexit__(None, None, None)


async def test_crash_never_takes_the_host_down(autojump_clock: MockClock) -> None:
    """However many crash, however often."""
    stage = Stage()
    ticks = 0

    async with supervise() as supervisor:
        for number in range(50):
            await supervisor.start_child(stage.spec(str(number)))
        for _ in range(3):
            for name in supervisor.child_ids():
                stage.tell(name, "crash")
            await trio.sleep(1)
            ticks += 1
        assert supervisor.child_ids() == ()

    assert ticks == 3
