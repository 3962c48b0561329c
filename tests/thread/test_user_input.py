"""From what the user sent to what the model reads."""

import base64
import os
from pathlib import Path

import pytest
import trio

from actors.thread import user_input
from actors.thread.user_input import message_from_input
from messages.content import (
    ImageInput,
    InputImage,
    InputText,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownInput,
)
from messages.items import Message


def framed(opening: str, url: str) -> tuple[object, ...]:
    return (InputText(text=opening), InputImage(image_url=url), InputText(text="</image>"))


async def test_parts_come_in_order_and_images_in_frames(tmp_path: Path) -> None:
    """Local images are numbered from 1; skills and mentions add nothing."""
    (tmp_path / "a.png").write_bytes(b"AA")
    url = f"data:image/png;base64,{base64.b64encode(b'AA').decode()}"
    local = LocalImageInput(path=str(tmp_path / "a.png"))

    message = await message_from_input(
        (
            TextInput(text="see"),
            ImageInput(image_url="https://x/y.png"),
            local,
            SkillInput(name="s", path="/s"),
            MentionInput(name="m", path="/m"),
            UnknownInput(tag="x", raw={}),
            local,
            TextInput(text="and"),
        )
    )

    assert message == Message(
        role="user",
        content=(
            InputText(text="see"),
            *framed("<image>", "https://x/y.png"),
            *framed("<image name=[Image #1]>", url),
            *framed("<image name=[Image #2]>", url),
            InputText(text="and"),
        ),
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.png", "No such file or directory"),
        ("text.txt", "it is not an image by its name"),
        ("noname", "it is not an image by its name"),
        ("folder.png", "Is a directory"),
        ("pipe.png", "it is not a file"),
        ("big.png", "it is larger than 3 bytes"),
        ("a\0b.png", "embedded null byte"),
    ],
)
async def test_image_that_cannot_be_read_becomes_a_line_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    """A named pipe without a writer holds nobody up."""
    monkeypatch.setattr(user_input, "MAX_IMAGE_BYTES", 3)
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "big.png").write_bytes(b"1234")
    path = f"{tmp_path}/{name}"

    message = await message_from_input((LocalImageInput(path=path),))

    text = f"The image at {path!r} could not be attached: {reason}."
    if name == "folder.png":
        assert "could not be attached: " in str(message)
    else:
        assert message.content == (InputText(text=text),)


async def test_image_of_the_largest_size_is_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit itself is allowed."""
    monkeypatch.setattr(user_input, "MAX_IMAGE_BYTES", 3)
    (tmp_path / "a.png").write_bytes(b"123")

    message = await message_from_input((LocalImageInput(path=str(tmp_path / "a.png")),))

    assert len(message.content) == 3


async def test_cancelled_reading_is_left_alone(tmp_path: Path) -> None:
    """Nothing is built."""
    (tmp_path / "a.png").write_bytes(b"123")
    with trio.move_on_after(0) as scope:
        await message_from_input((LocalImageInput(path=str(tmp_path / "a.png")),))

    assert scope.cancelled_caught
