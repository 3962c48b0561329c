"""The tool by which the model asks its user questions while it plans."""

import json
from typing import Final

import attrs

from messages.events import QuestionOption, RequestUserInput, UserInputQuestion
from messages.ops import UserInputResponse
from messages.settings import ModeKind
from messages.value import Json

from .errors import ToolError
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_arguments import read_list, read_object, read_text

__all__ = ["RequestUserInputTool"]

_NO_OPTIONS: Final = "request_user_input requires non-empty options for every question"

_NO_ANSWER: Final = "request_user_input was cancelled before receiving a response"

_OPTION: Final = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "description": "What the user chooses, in 1 to 5 words."},
        "description": {
            "type": "string",
            "description": "What follows from it, in one sentence.",
        },
    },
    "required": ["label", "description"],
    "additionalProperties": False,
}

_QUESTION: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Names the answer, in snake_case."},
        "header": {"type": "string", "description": "A title of at most 12 characters."},
        "question": {"type": "string", "description": "One sentence, shown to the user."},
        "options": {
            "type": "array",
            "description": (
                "2 or 3 answers that exclude each other, the one you recommend first. Do not "
                "add one for anything else: the client does."
            ),
            "items": _OPTION,
        },
    },
    "required": ["id", "header", "question", "options"],
    "additionalProperties": False,
}

_SPEC: Final = {
    "type": "function",
    "name": "request_user_input",
    "description": (
        "Asks the user one to three short questions and waits for the answers. Only in Plan mode."
    ),
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "questions": {
                "type": "array",
                "description": "1 to 3, preferably 1.",
                "items": _QUESTION,
            }
        },
        "required": ["questions"],
        "additionalProperties": False,
    },
}


@attrs.frozen
class RequestUserInputTool:
    """
    Asks the user, in Plan mode only.

    The answer is looked for by the call's id, so that of two calls each gets its own.

    Source:
        Codex, ``handlers/request_user_input.rs``, where a second call drops the first,
        because both wait under the id of the turn (L15), and where the tool is offered in
        modes that refuse it.
    """

    name: str = attrs.field(default="request_user_input", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it, where it can be used."""
        offered = offer.features.request_user_input and offer.mode is ModeKind.PLAN
        return _SPEC if offered else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Ask, and wait for the user as long as it takes.

        Raises:
            ToolError: The session is in another mode, or the questions cannot be asked.

        Cancellation:
            The questions are withdrawn; a later answer is ignored.
        """
        if context.mode is not ModeKind.PLAN:
            mode = context.mode.value.capitalize()
            raise ToolError(f"request_user_input is unavailable in {mode} mode")
        questions = _read_questions(parse_arguments(call))
        response = await context.ask_user(
            RequestUserInput(call_id=call.call_id, turn_id=context.turn_id, questions=questions)
        )
        if response is None:
            return ToolOutput(output=_NO_ANSWER, success=False)
        return ToolOutput(output=_written(response), success=True)


def _read_questions(arguments: dict[str, Json]) -> tuple[UserInputQuestion, ...]:
    questions = read_list(arguments, "questions")
    return tuple(
        _read_question(question, f"questions[{number}]")
        for number, question in enumerate(questions)
    )


def _read_question(value: Json, place: str) -> UserInputQuestion:
    members = read_object(value, place)
    options = () if members.get("options") is None else _read_options(members, place)
    question = UserInputQuestion(
        id=read_text(members, "id", f"{place}."),
        header=read_text(members, "header", f"{place}."),
        question=read_text(members, "question", f"{place}."),
        is_other=True,  # whatever the model says: the user may always say something else
        options=options,
    )
    if not options:
        raise ToolError(_NO_OPTIONS)
    return question


def _read_options(members: dict[str, Json], place: str) -> tuple[QuestionOption, ...]:
    options = read_list(members, "options", f"{place}.")
    return tuple(
        _read_option(option, f"{place}.options[{number}]") for number, option in enumerate(options)
    )


def _read_option(value: Json, place: str) -> QuestionOption:
    members = read_object(value, place)
    return QuestionOption(
        label=read_text(members, "label", f"{place}."),
        description=read_text(members, "description", f"{place}."),
    )


def _written(response: UserInputResponse) -> str:
    answers = {
        question: {"answers": list(entry.answers)} for question, entry in response.answers.items()
    }
    # json, not orjson: a client's answer may hold text that is no valid Unicode.
    return json.dumps({"answers": answers}, ensure_ascii=False, separators=(",", ":"))
