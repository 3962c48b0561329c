"""What a client that comes late can see, and do."""

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.safety import CommandKey
from actors.testing import ManualTool
from actors.thread import ThreadClosed, ThreadState
from messages.events import (
    AddFile,
    ApplyPatchApprovalRequest,
    DynamicToolCallRequest,
    ElicitationRequest,
    ExecApprovalRequest,
    RequestUserInput,
    StatusKind,
)
from messages.ids import CallId, TurnId
from messages.ops import (
    DynamicToolResponse,
    DynamicToolResult,
    ElicitationDecision,
    ExecApproval,
    Interrupt,
    PatchApproval,
    ResolveElicitation,
    ReviewDecisionKind,
    UserInputAnswer,
    UserInputAnswerEntry,
    UserInputResponse,
)

from .stage import TURN_ENDS, drain, open_stage

YES = ReviewDecisionKind.APPROVED
ANSWERS = UserInputResponse(answers={"q": UserInputAnswerEntry(answers=("a",))})
RESULT = DynamicToolResult(content_items=(), success=True)


def exec_request(turn_id: str) -> ExecApprovalRequest:
    return ExecApprovalRequest(
        call_id=CallId("exec"), turn_id=TurnId(turn_id), command=("ls",), cwd="/", parsed_cmd=()
    )


def patch_request(turn_id: str) -> ApplyPatchApprovalRequest:
    changes = {"/x": AddFile(content="x\n")}
    return ApplyPatchApprovalRequest(
        call_id=CallId("patch"), turn_id=TurnId(turn_id), changes=changes
    )


def user_request(turn_id: str) -> RequestUserInput:
    return RequestUserInput(call_id=CallId("user"), turn_id=TurnId(turn_id), questions=())


def tool_request(turn_id: str) -> DynamicToolCallRequest:
    return DynamicToolCallRequest(
        call_id=CallId("tool"), turn_id=TurnId(turn_id), tool="t", arguments={}
    )


ELICITATION = ElicitationRequest(server_name="srv", id=7, message="may I?")


async def test_snapshot_of_an_idle_thread_shows_its_settings_and_nothing_open(
    mock_clock: MockClock,
) -> None:
    """And from which event on it is complete."""
    async with open_stage() as stage:
        snapshot = stage.thread.snapshot()

        assert snapshot.state is ThreadState.IDLE
        assert snapshot.status is StatusKind.PENDING_INIT
        assert snapshot.settings == stage.thread.config_snapshot
        assert (snapshot.turn_id, snapshot.questions, snapshot.approvals) == (None, (), frozenset())
        assert snapshot.next_seq == stage.thread.statistics().next_seq


async def test_late_client_finds_every_open_question_and_can_answer_it(
    mock_clock: MockClock,
) -> None:
    """Whatever was asked before it came; each answer reaches the one who asked."""
    tool = ManualTool()
    async with open_stage(tool) as stage, trio.open_nursery() as nursery:
        (await stage.begin()).call("manual", call_id="c1").complete()
        call = await tool.next_call()
        turn = call.context.turn_id
        answers: dict[str, object] = {}

        async def ask(name: str, how, request) -> None:
            answers[name] = await how(request)

        context = call.context
        nursery.start_soon(ask, "exec", context.ask_exec_approval, exec_request(turn))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "patch", context.ask_patch_approval, patch_request(turn))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "user", context.ask_user, user_request(turn))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "tool", context.ask_client, tool_request(turn))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "srv", context.ask_elicitation, ELICITATION)
        await wait_all_tasks_blocked()

        snapshot = stage.thread.snapshot()

        assert snapshot.turn_id == turn
        assert snapshot.questions == (
            exec_request(turn),
            patch_request(turn),
            user_request(turn),
            tool_request(turn),
            ELICITATION,
        )
        accept = ElicitationDecision.ACCEPT
        for op in (
            ExecApproval(id=CallId("exec"), decision=YES),
            PatchApproval(id=CallId("patch"), decision=ReviewDecisionKind.DENIED),
            UserInputAnswer(id="user", response=ANSWERS),
            DynamicToolResponse(id=CallId("tool"), response=RESULT),
            ResolveElicitation(server_name="srv", request_id=7, decision=accept),
        ):
            await stage.do(op)
        await wait_all_tasks_blocked()
        assert answers == {
            "exec": YES,
            "patch": ReviewDecisionKind.DENIED,
            "user": ANSWERS,
            "tool": RESULT,
            "srv": accept,
        }
        assert stage.thread.snapshot().questions == ()
        call.answer("done")


async def test_answer_of_an_older_client_names_the_turn_and_reaches_the_oldest_question(
    mock_clock: MockClock,
) -> None:
    """Two questions of one turn are told apart by their calls (L15)."""
    tool = ManualTool()
    async with open_stage(tool) as stage, trio.open_nursery() as nursery:
        (await stage.begin()).call("manual", call_id="c1").complete()
        call = await tool.next_call()
        turn = call.context.turn_id
        got: list[object] = []

        async def ask(call_id: str) -> None:
            request = attrs.evolve(user_request(turn), call_id=CallId(call_id))
            got.append((call_id, await call.context.ask_user(request)))

        nursery.start_soon(ask, "one")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "two")
        await wait_all_tasks_blocked()
        other = UserInputResponse(answers={})
        await stage.do(UserInputAnswer(id=turn, response=ANSWERS))
        await stage.do(UserInputAnswer(id="two", response=other))
        await wait_all_tasks_blocked()

        assert sorted(got, key=str) == [("one", ANSWERS), ("two", other)]
        call.answer("done")


async def test_interrupt_withdraws_questions(mock_clock: MockClock) -> None:
    """And an answer that comes too late is refused."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c1").complete()
        (await tool.next_call()).ask_approval("ls")
        await wait_all_tasks_blocked()
        assert len(stage.thread.snapshot().questions) == 1
        await stage.do(Interrupt())
        await stage.until(*TURN_ENDS)

        assert stage.thread.snapshot().questions == ()
        drain(stage.thread)
        await stage.do(ExecApproval(id=CallId("c1"), decision=YES))
        await wait_all_tasks_blocked()
        assert drain(stage.thread) == [
            "Error bad_request: no such question with id 'c1' is open; it was answered or withdrawn"
        ]


async def test_messages_of_tools_join_the_turn_until_it_has_ended(mock_clock: MockClock) -> None:
    """The next request holds them; afterwards there is no next request."""
    from .test_user_shell import message

    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c1").complete()
        call = await tool.next_call()
        assert call.context.add_input(message("seen"))
        call.answer("done")
        following = await stage.model.next_request()
        assert "user: seen" in [f"user: {i.content[0].text}" for i in following.request.input[-1:]]
        following.say("ok").complete()
        await stage.until(*TURN_ENDS)

        assert not call.context.add_input(message("late"))


async def test_notes_of_tools_for_the_model_are_not_told_as_words_of_the_user(
    mock_clock: MockClock,
) -> None:
    """The model reads them; clients see nobody say them, live or in the rollout."""
    from .test_user_shell import message

    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin("hi")).call("manual", call_id="c1").complete()
        call = await tool.next_call()
        call.context.add_input(message("Warning: another way is better"))
        call.answer("done")
        (await stage.model.next_request()).say("ok").complete()

        told = await stage.until(*TURN_ENDS)

        assert told.count("ItemStarted UserMessageItem") == 1
        assert [line for line in stage.rollout() if line.startswith("UserMessage")] == [
            "UserMessage hi"
        ]


async def test_what_was_allowed_for_the_session_is_listed_and_taken_back(
    mock_clock: MockClock,
) -> None:
    """Once; what was never allowed cannot be taken back."""
    key = CommandKey(("ls",), "/")
    async with open_stage() as stage:
        ports = stage.supervisor._threads[stage.thread.thread_id].ports
        ports.approvals.allow(key)

        assert stage.thread.snapshot().approvals == {key}
        assert await stage.thread.revoke_approval(key)
        assert not await stage.thread.revoke_approval(key)
        assert stage.thread.snapshot().approvals == frozenset()
    with pytest.raises(ThreadClosed):
        await stage.thread.revoke_approval(key)
