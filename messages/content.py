"""What messages are made of: user input on its way in, content parts in the history."""

from typing import TypeAlias

import attrs

from .value import Unknown, Value

__all__ = [
    "ByteRange",
    "ContentItem",
    "ImageInput",
    "InputImage",
    "InputText",
    "LocalImageInput",
    "MentionInput",
    "OutputText",
    "SkillInput",
    "TextElement",
    "TextInput",
    "UnknownContent",
    "UnknownInput",
    "UserInputItem",
]


@attrs.frozen(kw_only=True)
class ByteRange(Value):
    """A stretch of UTF-8 text, in bytes, end excluded."""

    start: int
    end: int


@attrs.frozen(kw_only=True)
class TextElement(Value):
    """A marked stretch of a user's text, such as a pasted placeholder."""

    byte_range: ByteRange
    placeholder: str | None = None


@attrs.frozen(kw_only=True)
class TextInput(Value):
    """Text that the user typed; elements are in bytes of this very text."""

    text: str
    text_elements: tuple[TextElement, ...] = ()


@attrs.frozen(kw_only=True)
class ImageInput(Value):
    """An image by URL, often a data URL."""

    image_url: str


@attrs.frozen(kw_only=True)
class LocalImageInput(Value):
    """An image file on the host; read when the turn begins."""

    path: str


@attrs.frozen(kw_only=True)
class SkillInput(Value):
    """A skill that the user chose; adds nothing to the text itself."""

    name: str
    path: str


@attrs.frozen(kw_only=True)
class MentionInput(Value):
    """A thing that the user pointed at; adds nothing to the text itself."""

    name: str
    path: str


@attrs.frozen(kw_only=True)
class UnknownInput(Unknown):
    """A kind of user input that this version does not know."""


UserInputItem: TypeAlias = (
    TextInput | ImageInput | LocalImageInput | SkillInput | MentionInput | UnknownInput
)


@attrs.frozen(kw_only=True)
class InputText(Value):
    """Text given to the model."""

    text: str


@attrs.frozen(kw_only=True)
class InputImage(Value):
    """An image given to the model, by URL."""

    image_url: str


@attrs.frozen(kw_only=True)
class OutputText(Value):
    """Text written by the model."""

    text: str


@attrs.frozen(kw_only=True)
class UnknownContent(Unknown):
    """A content part that this version does not know."""


ContentItem: TypeAlias = InputText | InputImage | OutputText | UnknownContent
