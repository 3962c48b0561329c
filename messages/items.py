"""Response items: the pieces of the history that the model reads and writes."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from .content import ContentItem, InputImage, InputText, UnknownContent
from .value import Unknown, Value

__all__ = [
    "Compaction",
    "CustomToolCall",
    "CustomToolCallOutput",
    "FindInPageAction",
    "FunctionCall",
    "FunctionCallOutput",
    "FunctionOutput",
    "FunctionOutputContent",
    "GhostCommit",
    "GhostSnapshot",
    "LocalShellAction",
    "LocalShellCall",
    "LocalShellStatus",
    "Message",
    "MessagePhase",
    "OpenPageAction",
    "OtherSearchAction",
    "ReasoningContent",
    "ReasoningItem",
    "ReasoningText",
    "ResponseItem",
    "SearchAction",
    "SummaryText",
    "Text",
    "UnknownItem",
    "WebSearchAction",
    "WebSearchCall",
]


class MessagePhase(Enum):
    """Whether an assistant's message comments on the way or ends it."""

    COMMENTARY = "commentary"
    FINAL_ANSWER = "final_answer"


@attrs.frozen(kw_only=True)
class Message(Value):
    """
    What one side said.

    Attributes:
        role: ``user``, ``assistant``, ``developer`` or ``system``.
        content: Parts in reading order; may be empty.
    """

    role: str
    content: tuple[ContentItem, ...]
    id: str | None = None
    end_turn: bool | None = None
    phase: MessagePhase | None = None


@attrs.frozen(kw_only=True)
class SummaryText(Value):
    """One part of a reasoning summary."""

    text: str


@attrs.frozen(kw_only=True)
class ReasoningText(Value):
    """Raw reasoning, as reasoning models of the newer kind give it."""

    text: str


@attrs.frozen(kw_only=True)
class Text(Value):
    """Raw reasoning under the older tag."""

    text: str


ReasoningContent: TypeAlias = ReasoningText | Text | UnknownContent


@attrs.frozen(kw_only=True)
class ReasoningItem(Value):
    """
    What the model thought.

    Attributes:
        content: Raw reasoning; None when the model kept it to itself.
        encrypted_content: Opaque; sent back so that the model can go on from it.
    """

    summary: tuple[SummaryText | UnknownContent, ...] = ()
    content: tuple[ReasoningContent, ...] | None = None
    encrypted_content: str | None = None
    id: str | None = None


class LocalShellStatus(Enum):
    """How far the model's own shell call got."""

    COMPLETED = "completed"
    IN_PROGRESS = "in_progress"
    INCOMPLETE = "incomplete"


@attrs.frozen(kw_only=True)
class LocalShellAction(Value):
    """The command of a local shell call; timeout in milliseconds."""

    command: tuple[str, ...]
    timeout_ms: int | None = None
    working_directory: str | None = None
    env: Mapping[str, str] | None = None
    user: str | None = None


@attrs.frozen(kw_only=True)
class LocalShellCall(Value):
    """A call of the shell tool that some models have built in."""

    status: LocalShellStatus
    action: LocalShellAction
    call_id: str | None = None
    id: str | None = None


@attrs.frozen(kw_only=True)
class FunctionCall(Value):
    """A tool call; arguments are JSON text, exactly as the model wrote it."""

    name: str
    arguments: str
    call_id: str
    id: str | None = None


FunctionOutputContent: TypeAlias = InputText | InputImage | UnknownContent
FunctionOutput: TypeAlias = str | tuple[FunctionOutputContent, ...]


@attrs.frozen(kw_only=True)
class FunctionCallOutput(Value):
    """The answer to a `FunctionCall`: text, or parts with images."""

    call_id: str
    output: FunctionOutput
    id: str | None = None


@attrs.frozen(kw_only=True)
class CustomToolCall(Value):
    """A tool call with free text instead of arguments."""

    call_id: str
    name: str
    input: str
    status: str | None = None
    id: str | None = None


@attrs.frozen(kw_only=True)
class CustomToolCallOutput(Value):
    """The answer to a `CustomToolCall`."""

    call_id: str
    output: FunctionOutput
    id: str | None = None


@attrs.frozen(kw_only=True)
class SearchAction(Value):
    """The model searched the web."""

    query: str | None = None
    queries: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class OpenPageAction(Value):
    """The model opened a page."""

    url: str | None = None


@attrs.frozen(kw_only=True)
class FindInPageAction(Value):
    """The model looked for something on a page."""

    url: str | None = None
    pattern: str | None = None


@attrs.frozen(kw_only=True)
class OtherSearchAction(Unknown):
    """A web search action that this version does not know."""


WebSearchAction: TypeAlias = SearchAction | OpenPageAction | FindInPageAction | OtherSearchAction


@attrs.frozen(kw_only=True)
class WebSearchCall(Value):
    """A web search that the provider ran on its own side."""

    id: str | None = None
    status: str | None = None
    action: WebSearchAction | None = None


@attrs.frozen(kw_only=True)
class GhostCommit(Value):
    """A commit outside every branch that remembers a working tree."""

    id: str
    parent: str | None = None
    preexisting_untracked_files: tuple[str, ...] = ()
    preexisting_untracked_dirs: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class GhostSnapshot(Value):
    """The working tree before a turn, for undo; never sent to a model."""

    ghost_commit: GhostCommit


@attrs.frozen(kw_only=True)
class Compaction(Value):
    """Older items, replaced by the provider by something only it can read."""

    encrypted_content: str
    id: str | None = None


@attrs.frozen(kw_only=True)
class UnknownItem(Unknown):
    """A response item that this version does not know."""


ResponseItem: TypeAlias = (
    Message
    | ReasoningItem
    | LocalShellCall
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | WebSearchCall
    | GhostSnapshot
    | Compaction
    | UnknownItem
)
