"""The tool by which the model looks at an image file."""

import base64
import os
import stat
from typing import Final

import attrs
import trio

from messages.content import InputImage, InputText
from messages.events import ViewImageToolCall
from messages.items import Message
from messages.value import Json

from .errors import ToolError
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_arguments import read_text

__all__ = ["MAX_IMAGE_BYTES", "ViewImageTool"]

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""A larger file is not attached: the model's endpoint would refuse it anyway."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""How the files begin that models take, besides WebP, which has its length in between."""

_SPEC: Final = {
    "type": "function",
    "name": "view_image",
    "description": (
        "Attaches an image file of this machine to the conversation, so that you can see it. "
        "It may be a PNG, JPEG, GIF or WebP file."
    ),
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "description": "The file; a relative path starts at the working directory.",
            }
        },
        "required": ["path"],
        "additionalProperties": False,
    },
}


@attrs.frozen
class ViewImageTool:
    """
    Lets an image join the turn, as if the user had attached it.

    What the file is decides its content, not its name.

    Source:
        Codex, ``handlers/view_image.rs``.  There a file that is no image is answered as
        attached, and a text in its place says that it was not; here the call fails.
    """

    name: str = attrs.field(default="view_image", init=False)
    parallel: bool = attrs.field(default=True, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it to models that can see."""
        return _SPEC if offer.model.supports_images else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Read the file in an OS thread, and let it join the turn.

        Raises:
            ToolError: The model cannot see, or the file cannot be attached; nothing was.

        Cancellation:
            Nothing happened; a file being read is read to its end unseen.
        """
        if not context.model_info.supports_images:
            raise ToolError("view_image is not allowed because you do not support image inputs")
        path = _absolute(read_text(parse_arguments(call), "path"), context.cwd)
        # Abandoned: a network disk may take its time.
        url = await trio.to_thread.run_sync(_data_url, path, abandon_on_cancel=True)
        if not context.add_input(_message(url)):
            raise ToolError("unable to attach image: the turn has no room for more input")
        context.emit(ViewImageToolCall(call_id=call.call_id, path=path))
        return ToolOutput(output="attached local image path", success=True)


def _absolute(path: str, cwd: str) -> str:
    return os.path.join(cwd, path)  # noqa: PTH118 -- keeps ".." as is


def _message(url: str) -> Message:
    # The form of a local image that comes with a user's own input.
    return Message(
        role="user",
        content=(
            InputText(text="<image name=[Image #1]>"),
            InputImage(image_url=url),
            InputText(text="</image>"),
        ),
    )


def _data_url(path: str) -> str:
    data = _read(path)
    if len(data) > MAX_IMAGE_BYTES:
        raise _unusable(path, f"it is larger than {MAX_IMAGE_BYTES} bytes")
    kind = _kind(data)
    if kind is None:
        raise _unusable(path, "it is no PNG, JPEG, GIF or WebP file")
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _read(path: str) -> bytes:
    try:
        status = os.stat(path)  # noqa: PTH116 -- a Path would drop "." and doubled slashes
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        raise ToolError(f"unable to locate image at `{path}`: {_reason(error)}") from error
    _check_file(path, status)
    try:
        # Not blocking: since we looked, a pipe without a writer may have taken its place.
        with open(path, "rb", opener=_open_nonblocking) as file:
            _check_file(path, os.fstat(file.fileno()))
            return file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        raise _unusable(path, _reason(error)) from error


def _check_file(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ToolError(f"image path `{path}` is not a file")


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _kind(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)


def _unusable(path: str, reason: str) -> ToolError:
    return ToolError(f"unable to attach image at `{path}`: {reason}")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
