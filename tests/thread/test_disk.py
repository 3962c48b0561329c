"""A disk that is full: loud, nothing acknowledged is lost, and it heals (P2)."""

import contextlib
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import Durability, PersistMode, RolloutFull, load_rollout, recorder
from actors.rollout.policy import persisted
from actors.runtime import Lagged
from actors.testing import FailingDisk, ManualTool
from actors.thread import ThreadState
from messages.events import (
    AgentMessage,
    ErrorEvent,
    EventMsg,
    ShutdownComplete,
    TurnAborted,
    TurnComplete,
    WarningEvent,
)
from messages.ops import (
    Interrupt,
    OverrideTurnContext,
    Shutdown,
    ThreadRollback,
)

from .stage import CONFIG, Stage, drain, open_stage, read, request_lines, write

SPACE = "No space left on device"


async def test_first_turn_fails_when_its_rollout_cannot_be_made(autojump_clock: MockClock) -> None:
    """The input would be lost; once there is room, it is there and the next turn works."""
    disk = FailingDisk()
    disk.fill()
    async with open_stage(files=disk) as stage:
        await stage.say("one")
        told = await stage.until(TurnComplete)

        failures = [line for line in told if line.startswith("Error")]
        assert len(failures) == 1
        assert failures[0].startswith("Error None: the turn cannot be recorded: ")
        assert failures[0].endswith(SPACE)
        assert any(SPACE in line for line in told if line.startswith("WarningEvent the rollout"))
        assert told[-1] == "TurnComplete None"

        disk.heal()
        told = await stage.until(WarningEvent)
        assert told[-1].endswith("can be written again; everything is saved")
        response = await stage.begin("two")
        assert request_lines(response) == ["user: one", "user: two"]
        response.say("x").complete()
        await stage.until(TurnComplete)
        recorded = stage.rollout()
        assert [line for line in recorded if line.startswith("user: ")][-2:] == [
            "user: one",
            "user: two",
        ]


async def test_what_clients_are_told_in_a_turn_is_in_the_file(mock_clock: MockClock) -> None:
    """No time passes in which a client knows more than a killed process would leave."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.say("let me see").call("manual", call_id="c1").complete(5)
        (await tool.next_call()).answer("42")
        second = await stage.model.next_request()

        reader, told = stage.thread.events(), list[EventMsg]()
        while reader.next_seq < stage.thread.statistics().next_seq:
            event = reader.receive_nowait()
            assert not isinstance(event, Lagged)
            if persisted(event.msg, PersistMode.LIMITED) is not None:
                told.append(event.msg)
        items = load_rollout(Path(stage.thread.rollout_path or "")).items
        assert told
        assert [msg for msg in told if msg not in items] == []
        assert any("42" in line for line in stage.rollout())
        second.say("x").complete()
        await stage.until(TurnComplete)


async def test_turn_goes_on_when_the_disk_fills_up_under_it(autojump_clock: MockClock) -> None:
    """It ends, with a warning that its records still wait; they are written later."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        response = await stage.begin("one")
        disk.fill()
        response.say("x").complete()

        told = await stage.until(TurnComplete)

        assert told[-1] == "TurnComplete x"
        assert [line for line in told if line.startswith("WarningEvent not saved yet")] != []
        assert "TurnComplete x" not in stage.rollout()
        disk.heal()
        assert (await stage.until(WarningEvent))[-1].endswith("everything is saved")
        assert stage.rollout()[-1] == "TurnComplete x"


async def test_thread_is_interrupted_and_closed_on_a_full_disk(autojump_clock: MockClock) -> None:
    """Within its patience; what is lost is said."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        await stage.begin("one")
        disk.fill()
        await stage.do(Interrupt())
        assert (await stage.until(TurnAborted))[-1] == "TurnAborted interrupted"
        begin = trio.current_time()

        await stage.do(Shutdown())
        told = await stage.until(ShutdownComplete)

        assert trio.current_time() - begin == pytest.approx(2.0)
        [lost] = [line for line in told if line.startswith("Error")]
        assert "the end of the conversation is not saved: " in lost
        assert stage.thread.state is ThreadState.CLOSED


async def test_thread_goes_on_from_its_rollout_when_the_disk_is_full(
    autojump_clock: MockClock,
) -> None:
    """An end that cannot be written yet keeps no thread down."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        await stage.run_turn("one")
        (await stage.begin("two")).say("x")
        await wait_all_tasks_blocked()
        path = stage.thread.rollout_path
        assert path is not None
        content = read(path)
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        write(path, content)
        disk.fill()

        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        assert any(line.endswith("are tried again") for line in drain(stage.thread))
        disk.heal()
        assert (await stage.until(WarningEvent))[-1].endswith("everything is saved")
        assert isinstance(load_rollout(Path(path)).items[-1], TurnAborted)


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test can fill it."""
    monkeypatch.setattr(recorder, "BUFFER_LIMIT_BYTES", 20_000)


def fill(stage: Stage, disk: FailingDisk) -> None:
    """Let the disk fill up, and the buffer of the thread's recorder with it."""
    disk.fill()
    [open_one] = stage.supervisor._services.journal._recorders
    for size in (1000, 100, 1):
        with contextlib.suppress(RolloutFull):
            while True:
                open_one.record([AgentMessage(message="f" * size)])


async def heal(disk: FailingDisk) -> None:
    disk.heal()
    await trio.sleep(5)


CANNOT = "Error None: the turn cannot be recorded: "


@pytest.mark.usefixtures("small_buffer")
async def test_turn_whose_input_cannot_be_recorded_fails(autojump_clock: MockClock) -> None:
    """History and rollout say the same: the model never saw it."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        await stage.run_turn("one", "1")
        fill(stage, disk)

        told = await stage.run_to_end("two")

        assert any(line.startswith(CANNOT) for line in told)
        assert told[-1] == "TurnComplete None"
        await heal(disk)
        response = await stage.begin("three")
        assert request_lines(response) == ["user: one", "assistant: 1", "user: three"]


@pytest.mark.usefixtures("small_buffer")
async def test_turn_whose_answer_cannot_be_recorded_fails(autojump_clock: MockClock) -> None:
    """As with the input; the next turn works once there is room."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        response = await stage.begin("one")
        fill(stage, disk)
        response.say("1").complete()

        told = await stage.until(TurnComplete)

        assert any(line.startswith(CANNOT) for line in told)
        await heal(disk)
        response = await stage.begin("two")
        assert request_lines(response) == ["user: one", "user: two"]


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.usefixtures("small_buffer")
async def test_turn_ends_when_its_outputs_cannot_be_recorded(
    autojump_clock: MockClock, *, stop: bool
) -> None:
    """Interrupted or not; the calls are answered by what the model sees of them."""
    tool = ManualTool()
    disk = FailingDisk()
    async with open_stage(tool, files=disk) as stage:
        (await stage.begin("one")).call("manual", call_id="a").complete()
        call = await tool.next_call()
        await wait_all_tasks_blocked()
        fill(stage, disk)
        if stop:
            await stage.do(Interrupt())
        else:
            call.answer("done")

        told = await stage.until(TurnComplete, TurnAborted)

        lost = "WarningEvent lost for the model: " if stop else CANNOT
        assert any(line.startswith(lost) for line in told)
        await heal(disk)
        response = await stage.begin("two")
        assert request_lines(response)[:3] == ["user: one", "call a manual", "output a: aborted"]


@pytest.mark.usefixtures("small_buffer")
async def test_stubborn_tool_does_not_disturb_when_its_turn_ended_on_a_full_disk(
    autojump_clock: MockClock,
) -> None:
    """What could not be recorded at the end is lost, and the thread goes on."""
    tool = ManualTool(stubborn=5)
    disk = FailingDisk()
    async with open_stage(tool, files=disk) as stage:
        response = await stage.begin("one")
        response.call("manual", call_id="a").say("x")
        await tool.next_call()
        await wait_all_tasks_blocked()
        fill(stage, disk)
        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert len([line for line in told if line.startswith("WarningEvent lost")]) == 2
        await heal(disk)
        await trio.sleep(5)
        assert stage.thread.state is ThreadState.IDLE
        response = await stage.begin("two")
        assert request_lines(response) == [
            "user: one",
            "call a manual",
            "output a: aborted",
            "user: two",
        ]


@pytest.mark.usefixtures("small_buffer")
async def test_turn_is_not_started_when_its_context_cannot_be_recorded(
    autojump_clock: MockClock,
) -> None:
    """The input is refused, and the context told with the next one."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        await stage.run_turn("one", "1")
        fill(stage, disk)
        await stage.do(OverrideTurnContext(cwd="/elsewhere"))
        refused = await stage.say("two")

        [event] = [
            event
            for event in await stage.events_until(ErrorEvent)
            if isinstance(event.msg, ErrorEvent)
        ]

        assert event.id == refused
        assert event.msg.message.startswith("the turn cannot be recorded and was not started: ")
        assert stage.thread.state is ThreadState.IDLE
        await heal(disk)
        response = await stage.begin("three")
        places = [item for item in response.request.input if "/elsewhere" in str(item)]
        assert len(places) == 1


@pytest.mark.usefixtures("small_buffer")
async def test_rollback_is_refused_when_it_cannot_be_recorded(autojump_clock: MockClock) -> None:
    """History and rollout say the same; nothing was rolled back."""
    disk = FailingDisk()
    async with open_stage(files=disk) as stage:
        await stage.run_turn("one", "1")
        fill(stage, disk)
        await stage.do(ThreadRollback(num_turns=1))

        told = await stage.until(ErrorEvent)

        assert told[-1].startswith("Error thread_rollback_failed: nothing was rolled back: ")
        await heal(disk)
        response = await stage.begin("two")
        assert request_lines(response) == ["user: one", "assistant: 1", "user: two"]


@pytest.mark.usefixtures("small_buffer")
async def test_big_input_finds_room_when_the_disk_works(autojump_clock: MockClock) -> None:
    """What a new thread has waiting for its file is written first."""
    async with open_stage() as stage:
        response = await stage.begin("x" * 30_000)
        response.say("y" * 30_000).complete()

        assert (await stage.until(TurnComplete))[-1] == f"TurnComplete {'y' * 30_000}"


async def test_turn_ends_after_its_records_are_on_disk_when_that_is_asked_for(
    mock_clock: MockClock,
) -> None:
    """Fsync before the terminal event (P2)."""
    synced: list[int] = []

    class Disk(FailingDisk):
        def sync(self, fd: int) -> None:
            synced.append(fd)
            super().sync(fd)

    async with open_stage(files=Disk(), durability=Durability.FSYNC) as stage:
        response = await stage.begin()
        before = len(synced)
        response.say("x").complete()
        await stage.until(TurnComplete)

        assert len(synced) > before
