"""What counts as something the user said, and what a client sees of an item."""

import re
from collections.abc import Callable, Iterator

from messages.content import (
    ContentItem,
    ImageInput,
    InputImage,
    InputText,
    OutputText,
    TextInput,
    UserInputItem,
)
from messages.items import (
    FindInPageAction,
    Message,
    OpenPageAction,
    OtherSearchAction,
    ReasoningItem,
    ReasoningText,
    SearchAction,
    SummaryText,
    Text,
    WebSearchAction,
    WebSearchCall,
)
from messages.rollout import RolloutItem
from messages.turn_items import (
    AgentMessageItem,
    AgentText,
    ReasoningTurnItem,
    TurnItem,
    UserMessageItem,
    WebSearchItem,
)

__all__ = ["is_user_message", "parse_turn_item", "search_in_words", "user_text"]

_INSTRUCTIONS = ("# AGENTS.md instructions for ", "<user_instructions>")
_SKILL = re.compile(r"<skill[>\s]")
_ANYWHERE = ("<environment_context>", "<turn_aborted>")
_SHELL_COMMAND = "<user_shell_command>"
# Enough of a part's beginning to find a marker in, after white space.
_HEAD_CHARACTERS = 32
_IMAGE_OPEN = re.compile(r"<image(?: name=[^\0]*)?>")
_IMAGE_CLOSE = "</image>"


def is_user_message(item: RolloutItem) -> bool:
    """
    Tell whether an item is something the user said, and so begins a turn.

    Messages of role user are, except those that wrap something else:

    - project instructions, a message of one text that begins with
      ``# AGENTS.md instructions for `` or ``<user_instructions>``;
    - a skill's body, a message of one text that begins with ``<skill>`` or with
      ``<skill`` and white space;
    - messages with a text, in any place, that begins with
      ``<environment_context>``, ``<turn_aborted>`` or, for input texts only,
      ``<user_shell_command>``, in upper or lower case and after white space.

    Source:
        Codex, ``event_mapping.rs`` and ``session_prefix.rs``; there any text
        that begins with ``<skill`` is taken for a skill, such as a user's own
        ``<skills>``.
    """
    return type(item) is Message and item.role == "user" and not _is_wrapper(item.content)


def parse_turn_item(item: RolloutItem, new_id: Callable[[], str]) -> TurnItem | None:
    """
    Tell what a client sees of an item; None for what clients do not see.

    Args:
        item: Anything out of the history.
        new_id: For user messages, and for others that came without an id.
    """
    match item:
        case Message(role="user") if is_user_message(item):
            return UserMessageItem(id=new_id(), content=tuple(_user_input(item.content)))
        case Message(role="assistant", content=content, phase=phase):
            texts = tuple(AgentText(text=p.text) for p in content if isinstance(p, OutputText))
            return AgentMessageItem(id=item.id or new_id(), content=texts, phase=phase)
        case ReasoningItem(summary=summary, content=raw):
            return ReasoningTurnItem(
                id=item.id or new_id(),
                summary_text=tuple(p.text for p in summary if isinstance(p, SummaryText)),
                raw_content=tuple(p.text for p in raw or () if isinstance(p, ReasoningText | Text)),
            )
        case WebSearchCall(action=action):
            known = action or OtherSearchAction(tag="other", raw={"type": "other"})
            return WebSearchItem(id=item.id or "", query=search_in_words(known), action=known)
        case _:  # the union is open: whatever else there is, clients see by events
            return None


def user_text(message: Message) -> str:
    """Return the text of a user message, its parts joined without anything between."""
    return "".join(
        part.text for part in _user_input(message.content) if isinstance(part, TextInput)
    )


def search_in_words(action: WebSearchAction) -> str:
    """Say what a web search does, for people; empty when there is nothing to say."""
    match action:
        case SearchAction(query=query, queries=queries):
            return query or _first_query(queries or ())
        case OpenPageAction(url=url):
            return url or ""
        case FindInPageAction(url=url, pattern=pattern):
            if pattern and url:
                return f"'{pattern}' in {url}"
            return f"'{pattern}'" if pattern else url or ""
        case OtherSearchAction():
            return ""


def _first_query(queries: tuple[str, ...]) -> str:
    first = queries[0] if queries else ""
    return f"{first} ..." if first and len(queries) > 1 else first


def _is_wrapper(content: tuple[ContentItem, ...]) -> bool:
    if len(content) == 1 and isinstance(content[0], InputText):
        text = content[0].text
        if text.startswith(_INSTRUCTIONS) or _SKILL.match(text):
            return True
    return any(_is_marked(part) for part in content)


def _is_marked(part: ContentItem) -> bool:
    if not isinstance(part, InputText | OutputText):
        return False
    head = part.text.lstrip()[:_HEAD_CHARACTERS].lower()
    if head.startswith(_ANYWHERE):
        return True
    return isinstance(part, InputText) and head.startswith(_SHELL_COMMAND)


def _user_input(content: tuple[ContentItem, ...]) -> Iterator[UserInputItem]:
    for index, part in enumerate(content):
        if isinstance(part, InputImage):
            yield ImageInput(image_url=part.image_url)
        elif isinstance(part, InputText) and not _is_image_tag(part.text, content, index):
            yield TextInput(text=part.text)


def _is_image_tag(text: str, content: tuple[ContentItem, ...], index: int) -> bool:
    """Tell whether a text only marks where an image begins or ends."""
    if text == _IMAGE_CLOSE:
        return index > 0 and isinstance(content[index - 1], InputImage)
    following = content[index + 1 : index + 2]
    return bool(following and isinstance(following[0], InputImage) and _IMAGE_OPEN.fullmatch(text))
