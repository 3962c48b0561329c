"""A recorded conversation as a readable page."""

import re
from typing import Final

import attrs

from actors.rollout import is_user_message, search_in_words
from messages.content import InputImage, InputText, OutputText
from messages.events import (
    EnteredReviewMode,
    ErrorEvent,
    ExitedReviewMode,
    ThreadRolledBack,
    TurnAborted,
    TurnComplete,
)
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    LocalShellCall,
    Message,
    ReasoningItem,
    SummaryText,
    WebSearchCall,
)
from messages.rollout import CompactedItem, RolloutItem, UnknownRecord

from .item_words import call_words, output_text, unframed
from .page import Page, command_line, output_tail
from .pieces import Look, Piece, shortened, visible

__all__ = ["Transcript"]

_LINE_LIMIT: Final = 200
"""Characters of what is shown in one line: arguments, errors."""

_KIND_LIMIT: Final = 40

_IMAGE_TAG: Final = re.compile(r"<image(?: name=[^\0]*)?>|</image>")


@attrs.define(eq=False)
class Transcript:
    """
    Turns rollout items into pieces of text, one after the other.

    Records of a kind that this version does not know are left out: newer versions
    keep books of their own in the same file.

    Messages of the user are numbered as forks count them, from 1: after a
    rollback the numbers of what no longer counts are used again.
    """

    _page: Page = attrs.field(factory=Page, init=False)
    _number: int = attrs.field(default=0, init=False)
    # Outputs name their call only; written below it, unless another one was
    # written meanwhile.
    _calls: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _last_call: str | None = attrs.field(default=None, init=False)

    def take(self, item: RolloutItem) -> tuple[Piece, ...]:
        """Write one item; settings, instructions and counts are not shown."""
        self._write(item)
        return self._page.take()

    def _write(self, item: RolloutItem) -> None:
        match item:
            case Message():
                self._write_message(item)
            case ReasoningItem(summary=parts):
                texts = [part.text for part in parts if isinstance(part, SummaryText)]
                self._write_text("thinking", "\n\n".join(texts), Look.FAINT)
            case FunctionCall(call_id=call_id) | CustomToolCall(call_id=call_id):
                self._write_call(call_id, *call_words(item))
            case LocalShellCall(call_id=call_id, action=action):
                self._write_call(call_id, command_line(action.command))
            case WebSearchCall(action=action):
                what = "" if action is None else search_in_words(action)
                self._write_call(None, f"web search: {what}" if what else "web search")
            case (
                FunctionCallOutput(call_id=call_id, output=output)
                | CustomToolCallOutput(call_id=call_id, output=output)
            ):
                self._write_output(call_id, output)
            case _:
                self._write_mark(_mark(item))
                if isinstance(item, ThreadRolledBack):
                    self._number = max(0, self._number - item.num_turns)

    def _write_message(self, message: Message) -> None:
        if is_user_message(message):
            self._number += 1
            self._write_text(f"user #{self._number}", _message_text(message))
        elif message.role == "assistant":
            self._write_text("assistant", _message_text(message))

    def _write_text(self, heading: str, text: str, look: Look = Look.PLAIN) -> None:
        if text.strip():
            self._page.begin(heading, Look.HEAD)
            self._page.write_lines(text.strip("\n"), look)
            self._last_call = None

    def _write_call(self, call_id: str | None, line: str, body: str = "") -> None:
        self._page.begin(line, Look.COMMAND)
        self._page.write_lines(body, Look.FAINT)
        self._last_call = call_id
        if call_id is not None:
            self._calls[call_id] = line

    def _write_output(self, call_id: str, output: FunctionOutput) -> None:
        line = self._calls.pop(call_id, "output of an unknown call")
        if self._last_call != call_id:
            self._page.begin(line, Look.COMMAND)
        text, exit_code = unframed(output_text(output))
        self._page.write_lines(output_tail(text), Look.FAINT)
        if exit_code is not None:
            look = Look.GOOD if exit_code == 0 else Look.BAD
            self._page.write_lines(f"exit {exit_code}", look)
        self._last_call = None

    def _write_mark(self, words: str | None) -> None:
        if words is not None:
            self._page.begin(f"-- {words} --", Look.FAINT)
            self._last_call = None


def _mark(item: RolloutItem) -> str | None:
    match item:
        case TurnComplete():
            return "turn completed"
        case TurnAborted(reason=reason):
            return f"turn {reason.value.replace('_', ' ')}"
        case ErrorEvent(message=message):
            return f"error: {shortened(message, _LINE_LIMIT)}"
        case ThreadRolledBack(num_turns=1):
            return "the last turn no longer counts"
        case ThreadRolledBack(num_turns=count):
            return f"the last {count} turns no longer count"
        case EnteredReviewMode(user_facing_hint=hint):
            return f"review of {shortened(hint, _LINE_LIMIT)}" if hint else "review"
        case ExitedReviewMode(review_output=output):
            return "review ended" if output is not None else "review ended without a result"
        case CompactedItem():
            return "history compacted: the model goes on from a summary"
        case UnknownRecord(kind=kind, reason=reason) if reason:
            return f"a {shortened(kind, _KIND_LIMIT)} that cannot be shown: {visible(reason)}"
        case _:
            return None


def _message_text(message: Message) -> str:
    """Join what can be read; where there was an image it says so."""
    texts: list[str] = []
    for part in message.content:
        if isinstance(part, InputImage):
            texts.append("[image]")
        elif isinstance(part, InputText | OutputText) and not _IMAGE_TAG.fullmatch(part.text):
            texts.append(part.text)
    return "\n".join(texts)
