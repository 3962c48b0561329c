"""Whole flows of tools in a live thread: commands, patches, questions and plans."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.models import InvalidRequest
from messages.ops import Interrupt, RunUserShellCommand
from messages.rpc.item_notifications import ItemCompletedNotification
from messages.rpc.items import CommandExecutionThreadItem
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    DynamicToolSpec,
    ModeKind,
)

from .flow_stage import BEGIN, END, SAID, USER, finish, same_read_back, shell
from .live import CONFIG, Live, open_live
from .outgoing import bare

UNTRUSTED = attrs.evolve(CONFIG, approval_policy=AskForApproval.UNTRUSTED)
PLAN = CollaborationMode(mode=ModeKind.PLAN, settings=CollaborationSettings(model="scripted"))
WEATHER = DynamicToolSpec(
    name="weather", description="Tells the weather.", input_schema={"type": "object"}
)


async def call(live: Live, tool: str, arguments: Any, text: str = "go") -> None:
    await live.say(text)
    (await live.model.next_request()).call(tool, arguments, call_id="c1").complete()


async def test_command_is_told_with_its_output_and_its_end(mock_clock: MockClock) -> None:
    """The deltas lie between started and completed, and the item has it all."""
    async with open_live() as live:
        await call(live, "shell", shell("printf a; exit 3"))
        with trio.fail_after(10):
            request = await live.model.next_request()
        request.say("done").complete()

        assert await live.turn() == [
            *BEGIN,
            "item/started commandExecution inProgress",
            "item/commandExecution/outputDelta 'a'",
            "item/completed commandExecution failed",
            *SAID,
            *END,
        ]
        item = live.live_turns()[0].items[1]
        assert isinstance(item, CommandExecutionThreadItem)
        assert (item.command, item.exit_code) == ("sh -c 'printf a; exit 3'", 3)
        same_read_back(live)


@pytest.mark.parametrize("decision", ["accept", "acceptForSession"])
async def test_command_is_asked_about_after_its_item_began(
    mock_clock: MockClock, decision: str
) -> None:
    """The question names the item; its answer is told before the output."""
    async with open_live(config=UNTRUSTED) as live:
        await call(live, "shell", shell("printf a"))
        with trio.fail_after(10):
            asked, draft = await live.until_asked()

        assert asked[-3:] == [
            "item/started commandExecution inProgress",
            "status active waitingOnApproval",
            "[REQ] item/commandExecution/requestApproval c1",
        ]
        assert live.projection.open_requests() == (draft,)
        assert await live.answer(draft, {"decision": decision}) == [
            "resolved c1",
            "status active",
        ]
        with trio.fail_after(10):
            await finish(live)
        assert await live.turn() == [
            "item/commandExecution/outputDelta 'a'",
            "item/completed commandExecution completed",
            *SAID,
            *END,
        ]
        same_read_back(live)


@pytest.mark.parametrize("answer", [{"decision": "decline"}, {"decision": 7}, None])
async def test_declined_command_ends_once_and_the_turn_goes_on(
    mock_clock: MockClock, answer: Any
) -> None:
    """Also for an answer that cannot be read; without output, since nothing ran."""
    async with open_live(config=UNTRUSTED) as live:
        await call(live, "shell", shell("printf a"))
        _, draft = await live.until_asked()
        await live.answer(draft, answer)
        await finish(live)

        assert await live.turn() == ["item/completed commandExecution declined", *SAID, *END]
        item = live.live_turns()[0].items[1]
        assert isinstance(item, CommandExecutionThreadItem)
        assert (item.aggregated_output, item.exit_code, item.duration_ms) == (None, None, None)
        same_read_back(live)


async def test_cancelled_command_interrupts_the_turn(mock_clock: MockClock) -> None:
    """And an answer that comes later is for nobody."""
    async with open_live(config=UNTRUSTED) as live:
        await call(live, "shell", shell("printf a"))
        _, draft = await live.until_asked()
        assert await live.answer(draft, {"decision": "cancel"}) == [
            "resolved c1",
            "status active",
            "item/completed commandExecution declined",
        ]

        assert await live.turn() == ["status idle", "turn/completed interrupted"]
        assert live.projection.answered(draft.key, Interrupt()) == ()


async def test_interrupt_withdraws_a_question(mock_clock: MockClock) -> None:
    """Clients hear that nobody waits for their answer, and the item has its end."""
    async with open_live(config=UNTRUSTED) as live:
        await call(live, "shell", shell("printf a"))
        _, draft = await live.until_asked()
        await live.do(Interrupt())

        assert await live.turn() == [
            f"resolved {draft.key}",
            "status active",
            "item/completed commandExecution failed",
            "status idle",
            "turn/completed interrupted",
        ]
        assert live.projection.open_requests() == ()


async def test_patch_is_told_asked_about_and_applied(mock_clock: MockClock, tmp_path: Path) -> None:
    """One item from before the question to after the writing; then the diff of the turn."""
    config = attrs.evolve(UNTRUSTED, cwd=str(tmp_path), sandbox_policy=DangerFullAccess())
    patch = "*** Begin Patch\n*** Add File: a.txt\n+one\n*** End Patch\n"
    async with open_live(config=config) as live:
        await call(live, "apply_patch", {"input": patch})
        with trio.fail_after(10):
            asked, draft = await live.until_asked()
        assert asked[-3:] == [
            "item/started fileChange inProgress",
            "status active waitingOnApproval",
            "[REQ] item/fileChange/requestApproval c1",
        ]
        await live.answer(draft, {"decision": "accept"})
        with trio.fail_after(10):
            await finish(live)
        told = await live.turn()

        assert told[0].startswith("item/fileChange/outputDelta")
        assert told[1] == "item/completed fileChange completed"
        assert sum(line.startswith("turn/diff/updated") for line in told) == 1
        assert told[-2:] == END
        same_read_back(live)


async def test_declined_patch_ends_once(mock_clock: MockClock, tmp_path: Path) -> None:
    """Without anything it would have said."""
    config = attrs.evolve(UNTRUSTED, cwd=str(tmp_path))
    patch = "*** Begin Patch\n*** Add File: a.txt\n+one\n*** End Patch\n"
    async with open_live(config=config) as live:
        await call(live, "apply_patch", {"input": patch})
        with trio.fail_after(10):
            _, draft = await live.until_asked()
        await live.answer(draft, {"decision": "decline"})
        await finish(live)

        assert await live.turn() == ["item/completed fileChange declined", *SAID, *END]
        same_read_back(live)


@pytest.mark.parametrize(("success", "status"), [(True, "completed"), (False, "failed")])
async def test_tool_of_the_clients_is_an_item_that_ends_with_the_answer(
    mock_clock: MockClock, success: bool, status: str
) -> None:
    """Its content comes from the answer itself; nothing of it is recorded as an item."""
    async with open_live(dynamic_tools=(WEATHER,)) as live:
        await call(live, "weather", {"town": "Ulm"})
        asked, draft = await live.until_asked()
        assert asked[-2:] == [
            "item/started dynamicToolCall inProgress",
            "[REQ] item/tool/call c1",
        ]
        given = {"contentItems": [{"type": "inputText", "text": "rain"}], "success": success}
        assert await live.answer(draft, given) == [
            "resolved c1",
            f"item/completed dynamicToolCall {status}",
        ]
        await finish(live)

        assert await live.turn() == [*SAID, *END]
        [message, _, said] = bare(live.live_turns())[0].items
        assert bare(live.read_turns())[0].items == (message, said)


async def test_question_to_the_user_waits_for_input(mock_clock: MockClock) -> None:
    """In Plan mode; there is no item for it, and other answers are always allowed."""
    option = {"label": "A", "description": "a"}
    question = {"id": "q", "header": "h", "question": "?", "options": [option]}
    config = attrs.evolve(CONFIG, collaboration_mode=PLAN)
    async with open_live(config=config) as live:
        await call(live, "request_user_input", {"questions": [question]})
        asked, draft = await live.until_asked()
        assert asked[-2:] == [
            "status active waitingOnUserInput",
            "[REQ] item/tool/requestUserInput c1",
        ]
        assert draft.params.questions[0].is_other  # type: ignore[union-attr]
        told = await live.answer(draft, {"answers": {"q": {"answers": ["A"]}}})
        assert told == ["resolved c1", "status active"]
        request = await live.model.next_request()
        assert '{"answers":{"q":{"answers":["A"]}}}' in str(request.request.input[-1])
        request.say("done").complete()

        assert await live.turn() == [*SAID, *END]
        same_read_back(live)


async def test_plan_is_an_item_of_its_own(mock_clock: MockClock) -> None:
    """Cut out of the message, between its pieces."""
    config = attrs.evolve(CONFIG, collaboration_mode=PLAN)
    async with open_live(config=config) as live:
        await live.say("plan")
        text = ["Before\n", "<proposed_plan>\n", "- one\n", "</proposed_plan>\n", "after"]
        (await live.model.next_request()).say(*text).complete()
        told = await live.turn()

        assert told[4:-2] == [
            "item/started agentMessage",
            "item/agentMessage/delta 'Before\\n'",
            "item/started plan",
            "item/plan/delta '- one\\n'",
            "item/agentMessage/delta 'after'",
            "item/completed plan",
            "item/completed agentMessage",
        ]
        [turn] = live.read_turns()
        assert turn.items[1].id == f"{turn.id}-plan"  # type: ignore[union-attr]
        same_read_back(live)


async def test_to_do_list_and_image_are_told(mock_clock: MockClock, tmp_path: Path) -> None:
    """The list has no item, the image has two: the look at it, and the message it becomes."""
    image = tmp_path / "a.png"
    await trio.Path(image).write_bytes(b"\x89PNG\r\n\x1a\n")
    async with open_live() as live:
        await live.say("go")
        request = await live.model.next_request()
        request.call("update_plan", {"plan": [{"step": "s", "status": "pending"}]}, call_id="c1")
        request.call("view_image", {"path": str(image)}, call_id="c2").complete()
        with trio.fail_after(10):
            await finish(live)

        assert await live.turn() == [
            *BEGIN,
            "turn/plan/updated",
            "item/started imageView",
            "item/completed imageView",
            *USER,
            *SAID,
            *END,
        ]
        same_read_back(live)


async def test_limited_rollout_loses_the_items_of_tools_and_the_failure(
    mock_clock: MockClock,
) -> None:
    """As documented: what was said stays, and the failed turn reads as completed."""
    async with open_live(extended=False) as live:
        await call(live, "shell", shell("true"))
        with trio.fail_after(10):
            (await live.model.next_request()).fail(InvalidRequest("no"))
        await live.turn()

        [turn] = bare(live.live_turns())
        kept = attrs.evolve(
            turn, items=turn.items[:1], status=type(turn.status).COMPLETED, error=None
        )
        assert bare(live.read_turns()) == [kept]


@pytest.mark.slow
async def test_process_that_outlives_its_turn_ends_under_it(mock_clock: MockClock) -> None:
    """What it writes and its end come later, with the id of the turn that started it."""
    async with open_live() as live:
        arguments = {
            "cmd": "read x; echo got $x",
            "shell": "/bin/bash",
            "login": False,
            "tty": True,
            "yield_time_ms": 250,
        }
        mock_clock.rate = 1
        await call(live, "exec_command", arguments)
        with trio.fail_after(20):
            request = await live.model.next_request()
            output = str(request.request.input[-1].output)  # type: ignore[union-attr]
            session = int(output.split("session ID ")[1].split(maxsplit=1)[0])
            request.say("done").complete()
            told = await live.turn()
            assert "item/started commandExecution inProgress" in told
            assert not any(line.startswith("item/completed commandExecution") for line in told)
            [first] = live.live_turns()

            typed = {"session_id": session, "chars": "x\n", "yield_time_ms": 5000}
            await live.say("type")
            (await live.model.next_request()).call("write_stdin", typed, call_id="c2").complete()
            await finish(live)
            lines = await live.turn()
        assert "item/completed commandExecution completed" in lines
        assert "item/commandExecution/terminalInteraction" in lines
        ended = [
            told
            for told in live.sent
            if isinstance(told, ItemCompletedNotification)
            and isinstance(told.item, CommandExecutionThreadItem)
        ]
        assert [told.turn_id for told in ended] == [first.id]
        same_read_back(live)


@pytest.mark.slow
async def test_users_command_is_a_turn_of_its_own(mock_clock: MockClock) -> None:
    """With one item, and nothing of the model's."""
    async with open_live() as live:
        await live.do(RunUserShellCommand(command="echo hi"))
        with trio.fail_after(10):
            told = await live.turn()

        assert told[2] == "item/started commandExecution inProgress"
        assert told[-3] == "item/completed commandExecution completed"
        assert live.live_turns()[0].items[0].source.value == "userShell"  # type: ignore[union-attr]
        # The file of a thread is made with the first words of its user.
        await live.say("hi")
        await finish(live)
        await live.turn()
        same_read_back(live)
