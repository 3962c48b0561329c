"""The supervisor of children that come and go: how they start, and what leaves its block."""

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ChildSpec,
    Crash,
    DuplicateChild,
    Normal,
    NotStarted,
    Restart,
    Shutdown,
    SupervisorStopped,
)

from .dynamic_stage import Told, slow_spec, supervise
from .stage import Boom, Stage

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
