"""Tells a turn to a person while it happens."""

from typing import Final

import attrs

from actors.runtime import Lagged
from messages.events import (
    AgentMessageContentDelta,
    AgentReasoningSectionBreak,
    BackgroundEvent,
    ContextCompacted,
    DeprecationNotice,
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ItemCompleted,
    ItemStarted,
    ModelReroute,
    PlanDelta,
    ReasoningContentDelta,
    StreamError,
    TokenCount,
    TokenUsage,
    TurnAborted,
    TurnComplete,
    TurnStarted,
    WarningEvent,
)
from messages.ids import CallId
from messages.turn_items import AgentMessageItem, PlanItem, ReasoningTurnItem, TurnItem

from .json_events import retry_text
from .page import Page, command_line, command_result, output_tail
from .pieces import Look, Piece, shortened

__all__ = ["Narrator"]

_THINKING: Final = "thinking"
_THOUGHTS: Final = "thinking: "
"""Before what the model thought, which a pipe does not show in another style."""

_LABEL_LIMIT: Final = 60


@attrs.define(eq=False)
class Narrator:
    """
    Turns the events of a thread into pieces of text.

    Text and reasoning are told as they come, a command when it begins and again
    when it ends, with the last lines of its output.

    Attributes:
        before: Tokens the thread had used when the turn began.
        usage: Tokens it has used now.
        waiting_for: What is being waited for, for the spinner; None for nothing.
    """

    before: TokenUsage = attrs.field(factory=TokenUsage)
    usage: TokenUsage | None = None
    waiting_for: str | None = None
    _page: Page = attrs.field(factory=Page, init=False)
    # The item whose text is being told, and how much of it was.
    _item_id: str | None = attrs.field(default=None, init=False)
    _told: str = attrs.field(default="", init=False)
    # Commands that run, oldest first, and the one whose heading was written last.
    _running: dict[CallId, str] = attrs.field(factory=dict[CallId, str], init=False)
    _on_page: CallId | None = attrs.field(default=None, init=False)

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
                self.waiting_for = self.waiting_for if _told_text(item) is None else _THINKING
            case ItemCompleted(item=item):
                self._tell_item(item)
            case ExecCommandBegin():
                self._tell_begin(msg)
            case ExecCommandEnd():
                self._tell_end(msg)
            case TokenCount(info=info):
                self.usage = self.usage if info is None else info.total_token_usage
            case _:
                self._tell_turn(msg)

    def _tell_turn(self, msg: EventMsg) -> None:
        match msg:
            case TurnStarted():
                self.waiting_for = _THINKING
            case TurnComplete():
                self._stop_waiting()
            case TurnAborted():
                self._stop_waiting()
                self._page.note("interrupted")
            case ErrorEvent(message=message):
                self._page.note(f"error: {message}", Look.BAD)
            case StreamError():
                # What was told of the broken answer is told again from its beginning.
                self._item_id = None
                self._page.note(f"warning: {retry_text(msg)}")
            case WarningEvent(message=message):
                self._page.note(f"warning: {message}")
            case DeprecationNotice(summary=summary, details=details):
                words = f"{summary}: {details}" if details else summary
                self._page.note(f"warning: {words}")
            case ModelReroute(from_model=asked, to_model=answers, reason=reason):
                self._page.note(f"warning: {answers} answers instead of {asked}: {reason}")
            case BackgroundEvent(message=message):
                self._page.note(message, Look.FAINT)
            case ContextCompacted():
                self._page.note("the history was compacted", Look.FAINT)
            case _:
                pass

    def _stop_waiting(self) -> None:
        self.waiting_for = None
        self._page.end_line()

    def _tell_delta(self, item_id: str, delta: str, look: Look) -> None:
        if item_id != self._item_id:
            self._page.begin()
            if look is Look.FAINT:
                self._page.write(_THOUGHTS, look)
            self._item_id, self._told, self._on_page = item_id, "", None
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

    def _tell_begin(self, event: ExecCommandBegin) -> None:
        line = command_line(event.command)
        self._page.begin(line, Look.COMMAND)
        self._on_page, self._item_id = event.call_id, None
        self._running[event.call_id] = line
        self._wait_for_command()

    def _tell_end(self, event: ExecCommandEnd) -> None:
        self._running.pop(event.call_id, None)
        if self._on_page != event.call_id:
            # Another one was told meanwhile: say again whose end this is.
            self._page.begin(command_line(event.command), Look.COMMAND)
        self._page.write_lines(output_tail(event.aggregated_output), Look.FAINT)
        words, look = command_result(event)
        self._page.write_lines(words, look)
        self._on_page = None
        self._wait_for_command()

    def _wait_for_command(self) -> None:
        line = next(iter(self._running.values()), None)
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
