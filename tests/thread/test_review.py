"""Review: a thread of its own looks at code for this one."""

import json

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest
from actors.supervisor import ThreadOrigin
from actors.testing import ManualTool
from actors.thread.review_text import parse_review, render_review, review_prompt
from messages.events import (
    BaseBranchTarget,
    CodeLocation,
    CommitTarget,
    CustomTarget,
    ExitedReviewMode,
    LineRange,
    ReviewFinding,
    ReviewOutput,
    TurnAborted,
    UncommittedChangesTarget,
)
from messages.ops import Interrupt, Review, ReviewRequest, Shutdown

from .stage import TURN_ENDS, open_stage, recorded, request_lines

FINDING = ReviewFinding(
    title="Off by one",
    body="The last line is lost.\nSee the test.",
    confidence_score=0.9,
    priority=1,
    code_location=CodeLocation(absolute_file_path="/x/a.py", line_range=LineRange(start=3, end=4)),
)
RENDERED = (
    "Looks bad.\n\nReview comment:\n\n- Off by one — /x/a.py:3-4\n"
    "  The last line is lost.\n  See the test."
)
ANSWER = json.dumps(
    {
        "findings": [
            {
                "title": "Off by one",
                "body": "The last line is lost.\nSee the test.",
                "confidence_score": 0.9,
                "priority": 1,
                "code_location": {
                    "absolute_file_path": "/x/a.py",
                    "line_range": {"start": 3, "end": 4},
                },
            }
        ],
        "overall_correctness": "patch is incorrect",
        "overall_explanation": "Looks bad.",
        "overall_confidence_score": 0.8,
    }
)
REVIEW = Review(review_request=ReviewRequest(target=CustomTarget(instructions="look at a.py")))


def exit_of(events: list) -> ExitedReviewMode:
    [found] = [event.msg for event in events if isinstance(event.msg, ExitedReviewMode)]
    return found


async def test_review_runs_in_a_thread_of_its_own_and_its_result_is_told_and_recorded(
    mock_clock: MockClock,
) -> None:
    """Entering is told before it begins, its end after; the model reads what came out."""
    async with open_stage() as stage:
        created = stage.supervisor.subscribe_thread_created()
        await stage.do(REVIEW)
        request = await stage.model.next_request()
        announced = await created.receive()
        assert announced.origin is ThreadOrigin.REVIEW
        assert request.request.subagent == "review"
        assert request.request.prompt_cache_key == announced.thread_id
        assert request_lines(request) == ["user: look at a.py"]
        request.think("hm").say(ANSWER).complete(10)
        events = await stage.events_until(*TURN_ENDS)

        names = [type(event.msg).__name__ for event in events]
        assert names[:2] == ["TurnStarted", "EnteredReviewMode"]
        assert names.index("EnteredReviewMode") < names.index("ExitedReviewMode")
        assert names[-1] == "TurnComplete"
        assert "AgentMessage" not in names
        output = exit_of(events).review_output
        assert output is not None
        assert output.findings == (FINDING,)
        assert stage.supervisor.list_thread_ids() == (stage.thread.thread_id,)
        following = await stage.begin("and now?")
        [told, answer, asked] = request_lines(following)
        assert told == "user: <user_action>"
        assert answer == f"assistant: {RENDERED}"
        assert asked == "user: and now?"
        assert "ExitedReviewMode" in recorded(stage.thread.rollout_path)


async def test_reviewer_may_use_tools_and_its_work_is_shown(mock_clock: MockClock) -> None:
    """Under the id of the reviewed thread's turn."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        submission_id = await stage.do(REVIEW)
        first = await stage.model.next_request()
        first.say("Let me see.").call("manual", call_id="c1").complete()
        (await tool.next_call()).answer("seen")
        (await stage.model.next_request()).say("All is well.").complete()
        events = await stage.events_until(*TURN_ENDS)

        assert {event.id for event in events} == {submission_id}
        said = [e.msg.message for e in events if type(e.msg).__name__ == "AgentMessage"]
        assert said == ["Let me see."]
        output = exit_of(events).review_output
        assert output == ReviewOutput(overall_explanation="All is well.")


async def test_interrupted_review_ends_the_reviewer_and_says_so(mock_clock: MockClock) -> None:
    """Review mode is left before the turn is told as aborted."""
    async with open_stage() as stage:
        await stage.do(REVIEW)
        await stage.model.next_request()
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())
        events = await stage.events_until(TurnAborted)

        assert exit_of(events).review_output is None
        await wait_all_tasks_blocked()
        assert stage.supervisor.list_thread_ids() == (stage.thread.thread_id,)
        following = await stage.begin("again")
        lines = request_lines(following)
        assert lines[0] == "user: <user_action>"
        assert lines[1].startswith("assistant: Review was interrupted.")
        assert lines[2:] == ["user: <turn_aborted>", "user: again"]


async def test_review_replaces_the_running_turn(mock_clock: MockClock) -> None:
    """As compaction does."""
    async with open_stage() as stage:
        await stage.begin("first")
        await stage.do(REVIEW)
        (await stage.model.next_request()).say("ok").complete()
        events = await stage.events_until(ExitedReviewMode)

        [aborted] = [event.msg for event in events if isinstance(event.msg, TurnAborted)]
        assert aborted.reason.value == "replaced"


async def test_reviewer_that_fails_leaves_an_empty_result(mock_clock: MockClock) -> None:
    """Its error is shown; the reviewed thread goes on."""
    async with open_stage() as stage:
        await stage.do(REVIEW)
        (await stage.model.next_request()).fail(InvalidRequest("no reviewer today"))
        events = await stage.events_until(*TURN_ENDS)

        assert exit_of(events).review_output is None
        assert any("no reviewer today" in str(event.msg) for event in events)
        assert (await stage.run_turn())[-1] == "TurnComplete hello"


async def test_shutdown_during_a_review_ends_both_threads(mock_clock: MockClock) -> None:
    """Nobody is left behind."""
    async with open_stage() as stage:
        await stage.do(REVIEW)
        await stage.model.next_request()
        await stage.do(Shutdown())
        with trio.fail_after(10):
            told = await stage.rest()
        assert told[-1] == "ShutdownComplete"
        assert stage.supervisor.list_thread_ids() == ()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (UncommittedChangesTarget(), ("untracked",)),
        (BaseBranchTarget(branch="main"), ("'main'", "merge-base")),
        (CommitTarget(sha="abc123", title="Fix it"), ("abc123", "Fix it")),
        (CustomTarget(instructions="  do this "), ("do this",)),
    ],
)
def test_reviewer_is_told_what_to_look_at(target, words) -> None:
    """In a prompt of its own for each kind of target."""
    prompt = review_prompt(target)

    assert all(word in prompt for word in words)
    assert prompt == prompt.strip()


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (None, None),
        ("", None),
        ("fine", ReviewOutput(overall_explanation="fine")),
        ('so: {"overall_explanation": "x"} end', ReviewOutput(overall_explanation="x")),
        ('{"overall_explanation": "x"}', ReviewOutput(overall_explanation="x")),
        ("{broken", ReviewOutput(overall_explanation="{broken")),
        ("\ud800", ReviewOutput(overall_explanation="\ud800")),
    ],
)
def test_last_words_of_the_reviewer_become_a_result(text, output) -> None:
    """Whatever they are."""
    assert parse_review(text) == output


def test_review_is_put_into_words() -> None:
    """The explanation, then each finding with its place; never nothing."""
    several = ReviewOutput(findings=(FINDING, FINDING))

    assert render_review(ReviewOutput(findings=(FINDING,), overall_explanation="Looks bad.")) == (
        RENDERED
    )
    assert render_review(several).startswith("Full review comments:\n\n- Off by one")
    assert render_review(None) == "Reviewer failed to output a response."
    assert render_review(ReviewOutput()) == "Reviewer failed to output a response."
