"""The older events that follow the item events, for clients that know only those."""

from collections.abc import Callable
from typing import Any, Final

from messages.content import (
    ByteRange,
    ImageInput,
    LocalImageInput,
    TextElement,
    TextInput,
    UserInputItem,
)
from messages.events import (
    AgentMessage,
    AgentMessageContentDelta,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
    ContextCompacted,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    ReasoningContentDelta,
    ReasoningRawContentDelta,
    UserMessage,
    WebSearchBegin,
    WebSearchEnd,
)
from messages.ids import CallId
from messages.turn_items import (
    AgentMessageItem,
    ContextCompactionItem,
    ReasoningTurnItem,
    TurnItem,
    UserMessageItem,
    WebSearchItem,
)

__all__ = ["legacy_events", "user_message"]


def legacy_events(event: EventMsg) -> tuple[EventMsg, ...]:
    """
    List the older events that say the same as *event*, in the order to send them.

    Source:
        Codex, ``EventMsg::as_legacy_events``, without the raw reasoning that it
        shows only on request.
    """
    convert = _CONVERTERS.get(event.__class__)
    return () if convert is None else convert(event)


def _of_started(event: ItemStarted) -> tuple[EventMsg, ...]:
    if isinstance(event.item, WebSearchItem):
        return (WebSearchBegin(call_id=CallId(event.item.id)),)
    return ()


def _of_completed(event: ItemCompleted) -> tuple[EventMsg, ...]:
    item: TurnItem = event.item
    match item:
        case UserMessageItem(content=content):
            return (user_message(content),)
        case AgentMessageItem(content=parts):
            return tuple(AgentMessage(message=part.text) for part in parts)
        case ReasoningTurnItem(summary_text=summary):
            return tuple(AgentReasoning(text=text) for text in summary)
        case WebSearchItem(id=item_id, query=query, action=action):
            return (WebSearchEnd(call_id=CallId(item_id), query=query, action=action),)
        case ContextCompactionItem():
            return (ContextCompacted(),)
        case _:  # plans have no older form
            return ()


def user_message(content: tuple[UserInputItem, ...]) -> UserMessage:
    """
    Join user input into one message.

    Texts are joined without a separator; their elements are moved to where their
    text begins in the whole, in UTF-8 bytes, with the marked text as placeholder.
    """
    texts: list[str] = []
    elements: list[TextElement] = []
    offset = 0
    for part in content:
        if isinstance(part, TextInput):
            data = part.text.encode("utf-8", "replace")
            elements.extend(_moved(element, data, offset) for element in part.text_elements)
            texts.append(part.text)
            offset += len(data)
    return UserMessage(
        message="".join(texts),
        images=tuple(part.image_url for part in content if isinstance(part, ImageInput)),
        local_images=tuple(part.path for part in content if isinstance(part, LocalImageInput)),
        text_elements=tuple(elements),
    )


def _moved(element: TextElement, data: bytes, offset: int) -> TextElement:
    place = element.byte_range
    text = element.placeholder
    if text is None:
        text = data[place.start : place.end].decode("utf-8", "replace")
    moved = ByteRange(start=place.start + offset, end=place.end + offset)
    return TextElement(byte_range=moved, placeholder=text)


_CONVERTERS: Final[dict[type, Callable[[Any], tuple[EventMsg, ...]]]] = {
    # One look-up by class for each event: most of them have no older form.
    AgentMessageContentDelta: lambda event: (AgentMessageDelta(delta=event.delta),),
    ReasoningContentDelta: lambda event: (AgentReasoningDelta(delta=event.delta),),
    ReasoningRawContentDelta: lambda event: (AgentReasoningRawContentDelta(delta=event.delta),),
    ItemStarted: _of_started,
    ItemCompleted: _of_completed,
}
