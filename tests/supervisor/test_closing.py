"""Ending all threads at once, with a deadline and a report (P8)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import MailboxFull
from actors.supervisor import CloseReport, Supervisor
from actors.testing import ManualModel, ManualTool, open_test_supervisor
from actors.thread import Thread, ThreadState
from messages.ops import Interrupt, Shutdown

from ..thread.stage import CONFIG, open_stage, text_input


async def start(supervisor: Supervisor, model: ManualModel, *, call: bool) -> Thread:
    """Start a thread; with *call*, one whose tool runs."""
    thread = (await supervisor.start_thread(CONFIG)).thread
    if call:
        await thread.submit(text_input("hi"))
        (await model.next_request()).call("manual", call_id="c").complete()
    return thread


async def test_report_says_who_was_cancelled(autojump_clock: MockClock) -> None:
    """All are told at once, and the deadline is common."""
    model, tool = ManualModel(), ManualTool(stubborn=3)
    async with open_test_supervisor(provider=model, make_tools=lambda _: (tool,)) as supervisor:
        idle = await start(supervisor, model, call=False)
        slow = await start(supervisor, model, call=True)
        await tool.next_call()
        begin = trio.current_time()

        report = await supervisor.close_all_threads(grace=1)

        assert report == CloseReport(
            completed=(idle.thread_id,), timed_out=(slow.thread_id,), failed=()
        )
        assert trio.current_time() - begin == pytest.approx(3)


async def test_thread_that_crashes_on_the_way_is_reported_failed(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it ended as it was told to."""
    model, tool = ManualModel(), ManualTool(stubborn=0.5)
    async with open_test_supervisor(provider=model, make_tools=lambda _: (tool,)) as supervisor:
        good = await start(supervisor, model, call=False)
        bad = await start(supervisor, model, call=True)
        await tool.next_call()
        reports: list[CloseReport] = []

        async def close() -> None:
            reports.append(await supervisor.close_all_threads())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            await wait_all_tasks_blocked()
            bad._ports.mailbox.send_nowait("no message")  # type: ignore[arg-type]

        assert reports == [
            CloseReport(completed=(good.thread_id,), timed_out=(), failed=(bad.thread_id,))
        ]
        assert supervisor.list_thread_ids() == ()


async def test_threads_are_closed_at_the_same_time(autojump_clock: MockClock) -> None:
    """Ten that need a second each need one second."""
    model, tool = ManualModel(), ManualTool(stubborn=1)
    async with open_test_supervisor(provider=model, make_tools=lambda _: (tool,)) as supervisor:
        for _ in range(10):
            await start(supervisor, model, call=True)
            await tool.next_call()
        begin = trio.current_time()

        report = await supervisor.close_all_threads()

        assert len(report.completed) == 10
        assert trio.current_time() - begin == pytest.approx(1)


async def test_thread_that_starts_meanwhile_is_closed_too(mock_clock: MockClock) -> None:
    """It does not start, and whoever started it is told."""
    async with open_stage() as stage:
        await stage.run_turn()
        path = stage.thread.rollout_path
        assert path is not None
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        errors: list[BaseException] = []

        async def resume() -> None:
            try:
                await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
            except Exception as error:  # noqa: BLE001
                errors.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(resume)
            while not stage.supervisor._threads:
                await trio.lowlevel.checkpoint()
            await stage.supervisor.close_all_threads()

        assert [type(error).__name__ for error in errors] == ["ThreadClosed"]
        assert stage.supervisor._threads == {}


async def test_supervisor_goes_on_after_all_were_closed(mock_clock: MockClock) -> None:
    """Closing all is no end of the supervisor."""
    async with open_stage() as stage:
        assert (await stage.supervisor.close_all_threads()).completed == (stage.thread.thread_id,)
        assert await stage.supervisor.close_all_threads() == CloseReport(
            completed=(), timed_out=(), failed=()
        )

        new = await stage.supervisor.start_thread(CONFIG)

        assert stage.supervisor.list_thread_ids() == (new.thread_id,)


async def test_thread_whose_control_lane_is_full_is_cancelled_at_its_deadline(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot be told; it ends all the same."""
    async with open_stage() as stage:
        with pytest.raises(MailboxFull):
            while True:
                stage.thread.submit_nowait(Interrupt())

        report = await stage.supervisor.close_all_threads(grace=1)

        assert report.timed_out == (stage.thread.thread_id,)
        assert stage.thread.state is ThreadState.CLOSED


async def test_close_after_the_clients_own_shutdown_waits_for_it(
    autojump_clock: MockClock,
) -> None:
    """A thread that is ending is not told twice, and completes."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Shutdown())
        await wait_all_tasks_blocked()

        report = await stage.supervisor.close_all_threads()

        assert report.completed == (stage.thread.thread_id,)
        assert (await stage.rest())[-1] == "ShutdownComplete"
