"""Whole flows of a live thread: what its clients are told, and what reads back afterwards."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.models import ContextWindowExceeded, InvalidRequest, StreamDisconnected
from messages.content import TextInput
from messages.events import (
    BaseBranchTarget,
    ErrorEvent,
    ThreadNameUpdated,
    ThreadRolledBack,
    TurnAborted,
)
from messages.ops import (
    Compact,
    Interrupt,
    Review,
    ReviewRequest,
    RunUserShellCommand,
    SetThreadName,
    ThreadRollback,
)
from messages.rpc.item_notifications import ItemCompletedNotification, TurnCompletedNotification
from messages.rpc.items import CommandExecutionThreadItem
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    DynamicToolSpec,
    ModeKind,
)

from .live import CONFIG, Live, open_live
from .outgoing import bare

UNTRUSTED = attrs.evolve(CONFIG, approval_policy=AskForApproval.UNTRUSTED)
PLAN = CollaborationMode(mode=ModeKind.PLAN, settings=CollaborationSettings(model="scripted"))

USER = ["item/started userMessage", "item/completed userMessage"]
BEGIN = ["status active", "turn/started inProgress", *USER]
END = ["status idle", "turn/completed completed"]
SAID = [
    "item/started agentMessage",
    "item/agentMessage/delta 'done'",
    "item/completed agentMessage",
]
WEATHER = DynamicToolSpec(
    name="weather", description="Tells the weather.", input_schema={"type": "object"}
)


def same_read_back(live: Live) -> None:
    """What reads back is what was told, but for ids and times."""
    assert bare(live.read_turns()) == bare(live.live_turns())


async def call(live: Live, tool: str, arguments: Any, text: str = "go") -> None:
    await live.say(text)
    (await live.model.next_request()).call(tool, arguments, call_id="c1").complete()


async def finish(live: Live) -> None:
    (await live.model.next_request()).say("done").complete()


def shell(script: str) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]}


async def test_plain_turn_is_told_in_the_order_of_the_protocol(mock_clock: MockClock) -> None:
    """Status, turn, items with their pieces, usage, end."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).think("hm").say("hel", "lo").complete(10)

        assert await live.turn() == [
            *BEGIN,
            "item/started reasoning",
            "item/completed reasoning",
            "item/started agentMessage",
            "item/agentMessage/delta 'hel'",
            "item/agentMessage/delta 'lo'",
            "item/completed agentMessage",
            "usage 10",
            *END,
        ]
        same_read_back(live)


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


async def test_compaction_is_a_turn_with_its_item(mock_clock: MockClock) -> None:
    """The deprecated notification follows the item, for those who know only that."""
    async with open_live() as live:
        await live.say("hi")
        await finish(live)
        await live.turn()
        await live.do(Compact())
        (await live.model.next_request()).say("summary").complete(7)
        told = await live.turn()

        assert told[:4] == [
            "status active",
            "turn/started inProgress",
            "item/started contextCompaction",
            "usage 7",
        ]
        assert told.count("item/completed contextCompaction") == 1
        assert told.index("thread/compacted") == told.index("item/completed contextCompaction") + 1
        assert told[-2:] == END
        same_read_back(live)


async def test_steered_input_is_another_message_of_the_same_turn(mock_clock: MockClock) -> None:
    """With the name that its client gave it."""
    async with open_live() as live:
        await live.say("hi")
        request = await live.model.next_request()
        content = (TextInput(text="more"),)
        live.projection.expect(content, "mine")
        await live.thread.steer_input(content)
        request.say("done").complete()
        await finish(live)

        assert await live.turn() == [*BEGIN, *SAID, *USER, *SAID, *END]
        [first, _, second, _] = live.live_turns()[0].items
        assert (first.client_id, second.client_id) == (None, "mine")  # type: ignore[union-attr]


async def test_review_is_told_under_the_turn_of_the_reviewed_thread(mock_clock: MockClock) -> None:
    """Its result as text twice: as the end of the review, and as a message."""
    finding = {
        "title": "Off by one",
        "body": "Lost.",
        "confidence_score": 0.9,
        "priority": 1,
        "code_location": {"absolute_file_path": "/a.py", "line_range": {"start": 1, "end": 2}},
    }
    output = {
        "findings": [finding],
        "overall_correctness": "patch is incorrect",
        "overall_explanation": "Bad.",
        "overall_confidence_score": 0.8,
    }
    async with open_live() as live:
        request = ReviewRequest(target=BaseBranchTarget(branch="main"))
        turn_id = await live.do(Review(review_request=request))
        first = await live.model.next_request()
        first.think("hm").say("Let me see.").call("shell", shell("true"), call_id="c1").complete()
        with trio.fail_after(10):
            (await live.model.next_request()).say(json.dumps(output)).complete()
            told = await live.turn()

        assert told == [
            "status active",
            "turn/started inProgress",
            "item/started enteredReviewMode",
            "item/completed enteredReviewMode",
            *USER,
            "item/started reasoning",
            "item/completed reasoning",
            "item/started commandExecution inProgress",
            "item/completed commandExecution completed",
            "item/started agentMessage",
            "item/completed agentMessage",
            "item/started exitedReviewMode",
            "item/completed exitedReviewMode",
            "item/started agentMessage",
            "item/completed agentMessage",
            *END,
        ]
        [turn] = live.live_turns()
        assert turn.id == turn_id
        assert turn.items[0].review == "changes against 'main'"  # type: ignore[union-attr]
        rendered = "Bad.\n\nReview comment:\n\n- Off by one — /a.py:1-2\n  Lost."
        assert turn.items[-2].review == rendered  # type: ignore[union-attr]
        assert turn.items[-1].text == rendered  # type: ignore[union-attr]
        same_read_back(live)


async def test_interrupted_review_is_left_before_the_turn_ends(mock_clock: MockClock) -> None:
    """With the words that say so."""
    async with open_live() as live:
        await live.say("hi")
        await finish(live)
        await live.turn()
        target = ReviewRequest(target=BaseBranchTarget(branch="main"))
        await live.do(Review(review_request=target))
        await live.model.next_request()
        await live.do(Interrupt())
        told = await live.turn()

        assert told[-6:] == [
            "item/started exitedReviewMode",
            "item/completed exitedReviewMode",
            "item/started agentMessage",
            "item/completed agentMessage",
            "status idle",
            "turn/completed interrupted",
        ]
        same_read_back(live)


async def test_failed_turn_ends_with_the_error_that_was_told(mock_clock: MockClock) -> None:
    """The identical error; retries are told before, and the turn goes on."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).fail(StreamDisconnected("gone"))
        mock_clock.rate = 1000
        (await live.model.next_request()).fail(InvalidRequest("no such model"))
        told = await live.turn()

        assert told[4].startswith("error again: Reconnecting... 1/")
        assert told[5:] == [
            "status systemError",
            "error final: no such model",
            "turn/completed failed",
        ]
        ended = live.find(TurnCompletedNotification).turn
        assert ended.error == live.sent[-2].error  # type: ignore[union-attr]
        assert ended.items == ()
        same_read_back(live)


async def test_full_window_is_told_as_usage_before_the_error(mock_clock: MockClock) -> None:
    """Clients see that the window is full, and programs why the turn failed."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).fail(ContextWindowExceeded("full"))
        told = await live.turn()

        assert told[4].startswith("usage ")
        assert told[-1] == "turn/completed failed"


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


async def test_name_rollback_and_refusals_are_told_outside_of_turns(
    mock_clock: MockClock,
) -> None:
    """A refused rollback is the answer to a request and no error of anybody's turn."""
    async with open_live() as live:
        await live.do(SetThreadName(name="Neu"))
        assert await live.until(ThreadNameUpdated) == ["name Neu"]
        await live.say("hi")
        request = await live.model.next_request()
        await live.do(ThreadRollback(num_turns=1))
        assert await live.until(ErrorEvent) == BEGIN
        request.say("done").complete(5)
        await live.turn()
        await live.do(ThreadRollback(num_turns=1))
        [usage] = await live.until(ThreadRolledBack)
        assert usage.startswith("usage ")
        assert live.read_turns() == []


async def test_raw_items_are_told_to_those_who_want_them(mock_clock: MockClock) -> None:
    """In the order of the history, beside the items."""
    async with open_live() as live:
        live.projection.raw_items = True
        await live.say("hi")
        await finish(live)

        assert (await live.turn()).count("rawResponseItem/completed") >= 2


async def test_interrupted_turn_reads_back_as_interrupted(mock_clock: MockClock) -> None:
    """What was said until then stays."""
    async with open_live() as live:
        await live.say("hi")
        await live.model.next_request()
        await live.do(Interrupt())

        assert await live.until(TurnAborted) == [
            *BEGIN,
            "status idle",
            "turn/completed interrupted",
        ]
        same_read_back(live)
