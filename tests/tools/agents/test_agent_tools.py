"""The five tools of agents: what they read, tell and write."""

import json
import pickle
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.tools import ToolError
from actors.tools.agents import (
    AgentClosed,
    AgentDepthReached,
    AgentError,
    AgentFailed,
    AgentLimitReached,
    AgentNotFound,
    AgentRole,
    AgentsUnavailable,
    ParentTurn,
    agent_tools,
    is_final,
)
from actors.tools.agents.agent_input import preview, read_input
from actors.tools.tool import Tool
from messages.content import (
    ImageInput,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownInput,
)
from messages.events import (
    AgentStatus,
    CollabAgentInteractionBegin,
    CollabAgentInteractionEnd,
    CollabAgentSpawnBegin,
    CollabAgentSpawnEnd,
    CollabCloseBegin,
    CollabCloseEnd,
    CollabResumeBegin,
    CollabResumeEnd,
    CollabWaitingBegin,
    CollabWaitingEnd,
    Completed,
    Errored,
    StatusKind,
)

from ..fake_context import CALL, MODEL, THREAD, TURN, FakeContext, function_call, offer
from .fake_control import AGENT, OTHER, SENT, FakeControl

NAMES = ("spawn_agent", "send_input", "resume_agent", "wait", "close_agent")
TASK = (TextInput(text="look"),)
ALL_INPUT = (
    TextInput(text="see"),
    ImageInput(image_url="data:,"),
    LocalImageInput(path="/a.png"),
    SkillInput(name="s", path="/s"),
    MentionInput(name="m", path="app://m"),
)


def tool(control: FakeControl, name: str) -> Tool:
    return next(tool for tool in agent_tools(control) if tool.name == name)


async def run(
    control: FakeControl, name: str, context: FakeContext | None = None, /, **arguments: object
) -> Any:
    """Run a tool, and return the JSON that the model reads."""
    call = function_call(name, **arguments)
    output = await tool(control, name).run(call, context or FakeContext())
    assert isinstance(output.output, str)
    assert output.success is (None if name == "wait" else True)
    return json.loads(output.output)


async def refusal(control: FakeControl, name: str, /, **arguments: object) -> str:
    """Run a tool that cannot do it, and return what the model reads."""
    with pytest.raises(ToolError) as raised:
        await run(control, name, **arguments)
    return raised.value.text


def test_tools_are_offered_only_where_a_thread_has_agents() -> None:
    """One after the other, and as functions."""
    tools = agent_tools(FakeControl())

    assert tuple(tool.name for tool in tools) == NAMES
    assert not any(tool.parallel for tool in tools)
    assert all(tool.spec(offer()) is None for tool in tools)
    for one in tools:
        spec = one.spec(offer(collab=True))
        assert isinstance(spec, dict)
        assert (spec["type"], spec["name"]) == ("function", one.name)
        assert spec is one.spec(offer(collab=True))


# Spawning --------------------------------------------------------------------


async def test_agent_is_started_with_its_prompt() -> None:
    """Clients hear of it before and after; the control gets what agents inherit."""
    control, context = FakeControl(), FakeContext(cwd="/work")

    assert await run(control, "spawn_agent", context, message="look") == {"agent_id": AGENT}

    parent = ParentTurn(
        thread_id=THREAD,
        turn_id=TURN,
        cwd="/work",
        approval_policy=context.approval_policy,
        sandbox_policy=context.sandbox_policy,
        model=MODEL.slug,
    )
    assert control.asked == [("check_depth",), ("spawn", parent, TASK, AgentRole.DEFAULT)]
    assert context.events == [
        CollabAgentSpawnBegin(call_id=CALL, sender_thread_id=THREAD, prompt="look"),
        CollabAgentSpawnEnd(
            call_id=CALL,
            sender_thread_id=THREAD,
            prompt="look",
            new_thread_id=AGENT,
            status=StatusKind.PENDING_INIT,
        ),
    ]


@pytest.mark.parametrize("role", list(AgentRole))
async def test_agent_has_the_role_that_the_model_chose(role: AgentRole) -> None:
    """Of the four; null is the same as nothing."""
    control = FakeControl()

    await run(control, "spawn_agent", message="look", agent_type=role.value)
    await run(control, "spawn_agent", message="look", agent_type=None)

    assert [asked[-1] for asked in control.asked if asked[0] == "spawn"] == [
        role,
        AgentRole.DEFAULT,
    ]
    assert await refusal(control, "spawn_agent", message="x", agent_type="boss") == (
        "failed to parse function arguments: agent_type: expected one of default, worker, "
        "explorer, orchestrator, got 'boss'"
    )


async def test_agent_too_deep_is_refused_without_a_word_to_clients() -> None:
    """Also when it would only be resumed."""
    control, context = FakeControl(refusals={"check_depth": AgentDepthReached(1)}), FakeContext()

    for name, arguments in (("spawn_agent", {"message": "look"}), ("resume_agent", {"id": AGENT})):
        with pytest.raises(ToolError, match=r"^Agent depth limit reached\. Solve the task"):
            await run(control, name, context, **arguments)

    assert context.events == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AgentFailed("no disk"), "collab spawn failed: no disk"),
        (
            AgentLimitReached(6),
            "collab spawn failed: agent thread limit reached (max 6); close an agent whose work "
            "is done, and try again",
        ),
        (AgentClosed(AGENT), f"agent with id {AGENT} is closed"),
        (AgentsUnavailable(), "collab manager unavailable"),
    ],
)
async def test_failed_start_has_an_end_without_a_thread(error: Exception, text: str) -> None:
    """And the model reads why."""
    control, context = FakeControl(refusals={"spawn": error}), FakeContext()

    with pytest.raises(ToolError) as raised:
        await run(control, "spawn_agent", context, message="look")

    assert raised.value.text == text
    end = context.events[-1]
    assert isinstance(end, CollabAgentSpawnEnd)
    assert (end.new_thread_id, end.status) == (None, StatusKind.NOT_FOUND)


# Sending ---------------------------------------------------------------------


async def test_input_is_sent(autojump_clock: MockClock) -> None:
    """The end tells what the agent does then."""
    control, context = FakeControl({AGENT: StatusKind.RUNNING}), FakeContext()

    answer = await run(control, "send_input", context, id=AGENT, message="look")

    assert answer == {"submission_id": SENT}
    assert control.asked == [("send", AGENT, TASK)]
    assert context.events == [
        CollabAgentInteractionBegin(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT, prompt="look"
        ),
        CollabAgentInteractionEnd(
            call_id=CALL,
            sender_thread_id=THREAD,
            receiver_thread_id=AGENT,
            prompt="look",
            status=StatusKind.RUNNING,
        ),
    ]


async def test_interrupt_goes_before_everything() -> None:
    """When it fails, clients hear nothing."""
    control, context = FakeControl(), FakeContext()
    await run(control, "send_input", context, id=AGENT, message="look", interrupt=True)
    assert [asked[0] for asked in control.asked] == ["interrupt", "send"]

    control, context = FakeControl(refusals={"interrupt": AgentNotFound(AGENT)}), FakeContext()
    with pytest.raises(ToolError, match=f"^agent with id {AGENT} not found$"):
        await run(control, "send_input", context, id=AGENT, message="look", interrupt=True)
    assert (context.events, len(control.asked)) == ([], 1)


async def test_refused_input_has_an_end() -> None:
    """With the agent's status."""
    control, context = FakeControl(refusals={"send": AgentNotFound(AGENT)}), FakeContext()

    with pytest.raises(ToolError, match="not found"):
        await run(control, "send_input", context, id=AGENT, message="look")

    assert context.kinds() == [CollabAgentInteractionBegin, CollabAgentInteractionEnd]
    assert context.events[-1].status is StatusKind.NOT_FOUND  # type: ignore[union-attr]


# What is told ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Provide one of: message or items"),
        ({"message": None, "items": None}, "Provide one of: message or items"),
        ({"message": "a", "items": []}, "Provide either message or items, but not both"),
        ({"message": " \n"}, "Empty message can't be sent to an agent"),
        ({"items": []}, "Items can't be empty"),
        ({"items": "a"}, "failed to parse function arguments: items: expected a list, got a"),
        ({"message": 1}, "failed to parse function arguments: message: expected a string"),
        ({"items": [{"type": "smell"}]}, "items[0]: unknown type 'smell', expected text, image,"),
        ({"items": [{"type": "text", "text": "a"}, {"type": "text"}]}, "items[1]: "),
        ({"items": ["a"]}, "failed to parse function arguments: items[0]: "),
    ],
)
async def test_input_that_is_none_is_refused(arguments: dict[str, object], text: str) -> None:
    """By both tools that take input, before anything is done."""
    for name in ("spawn_agent", "send_input"):
        control = FakeControl()
        assert text in await refusal(control, name, id=AGENT, **arguments)
        assert control.asked == []


def test_items_are_read_and_shown_in_a_line_each() -> None:
    """Whatever kind they are of."""
    items = read_input(
        {
            "items": [
                {"type": "text", "text": "see"},
                {"type": "image", "image_url": "data:,"},
                {"type": "local_image", "path": "/a.png"},
                {"type": "skill", "name": "s", "path": "/s"},
                {"type": "mention", "name": "m", "path": "app://m"},
            ]
        }
    )

    assert items == ALL_INPUT
    assert preview(items) == (
        "see\n[image]\n[local_image:/a.png]\n[skill:$s](/s)\n[mention:$m](app://m)"
    )
    assert preview((UnknownInput(tag="new", raw={"type": "new"}),)) == "[new]"


@given(st.text())
def test_message_is_sent_as_it_is(text: str) -> None:
    """Unless it is blank."""
    if text.strip():
        assert read_input({"message": text}) == (TextInput(text=text),)
    else:
        with pytest.raises(ToolError, match="Empty message"):
            read_input({"message": text})


@pytest.mark.parametrize("name", ["send_input", "resume_agent", "close_agent", "wait"])
async def test_id_that_is_none_is_refused(name: str) -> None:
    """And named."""
    bad = {"ids": [AGENT, "bob"]} if name == "wait" else {"id": "bob"}
    text = await refusal(FakeControl(), name, message="x", **bad)
    assert text == "invalid agent id bob: it is not a UUID"


# Waiting -----------------------------------------------------------------------


async def test_wait_returns_those_that_are_done(autojump_clock: MockClock) -> None:
    """In the words that models know."""
    done: dict[Any, AgentStatus] = {AGENT: Completed(completed="yes"), OTHER: StatusKind.NOT_FOUND}
    control, context = FakeControl(done), FakeContext()

    answer = await run(control, "wait", context, ids=[OTHER, AGENT.upper(), OTHER])

    assert answer == {
        "status": {OTHER: "not_found", AGENT: {"completed": "yes"}},
        "timed_out": False,
    }
    assert list(answer["status"]) == [OTHER, AGENT]
    assert control.asked == [("wait_final", OTHER, AGENT)]
    assert context.events == [
        CollabWaitingBegin(
            sender_thread_id=THREAD, receiver_thread_ids=(OTHER, AGENT), call_id=CALL
        ),
        CollabWaitingEnd(sender_thread_id=THREAD, call_id=CALL, statuses=done),
    ]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, 30),
        ({"timeout_ms": None}, 30),
        ({"timeout_ms": 1}, 10),
        ({"timeout_ms": 9_999}, 10),
        ({"timeout_ms": 10_000}, 10),
        ({"timeout_ms": 10_500.5}, 10.5005),
        ({"timeout_ms": 300_000}, 300),
        ({"timeout_ms": 300_001}, 300),
        ({"timeout_ms": 10**30}, 300),
    ],
)
async def test_wait_ends_when_its_time_is_up(
    asked: dict[str, object], seconds: float, autojump_clock: MockClock
) -> None:
    """Between ten seconds and five minutes, half a minute if nobody says; it is no error."""
    control, context = FakeControl(blocking={"wait_final"}), FakeContext()

    answer = await run(control, "wait", context, ids=[AGENT], **asked)

    assert answer == {"status": {}, "timed_out": True}
    assert trio.current_time() == pytest.approx(seconds)
    assert context.kinds() == [CollabWaitingBegin, CollabWaitingEnd]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ids": []}, "ids must be non-empty"),
        ({}, "failed to parse function arguments: missing field ids"),
        ({"ids": [1]}, "failed to parse function arguments: ids[0]: expected a string"),
        ({"ids": [AGENT], "timeout_ms": 0}, "timeout_ms must be greater than zero"),
        ({"ids": [AGENT], "timeout_ms": -5}, "timeout_ms must be greater than zero"),
        ({"ids": [AGENT], "timeout_ms": True}, "timeout_ms: expected a number"),
        ({"ids": [AGENT], "timeout_ms": "9"}, "timeout_ms: expected a number"),
    ],
)
async def test_wait_for_nothing_is_refused(arguments: dict[str, object], text: str) -> None:
    """Before clients hear of it."""
    control = FakeControl()
    assert text in await refusal(control, "wait", **arguments)
    assert control.asked == []


# Closing and resuming ----------------------------------------------------------


async def test_close_tells_what_the_agent_did_until_then() -> None:
    """Not that it is closed."""
    status = Completed(completed=None)
    control, context = FakeControl({AGENT: status}), FakeContext()

    answer = await run(control, "close_agent", context, id=AGENT)

    assert answer == {"status": {"completed": None}}
    assert context.events == [
        CollabCloseBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT),
        CollabCloseEnd(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT, status=status
        ),
    ]


async def test_close_of_nobody_has_an_end() -> None:
    """And an error."""
    control, context = FakeControl(refusals={"close": AgentNotFound(AGENT)}), FakeContext()

    with pytest.raises(ToolError, match=f"agent with id {AGENT} not found"):
        await run(control, "close_agent", context, id=AGENT)

    assert context.kinds() == [CollabCloseBegin, CollabCloseEnd]
    assert context.events[-1].status is StatusKind.NOT_FOUND  # type: ignore[union-attr]


async def test_resume_tells_what_the_agent_does() -> None:
    """Depth first, then the rollout."""
    control, context = FakeControl({AGENT: Errored(errored="Interrupted")}), FakeContext()

    answer = await run(control, "resume_agent", context, id=AGENT)

    assert answer == {"status": {"errored": "Interrupted"}}
    assert control.asked == [("check_depth",), ("resume", AGENT)]
    assert context.kinds() == [CollabResumeBegin, CollabResumeEnd]

    failing = FakeControl(refusals={"resume": AgentFailed("no")})
    assert await refusal(failing, "resume_agent", id=AGENT) == "collab tool failed: no"


@pytest.mark.parametrize(
    ("name", "method", "kinds"),
    [
        ("spawn_agent", "spawn", [CollabAgentSpawnBegin, CollabAgentSpawnEnd]),
        ("send_input", "send", [CollabAgentInteractionBegin, CollabAgentInteractionEnd]),
        ("resume_agent", "resume", [CollabResumeBegin, CollabResumeEnd]),
        ("close_agent", "close", [CollabCloseBegin, CollabCloseEnd]),
        ("wait", "wait_final", [CollabWaitingBegin, CollabWaitingEnd]),
    ],
)
async def test_every_beginning_has_one_end_also_when_the_call_is_cancelled(
    name: str, method: str, kinds: list[type], autojump_clock: MockClock
) -> None:
    """Clients never see a call that goes on for ever."""
    control, context = FakeControl(blocking={method}), FakeContext()
    call = function_call(
        name, id=AGENT, ids=[AGENT], **({} if name == "wait" else {"message": "x"})
    )

    with trio.move_on_after(1) as scope:
        await tool(control, name).run(call, context)

    assert scope.cancelled_caught
    assert context.kinds() == kinds


# Values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (StatusKind.PENDING_INIT, False),
        (StatusKind.RUNNING, False),
        (StatusKind.SHUTDOWN, True),
        (StatusKind.NOT_FOUND, True),
        (Completed(completed=None), True),
        (Errored(errored="no"), True),
    ],
)
def test_status_is_final_unless_there_is_more_to_come(status: AgentStatus, *, final: bool) -> None:
    """Everything but pending and running."""
    assert is_final(status) is final


@pytest.mark.parametrize(
    "error",
    [
        AgentClosed(AGENT),
        AgentDepthReached(2),
        AgentFailed("no"),
        AgentLimitReached(3),
        AgentNotFound(AGENT),
        AgentsUnavailable(),
    ],
)
def test_errors_survive_pickle(error: AgentError) -> None:
    """With their fields."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
