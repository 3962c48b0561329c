"""What a user gives a turn."""

from typing import TypeAlias

import attrs

from ..content import ByteRange
from .value import RpcValue

__all__ = [
    "ImageUserInput",
    "LocalImageUserInput",
    "MentionUserInput",
    "SkillUserInput",
    "TextElement",
    "TextUserInput",
    "UserInput",
]


@attrs.frozen(kw_only=True)
class TextElement(RpcValue):
    """A marked stretch of a user's text, such as a pasted placeholder."""

    byte_range: ByteRange
    placeholder: str | None = None


@attrs.frozen(kw_only=True)
class TextUserInput(RpcValue):
    """Text that the user typed; elements are in bytes of this very text."""

    text: str
    text_elements: tuple[TextElement, ...] = ()


@attrs.frozen(kw_only=True)
class ImageUserInput(RpcValue):
    """An image by URL, often a data URL."""

    url: str


@attrs.frozen(kw_only=True)
class LocalImageUserInput(RpcValue):
    """An image file on the server's host; read when the turn begins."""

    path: str


@attrs.frozen(kw_only=True)
class SkillUserInput(RpcValue):
    """A skill that the user chose; adds nothing to the text itself."""

    name: str
    path: str


@attrs.frozen(kw_only=True)
class MentionUserInput(RpcValue):
    """A thing that the user pointed at; adds nothing to the text itself."""

    name: str
    path: str


UserInput: TypeAlias = (
    TextUserInput | ImageUserInput | LocalImageUserInput | SkillUserInput | MentionUserInput
)
