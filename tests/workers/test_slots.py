"""Places of workers: who starts them, listens for their hearts, and replaces them."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import Intensity
from actors.workers.errors import PoolFailed, WorkerNotStarted
from actors.workers.values import SlotState

from .slot_stage import make_stage, open_stage

pytestmark = pytest.mark.filterwarnings("error")


async def test_each_place_gets_a_worker_and_gives_it_back_in_the_end(
    autojump_clock: MockClock,
) -> None:
    """The front knows of each from its start to its end."""
    async with open_stage(2) as stage:
        assert stage.take() == ["open 1", "add 1", "open 2", "add 2"]
        await trio.sleep(3)
        said = stage.slots.statistics()

    assert [(slot.slot, slot.state, slot.worker, slot.pid) for slot in said] == [
        (1, SlotState.UP, 1, 1001),
        (2, SlotState.UP, 2, 1002),
    ]
    assert said[0].memory_bytes == 5
    assert said[0].started_at == 100.0
    assert sorted(stage.take()) == [
        "gone 1", "gone 2", "lose 1", "lose 2", "stop 1 within 2", "stop 2 within 2",
    ]  # fmt: skip
    assert stage.slots.statistics() == ()
    assert not stage.slots.failed.is_set()


async def test_a_worker_that_dies_is_replaced_by_one_with_a_number_of_its_own(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After a moment; the log says what it died of."""
    async with open_stage(2) as stage:
        stage.take()
        stage.workers[0].end(-11)
        await wait_all_tasks_blocked()
        down = stage.slots.statistics()[0]
        assert stage.take() == ["lose 1", "gone 1"]
        await trio.sleep(0.2)

        assert stage.take() == ["open 3", "add 3"]
        assert down.state is SlotState.STARTING
        assert down.worker is None
        up = stage.slots.statistics()[0]
        assert (up.state, up.worker, up.restarts) == (SlotState.UP, 3, 1)

    crash = next(record for record in caplog.records if record.exc_info)
    assert str(crash.exc_info[1]) == "worker 1 (pid 1001) was killed by SIGSEGV"


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (1, "ended by itself with exit code 1"),
        (-9, "was killed by SIGKILL"),
        (-99, "was killed by signal 99"),
    ],
)
async def test_the_log_says_how_a_worker_ended(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, status: int, how: str
) -> None:
    """In words."""
    async with open_stage(1) as stage:
        stage.workers[0].end(status)
        await trio.sleep(1)

    assert how in "".join(str(r.exc_info[1]) for r in caplog.records if r.exc_info)


async def test_a_worker_that_closes_everything_and_does_not_end_is_killed(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The front hears of it at once, and then it has a quarter of a second."""
    async with open_stage(1) as stage:
        stage.take()
        worker = stage.workers[0]
        worker.lingers = True
        worker.died.set()
        await wait_all_tasks_blocked()
        assert stage.take() == ["lose 1"]
        await trio.sleep(0.26)
        assert stage.take() == ["kill 1", "gone 1"]

    assert "closed its connection" in "".join(
        str(r.exc_info[1]) for r in caplog.records if r.exc_info
    )


async def test_a_worker_that_does_not_answer_is_killed_when_patience_is_over(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not before; its place gets another one."""
    async with open_stage(1, heartbeat=1.0, patience=5.0) as stage:
        await trio.sleep(0.5)
        stage.take()
        stage.workers[0].answers = False
        await trio.sleep(5.4)
        assert stage.take() == []
        await trio.sleep(0.3)
        assert stage.take()[:2] == ["kill 1", "lose 1"]
        await trio.sleep(0.3)
        assert stage.slots.statistics()[0].worker == 2

    assert "did not answer for 5 s" in "".join(
        str(r.exc_info[1]) for r in caplog.records if r.exc_info
    )


async def test_a_worker_is_not_blamed_when_we_stood_still_ourselves(mock_clock: MockClock) -> None:
    """After the sleep of a whole machine its answer may lie there unread."""
    async with open_stage(1, heartbeat=1.0, patience=5.0) as stage:
        await wait_all_tasks_blocked()
        worker = stage.workers[0]
        worker.answers = False
        mock_clock.jump(1)
        await wait_all_tasks_blocked()

        mock_clock.jump(3600)
        await wait_all_tasks_blocked()
        assert worker.status is None
        for seconds in (1.0, 5.1):
            mock_clock.jump(seconds)
            await wait_all_tasks_blocked()

        assert worker.status == -9
        mock_clock.autojump_threshold = 0


async def test_a_place_is_lost_when_its_workers_die_too_often_and_the_others_go_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One place less is no failure."""
    async with open_stage(2, intensity=Intensity(restarts=1, period=60.0)) as stage:
        for _ in range(2):
            stage.slots.statistics()
            place = next(iter(stage.slots))
            assert place.worker is not None
            place.worker.end(-9)  # type: ignore[attr-defined]
            await trio.sleep(1)

        states = [slot.state for slot in stage.slots.statistics()]
        assert states == [SlotState.LOST, SlotState.UP]
        assert not stage.slots.failed.is_set()

    assert any("place 1 is lost" in record.getMessage() for record in caplog.records)


async def test_the_pool_has_failed_when_the_last_place_is_lost(
    autojump_clock: MockClock,
) -> None:
    """And says of what."""
    async with open_stage(2, intensity=Intensity(restarts=0, period=60.0)) as stage:
        stage.workers[0].end(-9)
        await trio.sleep(1)
        stage.workers[1].end(-9)
        with trio.fail_after(1):
            await stage.slots.failed.wait()
        failure = stage.slots.failure

    assert isinstance(failure, PoolFailed)
    assert (failure.workers, failure.restarts, failure.period) == (2, 0, 60.0)
    assert "each of its 2 workers died more often than 0 times within 60 s" in str(failure)
    assert str(failure).endswith("; the last one: worker 2 (pid 1002) was killed by SIGKILL")
    assert "worker 2" in str(failure.__cause__.__cause__)  # type: ignore[union-attr]


async def test_workers_are_replaced_one_after_another_the_new_one_first(
    autojump_clock: MockClock,
) -> None:
    """The old one gives its threads away before it ends."""
    async with open_stage(2) as stage:
        stage.take()

        await stage.slots.replace_all(grace=7)

        assert stage.take() == [
            "open 3", "add 3", "move away 1 within 7", "stop 1 within 0", "lose 1", "gone 1",
            "open 4", "add 4", "move away 2 within 7", "stop 2 within 0", "lose 2", "gone 2",
        ]  # fmt: skip
        assert [slot.worker for slot in stage.slots.statistics()] == [3, 4]


async def test_a_place_has_two_workers_while_one_is_replaced(autojump_clock: MockClock) -> None:
    """The one that leaves takes nothing more."""
    async with open_stage(1) as stage, trio.open_nursery() as nursery:
        stage.front.moving = trio.Event()
        nursery.start_soon(lambda: stage.slots.replace_all(grace=7))
        await wait_all_tasks_blocked()

        said = [(slot.slot, slot.state, slot.worker) for slot in stage.slots.statistics()]

        assert said == [(1, SlotState.LEAVING, 1), (1, SlotState.UP, 2)]
        assert [worker.accepting for worker in stage.workers] == [False, True]
        stage.front.moving.set()


async def test_a_worker_that_dies_while_it_leaves_has_nobody_after_it(
    autojump_clock: MockClock,
) -> None:
    """Its replacement is there already."""
    async with open_stage(1) as stage:
        stage.front.moving = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: stage.slots.replace_all(grace=7))
            await wait_all_tasks_blocked()
            stage.workers[0].end(-9)
            await trio.sleep(5)
            stage.front.moving.set()

        assert [(s.state, s.worker) for s in stage.slots.statistics()] == [(SlotState.UP, 2)]
        assert len(stage.workers) == 2


async def test_a_worker_is_not_replaced_when_the_new_one_does_not_come_up(
    autojump_clock: MockClock,
) -> None:
    """A configuration that cannot be read must not end what runs."""
    async with open_stage(2) as stage:
        stage.take()
        stage.fork_server.fails = True
        with pytest.raises(WorkerNotStarted, match="no room"):
            await stage.slots.replace_all(grace=1)

        assert stage.take() == []
        assert [(s.state, s.worker) for s in stage.slots.statistics()] == [
            (SlotState.UP, 1),
            (SlotState.UP, 2),
        ]
        stage.fork_server.fails = False


async def test_a_replacement_that_is_cancelled_leaves_no_worker_between_two_states(
    autojump_clock: MockClock,
) -> None:
    """The one that was leaving is killed, as its threads have somewhere to go."""
    async with open_stage(2) as stage:
        stage.front.moving = trio.Event()
        with trio.move_on_after(1):
            await stage.slots.replace_all(grace=100)
        await wait_all_tasks_blocked()

        assert stage.workers[0].status == -9
        assert [(s.state, s.worker) for s in stage.slots.statistics()] == [
            (SlotState.UP, 3),
            (SlotState.UP, 2),
        ]


async def test_a_lost_place_gets_a_worker_again_when_all_are_replaced(
    autojump_clock: MockClock,
) -> None:
    """That is the way back, without a new pool."""
    async with open_stage(2, intensity=Intensity(restarts=0, period=60.0)) as stage:
        stage.workers[0].end(-9)
        await trio.sleep(1)
        assert stage.slots.statistics()[0].state is SlotState.LOST

        await stage.slots.replace_all(grace=0)

        assert [(s.state, s.worker) for s in stage.slots.statistics()] == [
            (SlotState.UP, 3),
            (SlotState.UP, 4),
        ]


async def test_a_worker_that_does_not_end_when_told_is_ended(autojump_clock: MockClock) -> None:
    """Within the time that all of them have."""
    async with open_stage(1) as stage:
        stage.workers[0].stubborn = True
        begun = trio.current_time()
        await stage.slots.stop_all()

        assert trio.current_time() - begun <= 4
        assert stage.workers[0].status == -9


async def test_nothing_is_left_when_a_worker_does_not_come_up(autojump_clock: MockClock) -> None:
    """The caller hears of it; those that are up end with the block."""
    stage = make_stage(2)
    stage.fork_server.fails = True

    with pytest.raises(WorkerNotStarted):
        async with stage.slots.supervisor:
            await stage.slots.open_all()

    assert stage.log == []
    assert stage.slots.statistics() == ()


async def test_workers_are_killed_when_the_host_is_cancelled(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """At once, and nobody starts them again."""
    caplog.set_level(logging.ERROR)
    with trio.CancelScope() as scope:
        async with open_stage(2) as stage:
            scope.cancel()
            await trio.sleep_forever()

    assert [worker.status for worker in stage.workers] == [-9, -9]
    assert caplog.records == []
    assert not stage.slots.failed.is_set()
