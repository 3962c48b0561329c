"""Turning what the user sent into a message for the model."""

import base64
import mimetypes
import os
import stat
from collections.abc import Iterable
from typing import Final

import trio

from messages.content import (
    ContentItem,
    ImageInput,
    InputImage,
    InputText,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownInput,
    UserInputItem,
)
from messages.items import Message

__all__ = ["MAX_IMAGE_BYTES", "message_from_input"]

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""A larger local image is not read: it would be refused by the model's endpoint anyway."""


async def message_from_input(items: Iterable[UserInputItem]) -> Message:
    """
    Build the user message of an input; local images are read in a worker thread.

    Skills and mentions add nothing to the text.  An image that cannot be read
    becomes a line of text that says why.

    Cancellation:
        Nothing happened; a file being read is read to its end unseen.
    """
    parts: list[ContentItem] = []
    number = 0
    for item in items:
        match item:
            case TextInput(text=text):
                parts.append(InputText(text=text))
            case ImageInput(image_url=url):
                parts.extend(_framed("<image>", url))
            case LocalImageInput(path=path):
                number += 1
                parts.extend(
                    # Abandoned: a network disk may take its time.
                    await trio.to_thread.run_sync(
                        _local_image, path, number, abandon_on_cancel=True
                    )
                )
            case SkillInput() | MentionInput() | UnknownInput():
                pass
    return Message(role="user", content=tuple(parts))


def _framed(opening: str, url: str) -> tuple[ContentItem, ...]:
    return (InputText(text=opening), InputImage(image_url=url), InputText(text="</image>"))


def _local_image(path: str, number: int) -> tuple[ContentItem, ...]:
    kind = mimetypes.guess_type(path)[0] or ""
    if not kind.startswith("image/"):
        return (_not_attached(path, "it is not an image by its name"),)
    try:
        data = _read(path)
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        reason = error.strerror if isinstance(error, OSError) else None
        return (_not_attached(path, reason or str(error)),)
    if len(data) > MAX_IMAGE_BYTES:
        return (_not_attached(path, f"it is larger than {MAX_IMAGE_BYTES} bytes"),)
    text = base64.b64encode(data).decode("ascii")
    return _framed(f"<image name=[Image #{number}]>", f"data:{kind};base64,{text}")


def _read(path: str) -> bytes:
    # Not blocking, or a named pipe without a writer would hold us up for ever.
    with open(path, "rb", opener=_open_nonblocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a file")
        return file.read(MAX_IMAGE_BYTES + 1)


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _not_attached(path: str, reason: str) -> InputText:
    return InputText(text=f"The image at {path!r} could not be attached: {reason}.")
