"""Questions of the model reach the user in Plan mode, and each answer its call."""

import json

import pytest
import trio

from actors.tools.errors import ToolError
from actors.tools.request_user_input import RequestUserInputTool
from actors.tools.tool import Offer, Tool
from messages.events import QuestionOption, RequestUserInput, UserInputQuestion
from messages.ids import CallId
from messages.ops import UserInputAnswerEntry, UserInputResponse
from messages.settings import ModeKind
from messages.tool_settings import ToolFeatures

from .fake_context import CALL, MODEL, TURN, FakeContext, function_call, raw_call

OPTION = {"label": "yes", "description": "do it"}
QUESTION = {"id": "go", "header": "Go?", "question": "Shall I?", "options": [OPTION]}


def ask(*questions: object, call_id: str = CALL):
    return function_call("request_user_input", call_id=call_id, questions=list(questions))


def planning() -> FakeContext:
    return FakeContext(mode=ModeKind.PLAN)


def answer(**answers: str) -> UserInputResponse:
    entries = {name: UserInputAnswerEntry(answers=(text,)) for name, text in answers.items()}
    return UserInputResponse(answers=entries)


async def test_user_is_asked_and_the_model_reads_the_answers():
    """There is always room for something else; what the model says of that is ignored."""
    context = planning()
    context.user_answers.append(
        UserInputResponse(
            answers={
                "go": UserInputAnswerEntry(answers=("yes", "note: grün \ud800")),
                "b": UserInputAnswerEntry(answers=()),
            }
        )
    )

    output = await RequestUserInputTool().run(
        ask({**QUESTION, "isOther": False, "more": 1}), context
    )

    assert context.events == [
        RequestUserInput(
            call_id=CALL,
            turn_id=TURN,
            questions=(
                UserInputQuestion(
                    id="go",
                    header="Go?",
                    question="Shall I?",
                    is_other=True,
                    options=(QuestionOption(label="yes", description="do it"),),
                ),
            ),
        )
    ]
    assert output.output == (
        '{"answers":{"go":{"answers":["yes","note: grün \ud800"]},"b":{"answers":[]}}}'
    )
    assert output.success is True


async def test_two_calls_at_once_get_their_own_answers():
    """Each is asked under its own call (L15)."""
    context = planning()
    outputs: dict[str, str] = {}
    answers = {CallId("a"): answer(go="one"), CallId("b"): answer(go="two")}

    async def run(call_id: str) -> None:
        output = await RequestUserInputTool().run(ask(QUESTION, call_id=call_id), context)
        outputs[call_id] = json.loads(str(output.output))["answers"]["go"]["answers"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, "a")
        nursery.start_soon(run, "b")
        await context.wait_for(RequestUserInput, 2)
        context.user_answers.extend([lambda request: answers[request.call_id]] * 2)

    assert outputs == {"a": ["one"], "b": ["two"]}


async def test_model_reads_that_no_answer_will_come():
    """It goes on without."""
    context = planning()
    context.user_answers.append(None)

    output = await RequestUserInputTool().run(ask(QUESTION), context)

    text = "request_user_input was cancelled before receiving a response"
    assert (output.output, output.success) == (text, False)


async def test_cancelled_call_stops_waiting():
    """The user may answer never."""
    with trio.move_on_after(0) as scope:
        await RequestUserInputTool().run(ask(QUESTION), planning())

    assert scope.cancelled_caught


async def test_user_is_not_asked_outside_of_plan_mode_whatever_the_call_says():
    """The model reads why."""
    context = FakeContext(mode=ModeKind.DEFAULT)

    with pytest.raises(ToolError, match=r"^request_user_input is unavailable in Default mode$"):
        await RequestUserInputTool().run(raw_call("request_user_input", "{"), context)

    assert context.events == []


@pytest.mark.parametrize(
    "question", [{**QUESTION, "options": []}, {**QUESTION, "options": None}, "no options"]
)
async def test_every_question_needs_options(question):
    """The first has them, the second not."""
    if isinstance(question, str):
        question = {name: value for name, value in QUESTION.items() if name != "options"}
    context = planning()

    with pytest.raises(ToolError) as caught:
        await RequestUserInputTool().run(ask(QUESTION, question), context)

    text = "request_user_input requires non-empty options for every question"
    assert str(caught.value) == text
    assert context.events == []


@pytest.mark.parametrize("count", [0, 1, 3, 4])
async def test_nobody_counts_the_questions(count):
    """How many there should be is advice to the model."""
    context = planning()
    context.user_answers.append(answer())

    await RequestUserInputTool().run(ask(*[QUESTION] * count), context)

    assert len(context.of(RequestUserInput)[0].questions) == count


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "missing field questions"),
        ({"questions": "x"}, "questions: expected a list, got a string"),
        ({"questions": [1]}, "questions[0]: expected an object, got a number"),
        ({"questions": [{**QUESTION, "id": None}]}, "questions[0].id: expected a string, got null"),
        (
            {"questions": [QUESTION, {"id": "a", "header": "b"}]},
            "missing field questions[1].question",
        ),
        (
            {"questions": [{**QUESTION, "options": {}}]},
            "questions[0].options: expected a list, got an object",
        ),
        (
            {"questions": [{**QUESTION, "options": [OPTION, {"label": "x"}]}]},
            "missing field questions[0].options[1].description",
        ),
        (
            {"questions": [{**QUESTION, "options": ["x"]}]},
            "questions[0].options[0]: expected an object, got a string",
        ),
    ],
)
async def test_questions_that_do_not_fit_are_refused_with_their_field(arguments, problem):
    """The user is not asked then."""
    context = planning()

    with pytest.raises(ToolError) as caught:
        await RequestUserInputTool().run(function_call("request_user_input", **arguments), context)

    assert str(caught.value) == f"failed to parse function arguments: {problem}"
    assert context.events == []


@pytest.mark.parametrize("mode", ModeKind)
@pytest.mark.parametrize("feature", [True, False])
def test_tool_is_offered_in_plan_mode_unless_it_is_switched_off(mode, feature):
    """Elsewhere it would only be refused."""
    tool: Tool = RequestUserInputTool()
    features = ToolFeatures(request_user_input=feature)

    spec = tool.spec(Offer(model=MODEL, mode=mode, features=features))

    assert (spec is not None) is (mode is ModeKind.PLAN and feature)
    assert (tool.name, tool.parallel) == ("request_user_input", False)
