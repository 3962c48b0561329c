"""What counts as something the user said, and what clients see."""

from itertools import count

import pytest

from actors.rollout import is_user_message, parse_turn_item, search_in_words, user_text
from messages.content import (
    ContentItem,
    ImageInput,
    InputImage,
    InputText,
    OutputText,
    TextInput,
    UnknownContent,
    UserInputItem,
)
from messages.items import (
    FindInPageAction,
    FunctionCall,
    Message,
    MessagePhase,
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
from messages.turn_items import (
    AgentMessageItem,
    AgentText,
    ReasoningTurnItem,
    UserMessageItem,
    WebSearchItem,
)

from .samples import assistant, said, user

IMAGE = InputImage(image_url="data:image/png;base64,")


def new_id() -> str:
    return "new"


def from_user(*content: ContentItem) -> Message:
    return Message(role="user", content=content)


@pytest.mark.parametrize(
    "text",
    [
        "# AGENTS.md instructions for /home/me\n\n…",
        "<user_instructions>old</user_instructions>",
        "<skill>\n<name>x</name>",
        "<skill name='x'>",
        "<skill\n>",
        "<environment_context>\n  <cwd>/</cwd>",
        "  \n<ENVIRONMENT_context>",
        "<turn_aborted>\nThe user",
        "\t<Turn_Aborted>",
        "<user_shell_command>ls",
        " <USER_SHELL_COMMAND>",
    ],
)
def test_wrappers_are_no_user_messages(text: str) -> None:
    """What the runtime itself puts into the user's role does not begin a turn."""
    assert not is_user_message(user(text))
    assert parse_turn_item(user(text), new_id) is None


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "",
        "Warning: something",
        "<user_action>review</user_action>",
        "<skills> are a thing I know",
        "<skill",
        " # AGENTS.md instructions for x",
        " <skill>",
        "# agents.md instructions for x",
        "<USER_INSTRUCTIONS>",
        "see <environment_context>",
    ],
)
def test_everything_else_in_the_users_role_is_a_user_message(text: str) -> None:
    """Also what only looks like a wrapper: exact tag, exact case, no white space before."""
    assert is_user_message(user(text))


def test_markers_count_by_the_parts_they_stand_in() -> None:
    """Instructions and skills need to be alone; the others may stand in any part."""
    assert is_user_message(from_user(InputText(text="<skill>"), InputText(text="x")))
    assert is_user_message(from_user(OutputText(text="<skill>")))
    assert not is_user_message(from_user(InputText(text="x"), InputText(text="<turn_aborted>")))
    assert not is_user_message(from_user(OutputText(text="<environment_context>")))
    assert is_user_message(from_user(OutputText(text="<user_shell_command>")))
    assert is_user_message(from_user())
    assert is_user_message(from_user(IMAGE))
    assert is_user_message(from_user(UnknownContent(tag="x", raw={})))


def test_other_roles_and_items_are_no_user_messages() -> None:
    """Only messages of role user can be."""
    assert not is_user_message(assistant("hi"))
    assert not is_user_message(Message(role="developer", content=(InputText(text="hi"),)))
    assert not is_user_message(said("hi"))
    assert not is_user_message(FunctionCall(name="f", arguments="{}", call_id="c"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ((InputText(text="hi"),), (TextInput(text="hi"),)),
        ((InputText(text="<image>"), IMAGE, InputText(text="</image>")), (IMAGE,)),
        ((InputText(text="<image name=[a.png]>"), IMAGE), (IMAGE,)),
        ((InputText(text="<image>"),), (TextInput(text="<image>"),)),
        ((InputText(text="</image>"), IMAGE), (TextInput(text="</image>"), IMAGE)),
        ((IMAGE, InputText(text="</image>"), InputText(text="x")), (IMAGE, TextInput(text="x"))),
        ((IMAGE, InputText(text="<image>")), (IMAGE, TextInput(text="<image>"))),
        ((InputText(text="<image x>"), IMAGE), (TextInput(text="<image x>"), IMAGE)),
        ((OutputText(text="not copied"),), ()),
        ((), ()),
    ],
)
def test_user_message_shows_texts_and_images_without_their_wrapping(
    content: tuple[ContentItem, ...], expected: tuple[UserInputItem | InputImage, ...]
) -> None:
    """The texts around an image only mark where it begins and ends."""
    item = parse_turn_item(from_user(*content), new_id)

    shown = [
        ImageInput(image_url=e.image_url) if isinstance(e, InputImage) else e for e in expected
    ]
    assert item == UserMessageItem(id="new", content=tuple(shown))


def test_text_of_a_user_message_is_its_parts_joined() -> None:
    """Nothing stands between the parts."""
    message = from_user(InputText(text="a"), IMAGE, InputText(text="b"))
    assert user_text(message) == "ab"


def test_assistants_message_shows_its_texts() -> None:
    """With its own id if it has one, and its phase."""
    message = Message(
        role="assistant",
        content=(OutputText(text="a"), InputText(text="not"), OutputText(text="b")),
        phase=MessagePhase.COMMENTARY,
    )
    texts = (AgentText(text="a"), AgentText(text="b"))

    assert parse_turn_item(message, new_id) == AgentMessageItem(
        id="new", content=texts, phase=MessagePhase.COMMENTARY
    )
    named = Message(role="assistant", content=(), id="msg_1")
    assert parse_turn_item(named, new_id) == AgentMessageItem(id="msg_1", content=())


def test_reasoning_shows_summary_and_raw_text() -> None:
    """Both tags of raw reasoning, and nothing for parts of unknown kind."""
    unknown = UnknownContent(tag="x", raw={})
    item = ReasoningItem(
        id="rs_1",
        summary=(SummaryText(text="s"), unknown),
        content=(ReasoningText(text="r"), Text(text="t"), unknown),
    )
    assert parse_turn_item(item, new_id) == ReasoningTurnItem(
        id="rs_1", summary_text=("s",), raw_content=("r", "t")
    )
    assert parse_turn_item(ReasoningItem(), new_id) == ReasoningTurnItem(id="new", summary_text=())


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (SearchAction(query="q", queries=("a", "b")), "q"),
        (SearchAction(query="", queries=("a", "b")), "a ..."),
        (SearchAction(queries=("a",)), "a"),
        (SearchAction(queries=("", "b")), ""),
        (SearchAction(queries=()), ""),
        (SearchAction(), ""),
        (OpenPageAction(url="u"), "u"),
        (OpenPageAction(), ""),
        (FindInPageAction(url="u", pattern="p"), "'p' in u"),
        (FindInPageAction(pattern="p"), "'p'"),
        (FindInPageAction(url="u"), "u"),
        (FindInPageAction(), ""),
        (OtherSearchAction(tag="x", raw={}), ""),
    ],
)
def test_web_search_is_said_in_words(action: WebSearchAction, words: str) -> None:
    """What was searched, opened or looked for."""
    assert search_in_words(action) == words
    call = WebSearchCall(id="ws_1", action=action)
    assert parse_turn_item(call, new_id) == WebSearchItem(id="ws_1", query=words, action=action)


def test_web_search_without_an_action_is_some_other_one() -> None:
    """Its id may be missing as well."""
    assert parse_turn_item(WebSearchCall(), new_id) == WebSearchItem(
        id="", query="", action=OtherSearchAction(tag="other", raw={"type": "other"})
    )


def test_what_clients_see_by_events_is_no_turn_item() -> None:
    """Calls, outputs and messages of other roles."""
    numbers = count()
    for item in (
        FunctionCall(name="f", arguments="{}", call_id="c"),
        Message(role="developer", content=(InputText(text="x"),)),
        Message(role="system", content=()),
        said("hi"),
    ):
        assert parse_turn_item(item, lambda: str(next(numbers))) is None
    assert next(numbers) == 0
