"""The helpers that embedders test with."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

import actors.testing
from actors.config import ThreadConfig
from actors.models import ItemDone, StreamDisconnected, find_model_info
from actors.runtime import ChannelClosed
from actors.testing import (
    FailingDisk,
    ManualModel,
    ManualTool,
    collect_until,
    open_test_supervisor,
)
from messages.content import TextInput
from messages.events import AgentMessage, ShutdownComplete, TurnComplete, TurnStarted, WarningEvent
from messages.items import CustomToolCall
from messages.ops import Shutdown, UserInput
from messages.settings import AskForApproval, DangerFullAccess

CONFIG = ThreadConfig(
    cwd="/", approval_policy=AskForApproval.NEVER, sandbox_policy=DangerFullAccess()
)
HI = UserInput(items=(TextInput(text="hi"),))

SCENARIO = """
name = "greeting"
[[reply]]
times = "always"
[[reply.steps]]
say = "Hello, {user}!"
"""


def test_public_names_are_sorted_and_there() -> None:
    """What embedders import."""
    assert actors.testing.__all__ == sorted(actors.testing.__all__)
    assert all(hasattr(actors.testing, name) for name in actors.testing.__all__)


async def test_supervisor_has_a_home_of_its_own_that_is_gone_afterwards(
    mock_clock: MockClock,
) -> None:
    """Also when the test fails."""
    homes: list[Path] = []
    for fails in (False, True):
        try:
            async with open_test_supervisor(scenario=SCENARIO) as supervisor:
                homes.append(supervisor.home)
                new = await supervisor.start_thread(CONFIG)
                await new.thread.submit(HI)
                events = await collect_until(new.thread, TurnComplete)
                assert events[-1].msg.last_agent_message == "Hello, hi!"
                assert supervisor.home.is_dir()
                if fails:
                    raise KeyError
        except KeyError:
            pass

    assert homes[0] != homes[1]
    assert not any(home.exists() for home in homes)


async def test_home_of_the_tests_own_stays(mock_clock: MockClock, tmp_path: Path) -> None:
    """For tests that look at it, or open it twice."""
    async with open_test_supervisor(home=tmp_path) as supervisor:
        new = await supervisor.start_thread(CONFIG)
        await new.thread.submit(HI)
        await collect_until(new.thread, TurnComplete)
        path = Path(new.thread.rollout_path or "")

    assert path.is_relative_to(tmp_path)
    assert await trio.Path(path).exists()
    assert "2026/01/01" in str(path)


async def test_everything_is_captured(mock_clock: MockClock) -> None:
    """Without asking for it."""
    async with open_test_supervisor() as supervisor:
        new = await supervisor.start_thread(CONFIG)
        await new.thread.submit(HI)

        assert supervisor.captured_ops() == ((new.thread_id, HI),)


async def test_collecting_ends_with_the_event_or_the_thread(mock_clock: MockClock) -> None:
    """One class or several; a thread that ends first is an error."""
    model = ManualModel()
    async with open_test_supervisor(provider=model) as supervisor:
        thread = (await supervisor.start_thread(CONFIG)).thread
        await thread.submit(HI)
        assert isinstance(
            (await collect_until(thread, (TurnStarted, TurnComplete)))[-1].msg, TurnStarted
        )
        (await model.next_request()).complete()
        await collect_until(thread, TurnComplete)
        await thread.submit(Shutdown())
        with pytest.raises(ChannelClosed):
            await collect_until(thread, TurnStarted)
        assert ShutdownComplete in [type(e.msg) async for e in thread.events(from_seq=1)]  # type: ignore[union-attr]


async def test_lost_events_are_an_error(mock_clock: MockClock) -> None:
    """A test must not pass on what it did not see."""
    tool, model = ManualTool(), ManualModel()
    async with open_test_supervisor(provider=model, make_tools=lambda _: (tool,)) as supervisor:
        thread = (await supervisor.start_thread(CONFIG)).thread
        await thread.submit(HI)
        (await model.next_request()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        for _ in range(5000):
            call.context.emit(WarningEvent(message="x"))
        with pytest.raises(AssertionError, match="events were lost"):
            await collect_until(thread, TurnComplete)
        call.answer("x")


async def test_manual_model_plays_what_the_test_gives(autojump_clock: MockClock) -> None:
    """Message, thoughts, calls, failures and the end."""
    model = ManualModel(models=(find_model_info("gpt-5.2-codex"),))
    assert model.model_info("gpt-5.2-codex") is model.models[0]
    async with open_test_supervisor(provider=model) as supervisor:
        thread = (await supervisor.start_thread(CONFIG)).thread
        await thread.submit(HI)
        (await model.next_request()).fail(StreamDisconnected("x"))
        response = await model.next_request()
        response.think("hm").say("Hello", ", you").complete(3)

        events = await collect_until(thread, TurnComplete)

        assert AgentMessage(message="Hello, you") in [event.msg for event in events]
        assert response.ended.is_set()
    await model.aclose()


async def test_manual_tool_ends_its_calls_as_the_test_says(mock_clock: MockClock) -> None:
    """Also those of free text."""
    tool, model = ManualTool("pen", parallel=False), ManualModel()
    async with open_test_supervisor(provider=model, make_tools=lambda _: (tool,)) as supervisor:
        thread = (await supervisor.start_thread(CONFIG)).thread
        await thread.submit(HI)
        item = CustomToolCall(call_id="c", name="pen", input="write")
        (await model.next_request()).give(ItemDone(item)).complete()
        call = await tool.next_call()
        assert not call.ended.is_set()
        call.end_turn("enough")

        events = await collect_until(thread, TurnComplete)

        assert call.ended.is_set()
        assert "Fatal error: enough" in str(events)


async def test_failing_disk_fails_and_heals(mock_clock: MockClock, tmp_path: Path) -> None:
    """As the test says."""
    disk = FailingDisk()
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        disk.create(tmp_path / "a")
    disk.heal()
    fd = disk.create(tmp_path / "a")
    assert disk.write(fd, b"x") == 1
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        disk.write(fd, b"x")
    disk.close(fd)
    await trio.lowlevel.checkpoint()
