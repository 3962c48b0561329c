"""The plan, the questions and the images of the model, in a thread."""

from pathlib import Path

import attrs
from trio.testing import MockClock

from actors.models import SCRIPTED_MODEL
from actors.tools.request_user_input import RequestUserInputTool
from actors.tools.update_plan import UpdatePlanTool
from actors.tools.view_image import ViewImageTool
from messages.events import PlanUpdate, RequestUserInput, TurnComplete
from messages.ops import UserInputAnswer, UserInputAnswerEntry, UserInputResponse
from messages.settings import CollaborationMode, CollaborationSettings, ModeKind

from .stage import CONFIG, Stage, open_stage, request_lines

PLANNING = attrs.evolve(
    CONFIG,
    collaboration_mode=CollaborationMode(
        mode=ModeKind.PLAN, settings=CollaborationSettings(model=SCRIPTED_MODEL)
    ),
)

OPTION = {"label": "yes", "description": "do it"}


def question(name: str) -> dict[str, object]:
    return {"questions": [{"id": name, "header": "h", "question": "q", "options": [OPTION]}]}


async def answer(stage: Stage, call_id: str, question_id: str, text: str) -> None:
    entry = UserInputAnswerEntry(answers=(text,))
    response = UserInputResponse(answers={question_id: entry})
    await stage.do(UserInputAnswer(id=call_id, response=response))


async def test_calls_of_one_response_get_the_answers_to_their_own_questions(
    mock_clock: MockClock,
) -> None:
    """One after the other, under the ids of the calls (L15)."""
    async with open_stage(RequestUserInputTool(), config=PLANNING) as stage:
        response = await stage.begin()
        assert [tool["name"] for tool in response.request.tools] == ["request_user_input"]
        response.call("request_user_input", question("one"), call_id="a")
        response.call("request_user_input", question("two"), call_id="b").complete()

        for call_id, name in (("a", "one"), ("b", "two")):
            asked = (await stage.events_until(RequestUserInput))[-1].msg
            assert (asked.call_id, asked.questions[0].id) == (call_id, name)
            await answer(stage, call_id, name, f"answer to {name}")

        following = await stage.model.next_request()
        assert request_lines(following)[-2:] == [
            'output a: {"answers":{"one":{"answers":["answer to one"]}}}',
            'output b: {"answers":{"two":{"answers":["answer to two"]}}}',
        ]
        following.say("thanks").complete()
        await stage.until(TurnComplete)


async def test_questions_are_neither_offered_nor_asked_in_the_default_mode(
    mock_clock: MockClock,
) -> None:
    """The model reads why."""
    async with open_stage(RequestUserInputTool()) as stage:
        response = await stage.begin()
        response.call("request_user_input", question("one"), call_id="a").complete()

        following = await stage.model.next_request()

        assert response.request.tools == ()
        assert request_lines(following)[-1] == (
            "output a: request_user_input is unavailable in Default mode"
        )
        following.say("well").complete()
        await stage.until(TurnComplete)


async def test_image_is_in_the_next_request_behind_the_output(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    """As a message of the user; clients are told of the look before."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    config = attrs.evolve(CONFIG, cwd=str(tmp_path))
    async with open_stage(ViewImageTool(), config=config) as stage:
        (await stage.begin()).call("view_image", {"path": "a.png"}, call_id="c").complete()

        following = await stage.model.next_request()
        following.say("nice").complete()
        told = await stage.until(TurnComplete)

        assert request_lines(following)[-2:] == [
            "output c: attached local image path",
            "user: <image name=[Image #1]></image>",
        ]
        url = following.request.input[-1].content[1].image_url
        assert url.startswith("data:image/png;base64,")
        assert told.index("ViewImageToolCall") < told.index("user: <image name=[Image #1]></image>")


async def test_to_do_list_is_told_in_default_mode_and_refused_in_plan_mode(
    mock_clock: MockClock,
) -> None:
    """It is no plan."""
    steps = {"plan": [{"step": "look", "status": "pending"}]}
    for config, output in (
        (CONFIG, "Plan updated"),
        (PLANNING, "update_plan is a TODO/checklist tool and is not allowed in Plan mode"),
    ):
        async with open_stage(UpdatePlanTool(), config=config) as stage:
            (await stage.begin()).call("update_plan", steps, call_id="c").complete()
            following = await stage.model.next_request()
            following.say("so").complete()
            told = await stage.until(TurnComplete)

        assert request_lines(following)[-1] == f"output c: {output}"
        assert (PlanUpdate.__name__ in told) is (config is CONFIG)
