"""Questions to clients: approvals and the client's own tools."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.testing import ManualCall, ManualTool
from actors.thread.states import TurnPhase, TurnProgress
from messages.content import InputText
from messages.events import (
    DynamicToolCallRequest,
    ExecApprovalRequest,
    TurnAborted,
    TurnComplete,
)
from messages.ids import CallId
from messages.ops import (
    ApprovedExecpolicyAmendment,
    DynamicToolResponse,
    DynamicToolResult,
    ExecApproval,
    Interrupt,
    PatchApproval,
    ReviewDecision,
    ReviewDecisionKind,
    UserInputAnswer,
    UserInputResponse,
)
from messages.settings import DynamicToolSpec

from .stage import CONFIG, drain, open_stage, request_lines

YES, NO = ReviewDecisionKind.APPROVED, ReviewDecisionKind.DENIED
WEATHER = DynamicToolSpec(
    name="weather", description="Tells the weather.", input_schema={"type": "object"}
)


async def ask(call: ManualCall) -> ReviewDecision:
    """Ask for approval, as the shell does."""
    return await call.context.ask_exec_approval(
        ExecApprovalRequest(call_id=call.call.call_id, command=("ls",), cwd="/", parsed_cmd=())
    )


def approval(key: str, decision: ReviewDecision) -> ExecApproval:
    return ExecApproval(id=CallId(key), decision=decision)


def answer(key: str, text: str) -> DynamicToolResponse:
    result = DynamicToolResult(content_items=(InputText(text=text),), success=True)
    return DynamicToolResponse(id=CallId(key), response=result)


def refusal(key: str) -> str:
    return (
        f"Error bad_request: no such question with id {key!r} is open; it was answered or withdrawn"
    )


@pytest.mark.parametrize(
    "decision",
    [
        ReviewDecisionKind.APPROVED,
        ReviewDecisionKind.APPROVED_FOR_SESSION,
        ReviewDecisionKind.DENIED,
        ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("ls",)),
    ],
)
@pytest.mark.parametrize("op", [ExecApproval, PatchApproval])
async def test_decision_reaches_the_tool_that_asked(
    mock_clock: MockClock, decision: ReviewDecision, op: type
) -> None:
    """By either op; what it means is the tool's affair."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        got: list[ReviewDecision] = []

        async def asking() -> None:
            got.append(await ask(call))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking)
            await wait_all_tasks_blocked()
            assert drain(stage.thread)[-1] == "ExecApprovalRequest"
            await stage.do(op(id=CallId("c"), decision=decision))

        assert got == [decision]


async def test_abort_stops_the_turn(mock_clock: MockClock) -> None:
    """The tool hears of it; a call that goes on all the same is answered as stopped."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, call)
            await wait_all_tasks_blocked()

            await stage.do(approval("c", ReviewDecisionKind.ABORT))
            told = await stage.until(TurnAborted)
            nursery.cancel_scope.cancel()

        assert told[-2:] == ["output c: aborted by user after 0.1s", "TurnAborted interrupted"]


@pytest.mark.parametrize("decision", [YES, ReviewDecisionKind.ABORT])
async def test_answer_to_no_question_is_refused_and_changes_nothing(
    mock_clock: MockClock, decision: ReviewDecision
) -> None:
    """Unknown, late and doubled answers; a late abort does not stop another turn."""
    async with open_stage() as stage:
        await stage.do(approval("idle", decision))
        await wait_all_tasks_blocked()
        assert drain(stage.thread) == [refusal("idle")]
        response = await stage.begin()
        drain(stage.thread)

        await stage.do(approval("busy", decision))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [refusal("busy")]
        response.say("x").complete()
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete x"


async def test_second_answer_to_a_question_is_refused(mock_clock: MockClock) -> None:
    """The first one counts."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, call)
            await wait_all_tasks_blocked()
            drain(stage.thread)
            stage.thread.submit_nowait(approval("c", NO))
            stage.thread.submit_nowait(approval("c", YES))

        await wait_all_tasks_blocked()
        assert drain(stage.thread) == [refusal("c")]


async def test_answer_of_the_wrong_kind_is_refused(mock_clock: MockClock) -> None:
    """A tool that asked for approval never gets a tool's result."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, call)
            await wait_all_tasks_blocked()
            drain(stage.thread)

            await stage.do(answer("c", "x"))
            await stage.do(UserInputAnswer(id="c", response=UserInputResponse(answers={})))
            await wait_all_tasks_blocked()

            assert drain(stage.thread) == [refusal("c"), refusal("c")]
            await stage.do(approval("c", YES))


async def test_question_is_withdrawn_when_the_turn_is_stopped(mock_clock: MockClock) -> None:
    """A late answer is refused."""
    tool = ManualTool()
    async with open_stage(tool, dynamic_tools=(WEATHER,)) as stage:
        (await stage.begin()).call("weather", call_id="c").complete()
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        await stage.do(answer("c", "rain"))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [refusal("c")]


async def test_two_calls_of_one_id_are_asked_for_apart(mock_clock: MockClock) -> None:
    """What is said to one must not count for the other."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").call("manual", call_id="c").complete()
        calls = [await tool.next_call(), await tool.next_call()]
        got: dict[int, ReviewDecision] = {}

        async def asking(number: int) -> None:
            got[number] = await ask(calls[number])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking, 0)
            await wait_all_tasks_blocked()
            nursery.start_soon(asking, 1)
            await wait_all_tasks_blocked()
            events = []
            reader = stage.thread.events()
            while reader.next_seq < stage.thread.statistics().next_seq:
                events.append(reader.receive_nowait().msg)
            second = [e for e in events if isinstance(e, ExecApprovalRequest)][1]
            assert second.approval_id is not None
            await stage.do(approval("c", YES))
            await stage.do(approval(second.approval_id, NO))

        assert got == {0: YES, 1: NO}


async def test_clients_tool_is_asked_by_event_and_answers_by_op(mock_clock: MockClock) -> None:
    """The model reads the client's parts as the call's output."""
    async with open_stage(dynamic_tools=(WEATHER,)) as stage:
        response = await stage.begin()
        assert [spec["name"] for spec in response.request.tools] == ["weather"]
        response.call("weather", {"city": "Oslo"}, call_id="c").complete()
        events = await stage.events_until(DynamicToolCallRequest)
        assert events[-1].msg == DynamicToolCallRequest(
            call_id=CallId("c"),
            turn_id=response.request.turn_id,
            tool="weather",
            arguments={"city": "Oslo"},
        )

        await stage.do(answer("c", "rain"))
        following = await stage.model.next_request()

        assert following.request.input[-1].output == (InputText(text="rain"),)


async def test_two_open_calls_of_one_id_ask_the_client_once(mock_clock: MockClock) -> None:
    """The client could not tell them apart; the second is answered without it."""
    tools = (WEATHER, DynamicToolSpec(name="clock", description="", input_schema={}))
    parallel = ManualTool()
    async with open_stage(parallel, dynamic_tools=tools) as stage:
        (await stage.begin()).call("weather", call_id="c").call("manual", call_id="c").complete()
        await stage.until(DynamicToolCallRequest)
        # The client's tools run one by one; only a tool of the embedder's gets here.
        await stage.do(answer("c", "rain"))
        call = await parallel.next_call()
        call.answer("x")
        following = await stage.model.next_request()
        assert request_lines(following)[-1] == "output c: x"


@pytest.mark.parametrize("how", ["resume", "fork"])
async def test_clients_tools_come_back_with_the_thread(mock_clock: MockClock, how: str) -> None:
    """They are in the rollout's first line."""
    async with open_stage(dynamic_tools=(WEATHER,)) as stage:
        await stage.run_turn()
        path = stage.thread.rollout_path
        assert path is not None
        await stage.supervisor.remove_thread(stage.thread.thread_id)

        if how == "resume":
            stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        else:
            stage.new = await stage.supervisor.fork_thread(None, CONFIG, path)
        response = await stage.begin()

        assert [spec["name"] for spec in response.request.tools] == ["weather"]


async def test_tool_that_asks_after_the_turns_end_is_denied(autojump_clock: MockClock) -> None:
    """Nobody is asked for a turn that is over."""
    tool = ManualTool(stubborn=10)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        assert await ask(call) is NO
        request = DynamicToolCallRequest(
            call_id=CallId("c"), turn_id=call.context.turn_id, tool="x", arguments={}
        )
        assert await call.context.ask_client(request) is None
        assert drain(stage.thread) == []


async def test_phase_is_waiting_as_long_as_any_question_is_open(mock_clock: MockClock) -> None:
    """Whatever else the turn does meanwhile shows when the last question is closed."""
    progress = TurnProgress()
    progress.move(TurnPhase.SAMPLING)

    with progress.waiting():
        with progress.waiting():
            progress.move(TurnPhase.TOOLS)
            assert progress.phase is TurnPhase.WAITING
        assert progress.phase is TurnPhase.WAITING
    assert progress.phase is TurnPhase.TOOLS

    with progress.waiting():
        progress.move(TurnPhase.INTERRUPTED)
    assert progress.phase is TurnPhase.INTERRUPTED
