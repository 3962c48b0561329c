"""What is said and what goes wrong, in the words of the app-server protocol."""

from collections.abc import Iterable
from typing import Final, assert_never

from messages import content, events
from messages.rpc.turn_error import (
    CodexErrorCode,
    CodexErrorInfo,
    HttpConnectionFailedCodexErrorInfo,
    ResponseStreamConnectionFailedCodexErrorInfo,
    ResponseStreamDisconnectedCodexErrorInfo,
    ResponseTooManyFailedAttemptsCodexErrorInfo,
    TurnError,
)
from messages.rpc.user_input import (
    ImageUserInput,
    LocalImageUserInput,
    MentionUserInput,
    SkillUserInput,
    TextElement,
    TextUserInput,
    UserInput,
)

__all__ = ["camel_case", "error_info", "turn_error", "user_inputs"]

_CODES: Final = {code: CodexErrorCode[code.name] for code in events.CodexErrorCode}


def camel_case(name: str) -> str:
    """Write a name in snake_case as clients write it."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def user_inputs(items: Iterable[content.UserInputItem]) -> tuple[UserInput, ...]:
    """Say what the user said; what this version does not know is left out."""
    converted = map(_user_input, items)
    return tuple(item for item in converted if item is not None)


def _user_input(item: content.UserInputItem) -> UserInput | None:
    match item:
        case content.TextInput(text=text, text_elements=elements):
            return TextUserInput(text=text, text_elements=tuple(map(_element, elements)))
        case content.ImageInput(image_url=url):
            return ImageUserInput(url=url)
        case content.LocalImageInput(path=path):
            return LocalImageUserInput(path=path)
        case content.SkillInput(name=name, path=path):
            return SkillUserInput(name=name, path=path)
        case content.MentionInput(name=name, path=path):
            return MentionUserInput(name=name, path=path)
        case content.UnknownInput():
            return None
        case _:
            assert_never(item)


def _element(element: content.TextElement) -> TextElement:
    return TextElement(byte_range=element.byte_range, placeholder=element.placeholder)


def error_info(info: events.CodexErrorInfo | None) -> CodexErrorInfo | None:
    """Say for programs what went wrong; None where there is no word for it."""
    match info:
        case None:
            return None
        case events.CodexErrorCode():
            return _CODES[info]
        case events.HttpConnectionFailed(http_status_code=status):
            return HttpConnectionFailedCodexErrorInfo(http_status_code=status)
        case events.ResponseStreamConnectionFailed(http_status_code=status):
            return ResponseStreamConnectionFailedCodexErrorInfo(http_status_code=status)
        case events.ResponseStreamDisconnected(http_status_code=status):
            return ResponseStreamDisconnectedCodexErrorInfo(http_status_code=status)
        case events.ResponseTooManyFailedAttempts(http_status_code=status):
            return ResponseTooManyFailedAttemptsCodexErrorInfo(http_status_code=status)
        case _:
            assert_never(info)


def turn_error(event: events.ErrorEvent | events.StreamError) -> TurnError:
    """Say what went wrong with a turn, or with one attempt of it."""
    details = event.additional_details if isinstance(event, events.StreamError) else None
    return TurnError(
        message=event.message,
        codex_error_info=error_info(event.codex_error_info),
        additional_details=details,
    )
