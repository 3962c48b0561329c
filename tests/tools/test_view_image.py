"""The model sees image files, or reads why not."""

import base64
import os
from pathlib import Path

import attrs
import pytest
import trio

from actors.models import InputModality
from actors.tools import view_image
from actors.tools.errors import ToolError
from actors.tools.tool import Offer, Tool
from actors.tools.view_image import ViewImageTool
from messages.content import InputImage, InputText
from messages.events import ViewImageToolCall
from messages.items import Message
from tests.waiting import PATIENCE

from .fake_context import CALL, MODEL, FakeContext, function_call, offer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
BLIND = attrs.evolve(MODEL, input_modalities=(InputModality.TEXT,))


async def look(context: FakeContext, path: object):
    return await ViewImageTool().run(function_call("view_image", path=path), context)


def message_of(kind: str, data: bytes) -> Message:
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Message(
        role="user",
        content=(
            InputText(text="<image name=[Image #1]>"),
            InputImage(image_url=url),
            InputText(text="</image>"),
        ),
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("png", PNG),
        ("jpeg", b"\xff\xd8\xff\xe0rest"),
        ("gif", b"GIF87a..."),
        ("gif", b"GIF89a..."),
        ("webp", b"RIFF\x04\x00\x00\x00WEBPVP8 "),
    ],
)
async def test_image_joins_the_turn_in_the_form_of_local_images(tmp_path: Path, kind, data):
    """What it is decides, not its name; the file is found from the working directory."""
    (tmp_path / "in").mkdir()
    (tmp_path / "picture.txt").write_bytes(data)
    context = FakeContext(cwd=str(tmp_path / "in"))

    output = await look(context, "../picture.txt")

    assert (output.output, output.success) == ("attached local image path", True)
    assert context.inputs == [message_of(kind, data)]
    path = f"{tmp_path}/in/../picture.txt"
    assert context.events == [ViewImageToolCall(call_id=CALL, path=path)]


async def test_absolute_path_counts_as_it_is(tmp_path: Path):
    """Symbolic links are followed."""
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "link").symlink_to("a.png")
    context = FakeContext(cwd="/nowhere")

    await look(context, str(tmp_path / "link"))

    assert context.inputs == [message_of("png", PNG)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.png", "unable to locate image at `{path}`: No such file or directory"),
        ("text.png/a.png", "unable to locate image at `{path}`: Not a directory"),
        ("loop", "unable to locate image at `{path}`: Too many levels of symbolic links"),
        ("x" * 300, "unable to locate image at `{path}`: File name too long"),
        ("a\0b", "unable to locate image at `{path}`: embedded null "),
        ("folder", "image path `{path}` is not a file"),
        ("pipe", "image path `{path}` is not a file"),
        ("text.png", "unable to attach image at `{path}`: it is no PNG, JPEG, GIF or WebP file"),
        ("empty.png", "unable to attach image at `{path}`: it is no PNG, JPEG, GIF or WebP file"),
        ("big.png", "unable to attach image at `{path}`: it is larger than 16 bytes"),
    ],
)
async def test_model_reads_why_an_image_cannot_be_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name, message
):
    """Nothing joins the turn, and no client is told of it; a pipe holds nobody up."""
    monkeypatch.setattr(view_image, "MAX_IMAGE_BYTES", len(PNG))
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big.png").write_bytes(PNG + b"!")
    context = FakeContext(cwd=str(tmp_path))

    with pytest.raises(ToolError) as caught:
        await look(context, name)

    assert str(caught.value).startswith(message.format(path=f"{tmp_path}/{name}"))
    assert (context.inputs, context.events) == ([], [])


async def test_image_of_the_largest_size_is_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The limit itself is allowed."""
    monkeypatch.setattr(view_image, "MAX_IMAGE_BYTES", len(PNG))
    (tmp_path / "a.png").write_bytes(PNG)
    context = FakeContext(cwd=str(tmp_path))

    await look(context, "a.png")

    assert context.inputs == [message_of("png", PNG)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_file_that_may_not_be_read_is_refused(tmp_path: Path):
    """With the system's own reason."""
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "a.png").chmod(0)
    context = FakeContext(cwd=str(tmp_path))

    with pytest.raises(ToolError, match=r"^unable to attach image at .*: Permission denied$"):
        await look(context, "a.png")


async def test_file_that_fails_while_it_is_read_is_refused():
    """A file of the system that is there, but gives an error to whoever reads it."""
    path = "/proc/self/mem"

    with pytest.raises(ToolError, match=r"^unable to attach image at `/proc/self/mem`: Input/out"):
        await look(FakeContext(), path)


async def test_pipe_that_takes_the_place_of_the_file_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Even when it does so between the look and the reading."""
    (tmp_path / "a.png").write_bytes(PNG)
    opener = view_image._open_nonblocking

    def swap(path: str, flags: int) -> int:
        Path(path).unlink()
        os.mkfifo(path)
        return opener(path, flags)

    monkeypatch.setattr(view_image, "_open_nonblocking", swap)

    with trio.fail_after(PATIENCE), pytest.raises(ToolError, match="is not a file"):
        await look(FakeContext(cwd=str(tmp_path)), "a.png")


async def test_turn_without_room_says_so(tmp_path: Path):
    """The model is not told that it sees what it does not see."""
    (tmp_path / "a.png").write_bytes(PNG)
    context = FakeContext(cwd=str(tmp_path), room=False)

    with pytest.raises(ToolError, match="unable to attach image: the turn has no room"):
        await look(context, "a.png")

    assert context.events == []


async def test_model_that_cannot_see_is_refused_before_anything_is_read():
    """It may have been told of the tool when it was another model."""
    context = FakeContext(model_info=BLIND)

    with pytest.raises(ToolError) as caught:
        await look(context, "/missing")

    text = "view_image is not allowed because you do not support image inputs"
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "missing field path"),
        ({"path": None}, "path: expected a string, got null"),
        ({"path": ["a"]}, "path: expected a string, got a list"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_with_their_field(arguments, problem):
    """Others than the path are ignored."""
    with pytest.raises(ToolError) as caught:
        await ViewImageTool().run(function_call("view_image", other=1, **arguments), FakeContext())

    assert str(caught.value) == f"failed to parse function arguments: {problem}"


async def test_cancelled_look_attaches_nothing(tmp_path: Path):
    """The file may still be read, unseen."""
    (tmp_path / "a.png").write_bytes(PNG)
    context = FakeContext(cwd=str(tmp_path))

    with trio.move_on_after(0) as scope:
        await look(context, "a.png")

    assert scope.cancelled_caught
    assert (context.inputs, context.events) == ([], [])


def test_tool_is_offered_to_models_that_can_see():
    """And runs beside others."""
    tool: Tool = ViewImageTool()

    assert tool.spec(offer()) is not None
    assert tool.spec(Offer(model=BLIND)) is None
    assert (tool.name, tool.parallel) == ("view_image", True)
