"""Children that crash below the supervisor of those that come and go: who returns, and who is told."""

import logging
import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    Crash,
    DynamicSupervisor,
    Intensity,
    Normal,
    NotStarted,
    Restart,
    Shutdown,
)

from .dynamic_stage import FAILED, Told, supervise
from .stage import Boom, Stage


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
