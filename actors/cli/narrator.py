"""Tells a turn to a person while it happens."""

from typing import Final

import attrs

from actors.runtime import Lagged
from messages.events import (
    AgentMessageContentDelta,
    AgentReasoningSectionBreak,
    Event,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    PlanDelta,
    ReasoningContentDelta,
    StreamError,
    TokenCount,
    TokenUsage,
    TurnAborted,
    TurnComplete,
    TurnStarted,
)
from messages.turn_items import (
    AgentMessageItem,
    ContextCompactionItem,
    PlanItem,
    ReasoningTurnItem,
    TurnItem,
)

from .block_words import Block, block
from .call_blocks import CallBlocks
from .call_words import closing, opening
from .note_words import note
from .page import Page
from .pieces import Look, Piece, shortened
from .silent_calls import SilentCalls

__all__ = ["Narrator"]

_THINKING: Final = "thinking"
_COMPACTING: Final = "compacting the history"
_THOUGHTS: Final = "thinking: "
"""Before what the model thought, which a pipe does not show in another style."""

_LABEL_LIMIT: Final = 60


@attrs.define(eq=False)
class Narrator:
    """
    Turns the events of a thread into pieces of text.

    Text and reasoning are told as they come; commands, patches and other calls when
    they begin and again when they end, with the last lines of what came of them.
    How a patch changes a file, and the diff of the turn, are not told: files say it.

    Attributes:
        before: Tokens the thread had used when the turn began.
        cwd: Its working directory; paths below it are shown from there.
        usage: Tokens it has used now.
        waiting_for: What is being waited for, for the spinner; None for nothing.
    """

    before: TokenUsage = attrs.field(factory=TokenUsage)
    cwd: str = ""
    usage: TokenUsage | None = None
    waiting_for: str | None = None
    _page: Page = attrs.field(factory=Page, init=False)
    _calls: CallBlocks = attrs.field(init=False)
    _silent: SilentCalls = attrs.field(factory=SilentCalls, init=False)
    _turn_runs: bool = attrs.field(default=False, init=False)
    # The item whose text is being told, and how much of it was.
    _item_id: str | None = attrs.field(default=None, init=False)
    _told: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        """Let calls share the page."""
        self._calls = CallBlocks(self._page)

    @property
    def at_line_start(self) -> bool:
        """Whether a spinner may be shown without breaking a line."""
        return self._page.at_line_start

    def take(self, event: Event | Lagged) -> tuple[Piece, ...]:
        """Tell one event; most have nothing to tell."""
        if isinstance(event, Lagged):
            self._page.note(f"warning: {event.missed} events are not shown: the output is too slow")
        else:
            self._tell(event.msg)
            if (refused := self._silent.take(event.msg)) is not None:
                self._tell_block(refused)
        return self._page.take()

    def usage_line(self) -> str | None:
        """Say what the turn has used; None when the provider did not count."""
        now = self.usage
        if now is None:
            return None
        cached = now.cached_input_tokens - self.before.cached_input_tokens
        words = f"tokens: {now.input_tokens - self.before.input_tokens:,} in"
        words += f" ({cached:,} cached)" if cached else ""
        words += f", {now.output_tokens - self.before.output_tokens:,} out"
        return f"{words}; whole thread {now.total_tokens:,}" if self.before.total_tokens else words

    def _tell(self, msg: EventMsg) -> None:
        match msg:
            case (
                AgentMessageContentDelta(item_id=item_id, delta=delta)
                | PlanDelta(item_id=item_id, delta=delta)
            ):
                self._tell_delta(item_id, delta, Look.PLAIN)
            case ReasoningContentDelta(item_id=item_id, delta=delta):
                self._tell_delta(item_id, delta, Look.FAINT)
            case AgentReasoningSectionBreak(item_id=item_id, summary_index=index) if index > 0:
                self._tell_delta(item_id, "\n\n", Look.FAINT)
            case ItemStarted(item=item):
                self._wait_for_item(item)
            case ItemCompleted(item=item):
                self._tell_item(item)
            case TokenCount(info=info):
                self.usage = self.usage if info is None else info.total_token_usage
            case TurnStarted():
                self._turn_runs, self.waiting_for = True, _THINKING
            case TurnComplete() | TurnAborted():
                self._turn_runs, self.waiting_for = False, None
                self._page.end_line()
                self._tell_other(msg)
            case _:
                self._tell_other(msg)

    def _tell_other(self, msg: EventMsg) -> None:
        if (begun := opening(msg, self.cwd)) is not None:
            self._calls.begin(begun)
            self._item_id = None
            self._wait_for_call()
        elif (ended := closing(msg, self.cwd)) is not None:
            self._calls.end(ended)
            self._item_id = None
            self._wait_for_call()
        elif (whole := block(msg)) is not None:
            self._tell_block(whole)
        elif (beside := note(msg)) is not None:
            if isinstance(msg, StreamError):
                # What was told of the broken answer is told again from its beginning.
                self._item_id = None
            self._page.note(*beside)

    def _tell_block(self, whole: Block) -> None:
        self._page.begin(whole.heading, whole.look)
        self._page.write_lines(whole.body, whole.body_look)
        self._calls.leave()
        self._item_id = None

    def _tell_delta(self, item_id: str, delta: str, look: Look) -> None:
        if item_id != self._item_id:
            self._page.begin()
            if look is Look.FAINT:
                self._page.write(_THOUGHTS, look)
            self._item_id, self._told = item_id, ""
            self._calls.leave()
            delta = delta.lstrip("\n")
        self._told += delta
        self._page.write(delta, look)

    def _tell_item(self, item: TurnItem) -> None:
        text = (_told_text(item) or "").lstrip("\n")
        if not text:
            return
        look = Look.FAINT if isinstance(item, ReasoningTurnItem) else Look.PLAIN
        if getattr(item, "id", None) != self._item_id:
            self._tell_delta(getattr(item, "id", ""), text, look)
        elif text.startswith(self._told):
            # Deltas were lost, or the model gave none.
            self._page.write(text[len(self._told) :], look)
        self._page.end_line()
        self._item_id, self._told = None, ""

    def _wait_for_item(self, item: TurnItem) -> None:
        if isinstance(item, ContextCompactionItem):
            self.waiting_for = _COMPACTING
        elif _told_text(item) is not None:
            self.waiting_for = _THINKING

    def _wait_for_call(self) -> None:
        if not self._turn_runs:
            return  # a process that ends with the thread
        line = self._calls.oldest
        self.waiting_for = _THINKING if line is None else shortened(line, _LABEL_LIMIT)


def _told_text(item: TurnItem) -> str | None:
    match item:
        case AgentMessageItem(content=parts):
            return "".join(part.text for part in parts)
        case ReasoningTurnItem(summary_text=parts):
            return "\n\n".join(parts)
        case PlanItem(text=text):
            return text
        case _:
            return None
