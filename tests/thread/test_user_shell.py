"""Commands that the user runs, beside a turn and alone."""

from collections.abc import Callable

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.testing import ManualTool
from actors.thread import ThreadState, user_commands
from actors.tools import ToolContext
from messages.content import InputText
from messages.events import ExecCommandEnd, ShutdownComplete, TurnAborted, TurnComplete
from messages.items import Message
from messages.ops import Interrupt, OverrideTurnContext, RunUserShellCommand, Shutdown

from .stage import drain, open_stage, outline, request_lines


@attrs.define(eq=False)
class Shell:
    """Stands for `run_user_shell`: each command ends when the test says."""

    running: dict[str, trio.Event] = attrs.field(factory=dict)

    async def run(
        self,
        command: str,
        context: ToolContext,
        *,
        record: Callable[[Message], object],
        policy: object,
    ) -> None:
        self.running[command] = trio.Event()
        try:
            await self.running[command].wait()
        except trio.Cancelled:
            record(message(f"{command} aborted"))
            raise
        finally:
            del self.running[command]
        record(message(f"{command} done"))
        assert context.cwd == "/"


def message(text: str) -> Message:
    return Message(role="user", content=(InputText(text=text),))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    monkeypatch.setattr(user_commands, "run_user_shell", shell.run)
    return shell


async def test_command_alone_is_a_turn_without_a_model(mock_clock: MockClock, shell: Shell) -> None:
    """The next turn's model reads what it gave."""
    async with open_stage() as stage:
        await stage.do(RunUserShellCommand(command="ls"))
        await wait_all_tasks_blocked()
        assert stage.thread.state is ThreadState.RUNNING
        shell.running["ls"].set()

        told = await stage.until(TurnComplete)
        response = await stage.begin("hi")

        assert told == ["TurnStarted", "user: ls done", "TurnComplete None"]
        assert request_lines(response) == ["user: ls done", "user: hi"]


async def test_command_alone_is_stopped_like_any_turn(mock_clock: MockClock, shell: Shell) -> None:
    """What it did is recorded, and input that joined it goes back."""
    async with open_stage() as stage:
        await stage.do(RunUserShellCommand(command="ls"))
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())

        assert await stage.until(TurnAborted) == [
            "TurnStarted",
            "user: ls aborted",
            "TurnAborted interrupted",
        ]


async def test_input_that_joins_a_command_gets_its_turn_afterwards(
    mock_clock: MockClock, shell: Shell
) -> None:
    """A command has no model that could read it (L13)."""
    async with open_stage() as stage:
        await stage.do(RunUserShellCommand(command="ls"))
        second = await stage.say("hi")
        await wait_all_tasks_blocked()
        shell.running["ls"].set()

        response = await stage.model.next_request()

        assert response.request.turn_id == second
        assert request_lines(response) == ["user: ls done", "user: hi"]


async def test_command_beside_a_turn_is_read_at_its_next_request(
    mock_clock: MockClock, shell: Shell
) -> None:
    """It makes the model go on; no turn of its own is told."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        await stage.do(RunUserShellCommand(command="ls"))
        await wait_all_tasks_blocked()
        shell.running["ls"].set()
        await wait_all_tasks_blocked()
        response.say("1").complete()

        following = await stage.model.next_request()
        following.say("2").complete()
        told = await stage.until(TurnComplete)

        assert request_lines(following) == ["user: hi", "assistant: 1", "user: ls done"]
        assert told.count("TurnStarted") == 1


async def test_command_that_outlasts_its_turn_is_read_by_the_next(
    mock_clock: MockClock, shell: Shell
) -> None:
    """By the running one if there is one, never in the midst of its calls."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("one")
        for command in ("first", "second"):
            await stage.do(RunUserShellCommand(command=command))
        await wait_all_tasks_blocked()
        response.say("1").complete()
        await stage.until(TurnComplete)
        shell.running["first"].set()
        await wait_all_tasks_blocked()

        response = await stage.begin("two")
        response.call("manual", call_id="c").complete()
        call = await tool.next_call()
        shell.running["second"].set()
        await wait_all_tasks_blocked()
        call.answer("x")
        following = await stage.model.next_request()

        assert request_lines(following) == [
            "user: one",
            "assistant: 1",
            "user: first done",
            "user: two",
            "call c manual",
            "output c: x",
            "user: second done",
        ]


async def test_commands_beside_a_turn_are_interrupted_with_and_after_it(
    mock_clock: MockClock, shell: Shell
) -> None:
    """Also when no turn runs any more."""
    async with open_stage() as stage:
        await stage.begin("one")
        await stage.do(RunUserShellCommand(command="with"))
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())
        await stage.until(TurnAborted)
        await wait_all_tasks_blocked()
        assert shell.running == {}

        response = await stage.begin("two")
        await stage.do(RunUserShellCommand(command="after"))
        await wait_all_tasks_blocked()
        response.say("2").complete()
        await stage.until(TurnComplete)
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        assert shell.running == {}
        assert request_lines(await stage.begin("three"))[-2:] == [
            "user: after aborted",
            "user: three",
        ]


async def test_shutdown_ends_commands_that_outlasted_their_turn(
    mock_clock: MockClock, shell: Shell
) -> None:
    """The thread does not wait an hour for them."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.do(RunUserShellCommand(command="ls"))
        await wait_all_tasks_blocked()
        response.say("1").complete()
        await stage.until(TurnComplete)
        await stage.do(Shutdown())

        assert (await stage.until(ShutdownComplete))[-1] == "ShutdownComplete"
        assert shell.running == {}


async def test_sixteen_commands_may_run_beside_a_turn(mock_clock: MockClock, shell: Shell) -> None:
    """One more is refused."""
    async with open_stage() as stage:
        await stage.begin("one")
        drain(stage.thread)
        for number in range(17):
            await stage.do(RunUserShellCommand(command=str(number)))
        await wait_all_tasks_blocked()

        assert len(shell.running) == 16
        assert drain(stage.thread) == [
            "Error bad_request: 16 of your commands run beside the turn already; "
            "wait for one to end, or interrupt them"
        ]


async def test_empty_command_is_refused(mock_clock: MockClock) -> None:
    """Before anything is started."""
    async with open_stage() as stage:
        await stage.do(RunUserShellCommand(command=" "))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [
            "Error bad_request: the command is empty; send the line to run"
        ]


async def test_real_command_is_told_and_recorded(mock_clock: MockClock) -> None:
    """One begin, its output, one end, in a turn."""
    async with open_stage() as stage:
        await stage.do(RunUserShellCommand(command="echo '\ud800hi'"))

        events = await stage.events_until(TurnComplete)

        [end] = [event.msg for event in events if isinstance(event.msg, ExecCommandEnd)]
        assert (end.exit_code, end.stdout) == (0, "?hi\n")
        [recorded] = [line for line in outline(events) if line.startswith("user: ")]
        assert recorded == "user: <user_shell_command>"


async def test_command_does_not_hide_that_the_model_changed(
    mock_clock: MockClock, shell: Shell
) -> None:
    """No model was asked in its turn."""
    async with open_stage() as stage:
        await stage.run_turn("one")
        await stage.do(OverrideTurnContext(model="gpt-5.2-codex"))
        await stage.do(RunUserShellCommand(command="ls"))
        await wait_all_tasks_blocked()
        shell.running["ls"].set()
        await stage.until(TurnComplete)

        response = await stage.begin("two")

        assert request_lines(response)[-2:] == ["developer: <model_switch>", "user: two"]


async def test_command_whose_record_finds_no_room_ends_all_the_same(
    mock_clock: MockClock, shell: Shell
) -> None:
    """While sixty-four inputs wait; the model reads it at once."""
    async with open_stage() as stage:
        await stage.begin("one")
        await stage.do(RunUserShellCommand(command="ls"))
        for number in range(64):
            await stage.say(str(number))
        await wait_all_tasks_blocked()
        drain(stage.thread)
        shell.running["ls"].set()
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == ["user: ls done"]
