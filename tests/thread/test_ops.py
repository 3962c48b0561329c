"""Every op against a thread that is idle and one that runs a turn: each has an answer or effect."""

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from messages import ops
from messages.content import TextInput
from messages.events import ErrorEvent, TurnComplete
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    ModeKind,
    Personality,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
)

from .stage import CONFIG, drain, open_stage, request_lines
from .test_decisions import EVERY_OP

UNSUPPORTED = (
    ops.AddToHistory,
    ops.GetHistoryEntryRequest,
    ops.ListCustomPrompts,
    ops.ListRemoteSkills,
    ops.DownloadRemoteSkill,
    ops.DropMemories,
    ops.UpdateMemories,
    ops.ListModels,
)


@pytest.mark.parametrize("kind", UNSUPPORTED)
async def test_op_of_a_later_version_is_refused_by_its_name(
    mock_clock: MockClock, kind: type
) -> None:
    """Nothing is dropped silently, and the status is not that of a failed turn."""
    async with open_stage() as stage:
        status = stage.thread.agent_status()
        submission_id = await stage.do(EVERY_OP[kind])

        [event] = await stage.events_until(ErrorEvent)

        assert event.id == submission_id
        assert event.msg.message.startswith(f"{kind.__name__} is not supported")
        assert stage.thread.agent_status() is status


async def test_unknown_op_and_elicitation_are_refused(mock_clock: MockClock) -> None:
    """As bad requests."""
    async with open_stage() as stage:
        await stage.do(EVERY_OP[ops.UnknownOp])
        await stage.do(EVERY_OP[ops.ResolveElicitation])
        await wait_all_tasks_blocked()

        assert sorted(drain(stage.thread)) == [
            "Error bad_request: no such question with id 'elicitation s 1' is open; "
            "it was answered or withdrawn",
            "Error bad_request: unknown op 'dance'; this version does not know it",
        ]


@pytest.mark.parametrize("running", [False, True])
async def test_empty_input_is_refused(mock_clock: MockClock, *, running: bool) -> None:
    """With an error, where Codex says nothing (L14); its settings are not applied."""
    async with open_stage() as stage:
        if running:
            await stage.begin()
        drain(stage.thread)
        await stage.do(ops.UserInput(items=()))
        await stage.do(attrs.evolve(user_turn("x"), items=(), cwd="/other"))
        await wait_all_tasks_blocked()

        empty = "Error bad_request: the input is empty; send at least one item"
        assert drain(stage.thread) == [empty, empty]
        assert stage.thread.config_snapshot.cwd == "/"


def user_turn(text: str, cwd: str = "/") -> ops.UserTurn:
    return ops.UserTurn(
        items=(TextInput(text=text),),
        cwd=cwd,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=DangerFullAccess(),
        model="scripted",
    )


async def test_user_turn_brings_its_settings_which_stay(mock_clock: MockClock) -> None:
    """The model is told what changed, before the input."""
    async with open_stage() as stage:
        turn = attrs.evolve(
            user_turn("hi", "/other"),
            sandbox_policy=ReadOnly(),
            effort=ReasoningEffort("high"),
            summary=ReasoningSummary.DETAILED,
            personality=Personality.FRIENDLY,
        )
        await stage.do(turn)
        response = await stage.model.next_request()

        told = [str(item) for item in response.request.input]
        assert [i for i, text in enumerate(told) if "/other" in text] == [2]
        assert [i for i, text in enumerate(told) if "Sandbox: read-only" in text] == [3]
        assert [i for i, text in enumerate(told) if "<personality_spec>" in text] == [4]
        assert request_lines(response)[-1] == "user: hi"
        assert response.request.effort == "high"
        assert response.request.summary is ReasoningSummary.DETAILED
        response.say("x").complete()
        await stage.until(TurnComplete)
        again = await stage.begin("again")
        assert again.request.effort == "high"
        assert len(again.request.input) == len(response.request.input) + 2
        snapshot = stage.thread.config_snapshot
        assert (snapshot.cwd, snapshot.personality) == ("/other", Personality.FRIENDLY)


async def test_user_turn_that_joins_a_turn_changes_settings_for_the_next(
    mock_clock: MockClock,
) -> None:
    """The running one keeps its own."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.do(attrs.evolve(user_turn("two"), model="gpt-5.2-codex"))
        response.say("1").complete()
        joined = await stage.model.next_request()
        joined.say("2").complete()
        await stage.until(TurnComplete)

        following = await stage.begin("three")

        assert joined.request.model == "scripted"
        assert following.request.model == "gpt-5.2-codex"
        assert request_lines(following)[-2:] == ["developer: <model_switch>", "user: three"]
        assert following.request.instructions == joined.request.instructions


@pytest.mark.parametrize(
    "op",
    [user_turn("hi", "relative"), ops.OverrideTurnContext(cwd="relative", model="other")],
)
async def test_settings_that_are_not_possible_are_refused_as_a_whole(
    mock_clock: MockClock, op: ops.Op
) -> None:
    """With the input that came along."""
    async with open_stage() as stage:
        await stage.do(op)
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == ["Error bad_request: cwd is not absolute: relative"]
        assert stage.thread.config_snapshot.model == "scripted"


async def test_windows_sandbox_is_refused(mock_clock: MockClock) -> None:
    """There is none to set a level of."""
    async with open_stage() as stage:
        await stage.do(ops.OverrideTurnContext(windows_sandbox_level="elevated"))
        await wait_all_tasks_blocked()

        [line] = drain(stage.thread)
        assert line.startswith("Error bad_request: windows_sandbox_level is not supported")


async def test_override_changes_what_it_names_and_says_nothing_until_a_turn(
    mock_clock: MockClock,
) -> None:
    """An effort of None is one; what is not named stays."""
    async with open_stage(config=attrs.evolve(CONFIG, effort=ReasoningEffort("low"))) as stage:
        before = stage.thread.config_snapshot
        await stage.do(ops.OverrideTurnContext(approval_policy=AskForApproval.UNTRUSTED))
        await stage.do(ops.OverrideTurnContext(model="m", summary=ReasoningSummary.NONE))
        await wait_all_tasks_blocked()
        kept = stage.thread.config_snapshot
        await stage.do(ops.OverrideTurnContext(effort=None))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == []
        assert (kept.model, kept.effort, kept.cwd) == ("m", "low", before.cwd)
        assert kept.approval_policy is AskForApproval.UNTRUSTED
        assert stage.thread.config_snapshot.effort is None
        response = await stage.begin("hi")
        assert request_lines(response)[-2:] == ["developer: <model_switch>", "user: hi"]


async def test_collaboration_mode_wins_over_model_and_effort(mock_clock: MockClock) -> None:
    """Its instructions are told to the model."""
    mode = CollaborationMode(
        mode=ModeKind.PLAN,
        settings=CollaborationSettings(model="planner", developer_instructions="Only plan."),
    )
    async with open_stage() as stage:
        await stage.do(ops.OverrideTurnContext(collaboration_mode=mode, model="ignored"))
        response = await stage.begin("hi")

        assert response.request.model == "planner"
        assert "<collaboration_mode>Only plan.</collaboration_mode>" in str(response.request.input)


async def test_mcp_configuration_is_taken_without_a_word(mock_clock: MockClock) -> None:
    """It is for the servers of later turns."""
    async with open_stage() as stage:
        await stage.do(ops.RefreshMcpServers(config={"mcp_servers": {}}))
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == []
        assert (await stage.run_turn())[-1] == "TurnComplete hello"
