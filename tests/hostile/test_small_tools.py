"""Plans, images, questions and clients' own tools that go wrong, in a whole thread."""

import os
from pathlib import Path

import pytest
import trio

from messages.content import InputImage, InputText
from messages.events import (
    DynamicToolCallRequest,
    PlanUpdate,
    RequestUserInput,
    ViewImageToolCall,
)
from messages.ops import (
    DynamicToolResponse,
    DynamicToolResult,
    UserInputAnswer,
    UserInputAnswerEntry,
    UserInputResponse,
)

from .arena import SOON, call, open_arena, shell
from .moments import OWN_TOOL, PLANNING, QUESTION

PNG = b"\x89PNG\r\n\x1a\n"


# Images -------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    with (tmp_path / "large.png").open("wb") as file:
        file.write(PNG)
        file.truncate((20 << 20) + 1)
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(1 << 40)
    return tmp_path


NO_IMAGES = {
    "fifo.png": "is not a file",
    "loop.png": "Too many levels of symbolic links",
    "endless.png": "is not a file",
    "/dev/zero": "is not a file",
    "folder.png": "is not a file",
    "text.png": "it is no PNG, JPEG, GIF or WebP file",
    "empty.png": "it is no PNG, JPEG, GIF or WebP file",
    "/proc/self/environ": "it is no PNG, JPEG, GIF or WebP file",
    "/proc/self/mem": "Input/output error",
    "large.png": "it is larger than 20971520 bytes",
    "sparse.png": "it is larger than 20971520 bytes",
    "a\0b": "null",
    "a" * 300: "File name too long",
    "a/" * 5000: "File name too long",
    "fifo.png/x": "Not a directory",
    "": "is not a file",
}


async def test_path_that_leads_to_no_image_is_answered_and_nothing_is_attached(
    pictures: Path,
) -> None:
    """Devices and pipes are not even read; files only as far as an image may be long."""
    async with open_arena(pictures) as arena:
        for path, says in NO_IMAGES.items():
            answer = await arena.answer(call("view_image", {"path": path}))
            assert says in answer, path

        assert arena.of(ViewImageToolCall) == []


async def test_more_images_than_a_turn_has_room_for_are_refused_one_by_one(tmp_path: Path) -> None:
    """What fits is attached, and the thread goes on."""
    (tmp_path / "a.png").write_bytes(PNG)
    async with open_arena(tmp_path) as arena:
        calls = [call("view_image", {"path": "a.png"}, str(number)) for number in range(200)]

        answers = await arena.turn(*calls)

        attached = len(arena.of(ViewImageToolCall))
        assert 0 < attached < 200
        assert answers.count("attached local image path") == attached
        assert (
            answers.count("unable to attach image: the turn has no room for more input")
            == 200 - attached
        )


# Plans --------------------------------------------------------------------------


async def test_plan_of_any_size_is_told_or_refused_whole(tmp_path: Path) -> None:
    """One wrong step among thousands spoils it."""
    step = {"step": "x" * 1000, "status": "pending"}
    async with open_arena(tmp_path) as arena:
        assert await arena.answer(call("update_plan", {"plan": [step] * 2000})) == "Plan updated"
        assert await arena.answer(call("update_plan", {"plan": []})) == "Plan updated"
        wrong = {"plan": [step] * 2000 + [{"step": "x", "status": "p" * 100}]}
        assert "plan[2000].status: expected one of" in await arena.answer(
            call("update_plan", wrong)
        )

        assert [len(update.plan) for update in arena.of(PlanUpdate)] == [2000, 0]


# Questions ----------------------------------------------------------------------


def questions(count: int, **changes: object) -> dict[str, object]:
    return {"questions": [{**QUESTION, **changes}] * count}


async def test_questions_that_cannot_be_asked_are_not(tmp_path: Path) -> None:
    """The client sees none of them."""
    async with open_arena(tmp_path, collaboration_mode=PLANNING) as arena:
        for arguments, says in (
            (questions(1, options=[]), "non-empty options"),
            (questions(1, options=None), "non-empty options"),
            (questions(1, options=[{"label": "x"}]), "missing field"),
            (questions(1, id=["x"]), "expected a string"),
            ({"questions": "x" * 1_000_000}, "expected a list"),
            ({}, "missing field questions"),
        ):
            assert says in await arena.answer(call("request_user_input", arguments))

        assert arena.of(RequestUserInput) == []


async def test_thousands_of_questions_are_answered_or_withdrawn_as_one(tmp_path: Path) -> None:
    """An answer that fits nothing goes to the model as it is; an interrupt takes all back."""
    async with open_arena(tmp_path, collaboration_mode=PLANNING) as arena:
        await arena.start_calls(call("request_user_input", questions(2000)))
        with trio.fail_after(SOON):
            await arena.wait_for(RequestUserInput)
            entry = UserInputAnswerEntry(answers=("x" * 10_000, "\ud800"))
            response = UserInputResponse(answers={"never asked": entry})
            await arena.do(UserInputAnswer(id="c", response=response))
            [answer] = await arena.outputs()
        assert answer.startswith('{"answers":{"never asked":{"answers":["xxx')

        await arena.start_calls(call("request_user_input", questions(2000)))
        with trio.fail_after(SOON):
            await arena.wait_for(RequestUserInput, 2)
        [stopped] = await arena.interrupt()
        assert stopped.startswith("aborted by user after")
        await arena.do(UserInputAnswer(id="c", response=response))  # too late, for nobody


# Tools of the client's ------------------------------------------------------------


async def test_client_that_never_answers_is_left_by_an_interrupt(tmp_path: Path) -> None:
    """A late answer is for nobody, also when the next call has the same id."""
    async with open_arena(tmp_path, dynamic_tools=[OWN_TOOL]) as arena:
        await arena.start_calls(call("own", {"a": 1}))
        with trio.fail_after(SOON):
            await arena.wait_for(DynamicToolCallRequest)

        [stopped] = await arena.interrupt()
        await arena.do(answer_of("too late"))
        assert stopped.startswith("aborted by user after")

        await arena.start_calls(call("own", {"a": 2}))
        with trio.fail_after(SOON):
            await arena.wait_for(DynamicToolCallRequest, 2)
            await arena.do(answer_of("in time"))
            assert await arena.outputs() == ["in time"]


def answer_of(*texts: str, success: bool = True) -> DynamicToolResponse:
    items = tuple(InputText(text=text) for text in texts)
    return DynamicToolResponse(
        id="c", response=DynamicToolResult(content_items=items, success=success)
    )


async def test_rubbish_of_a_client_reaches_the_model_within_bounds(tmp_path: Path) -> None:
    """Half characters are replaced, and what is too long is cut."""
    image = InputImage(image_url="data:image/png;base64,no base64 at all")
    nothing = DynamicToolResponse(
        id="c", response=DynamicToolResult(content_items=(image,), success=True)
    )
    async with open_arena(tmp_path, resumes=True, dynamic_tools=[OWN_TOOL]) as arena:
        for number, (rubbish, says) in enumerate(
            [
                (answer_of(), ""),
                (answer_of("\ud800", success=False), "?"),
                (answer_of("\0\x1b[2J"), "\0\x1b[2J"),
                (nothing, "<image>"),
            ]
        ):
            await arena.start_calls(call("own", {}))
            with trio.fail_after(SOON):
                await arena.wait_for(DynamicToolCallRequest, number + 1)
                await arena.do(rubbish)
                assert await arena.outputs() == [says]
        await arena.start_calls(call("own", {}))
        with trio.fail_after(SOON):
            await arena.wait_for(DynamicToolCallRequest, 5)
            await arena.do(answer_of(*["x" * 10_000] * 1000))
            [long] = await arena.outputs()
        assert len(long) < 100_000


async def test_answer_to_a_call_that_is_none_of_the_clients_changes_nothing(tmp_path: Path) -> None:
    """The command goes on, and its own output counts."""
    async with open_arena(tmp_path, processes=True, dynamic_tools=[OWN_TOOL]) as arena:
        await arena.start_calls(shell("sleep 0.1; echo real"))
        await arena.do(answer_of("forged"))
        with trio.fail_after(SOON):
            [answer] = await arena.outputs()

        assert answer.endswith("real\n")
