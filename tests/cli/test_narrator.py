"""What a person reads of a turn while it happens."""

import pytest

from actors.cli.narrator import Narrator
from actors.cli.pieces import Look, Stream
from actors.runtime import Lagged
from messages.events import (
    AgentReasoningSectionBreak,
    BackgroundEvent,
    ContextCompacted,
    DeprecationNotice,
    ErrorEvent,
    EventMsg,
    ExecCommandStatus,
    ItemCompleted,
    ModelReroute,
    StreamError,
    TokenUsage,
    TurnAborted,
    TurnAbortReason,
    TurnDiff,
    WarningEvent,
)
from messages.turn_items import ContextCompactionItem, PlanItem

from .said import (
    THREAD,
    TURN,
    command_begin,
    command_end,
    completed,
    event,
    message,
    reasoning,
    started,
    tokens,
)


def told(*msgs: EventMsg) -> tuple[str, str]:
    """Tell events in order; what went to standard output, and what to standard error."""
    narrator = Narrator()
    pieces = [piece for msg in msgs for piece in narrator.take(event(msg))]
    out = "".join(piece.text for piece in pieces if piece.stream is Stream.OUT)
    return out, "".join(piece.text for piece in pieces if piece.stream is Stream.ERR)


def test_a_turn_reads_as_blocks_with_an_empty_line_between_them() -> None:
    """The golden run."""
    out, err = told(
        started(),
        *reasoning("Hm, a job.", deltas=("Hm, ", "a job.")),
        *message("I look.", "I ", "look."),
        command_begin("bash", "-lc", "ls -a"),
        command_end("bash", "-lc", "ls -a", output=".\n..\n"),
        *message("Two entries.", "Two ", "entries.", item_id="m2"),
        completed("Two entries."),
    )

    assert out == (
        "thinking: Hm, a job.\n\nI look.\n\n$ ls -a\n  .\n  ..\n  exit 0, 0.2 s\n\nTwo entries.\n"
    )
    assert err == ""


def test_text_is_told_as_it_comes() -> None:
    """A delta is not kept back until its line is whole."""
    narrator = Narrator()
    _, first, *_ = message("ab", "a", "b")

    (piece,) = narrator.take(event(first))

    assert (piece.text, piece.look) == ("a", Look.PLAIN)
    assert not narrator.at_line_start


def test_reasoning_is_faint_and_its_parts_stand_apart() -> None:
    """A section break between two parts is an empty line; before the first it is nothing."""
    first, second, done, *_ = reasoning("one", "two", deltas=("one", "two"))
    breaks = [AgentReasoningSectionBreak(item_id="r1", summary_index=index) for index in (0, 1)]
    narrator = Narrator()

    msgs = [breaks[0], first, breaks[1], second, done]
    pieces = [piece for msg in msgs for piece in narrator.take(event(msg))]

    assert "".join(piece.text for piece in pieces) == "thinking: one\n\ntwo\n"
    assert {piece.look for piece in pieces if piece.text.strip()} == {Look.FAINT}


def test_a_message_without_deltas_is_told_when_it_is_done() -> None:
    """Not every model streams."""
    assert told(*message("whole"))[0] == "whole\n"


def test_what_deltas_lacked_is_told_when_the_message_is_done() -> None:
    """Events may be lost on the way."""
    assert told(*message("whole text", "whole"))[0] == "whole text\n"


def test_leading_line_feeds_are_left_out() -> None:
    """Blocks have one empty line between them, whatever the model writes."""
    assert told(*message("\n\nHi", "\n\nHi"), *message("\nyou", item_id="m2"))[0] == "Hi\n\nyou\n"


def test_a_proposed_plan_is_told_as_text() -> None:
    """And items without text are not told."""
    plan = PlanItem(id="p", text="1. look")
    items = (plan, ContextCompactionItem(id="x"))

    out, _ = told(*(ItemCompleted(thread_id=THREAD, turn_id=TURN, item=i) for i in items))

    assert out == "1. look\n"


def test_a_broken_answer_is_told_again_after_the_warning() -> None:
    """What was told of it stays, and the new one is told from its beginning."""
    begin, delta, *_ = message("Hello", "Hel")
    retry = StreamError(message="Reconnecting... 1/5", additional_details="cut")

    out, err = told(started(), begin, delta, retry, *message("Hello", "Hello"))

    assert out == "Hel\n\nHello\n"
    assert err == "warning: Reconnecting... 1/5 (cut)\n"


@pytest.mark.parametrize(
    ("exit_code", "status", "words", "look"),
    [
        (0, ExecCommandStatus.COMPLETED, "  exit 0, 0.2 s\n", Look.GOOD),
        (7, ExecCommandStatus.FAILED, "  exit 7, 0.2 s\n", Look.BAD),
        (-1, ExecCommandStatus.FAILED, "  stopped\n", Look.BAD),
        (-1, ExecCommandStatus.DECLINED, "  not allowed\n", Look.BAD),
    ],
)
def test_a_command_says_how_it_ended(
    exit_code: int, status: ExecCommandStatus, words: str, look: Look
) -> None:
    """In one line, in the colour of success or failure."""
    narrator = Narrator()
    narrator.take(event(command_begin("true")))

    pieces = narrator.take(event(command_end("true", exit_code=exit_code, status=status)))

    assert [(piece.text, piece.look) for piece in pieces] == [(words, look)]


def test_only_the_last_lines_of_a_long_output_are_shown() -> None:
    """With a word about the others."""
    output = "".join(f"{number}\n" for number in range(30))

    out, _ = told(command_begin("seq", "30"), command_end("seq", "30", output=output))

    shown = "".join(f"  {number}\n" for number in range(20, 30))
    assert out == f"$ seq 30\n  ... 20 lines before\n{shown}  exit 0, 0.2 s\n"


def test_commands_at_once_say_whose_end_it_is() -> None:
    """The heading is repeated when another command stands between."""
    out, _ = told(
        command_begin("a", call_id="1"),
        command_begin("b", call_id="2"),
        command_end("b", call_id="2"),
        command_end("a", call_id="1"),
    )

    assert out == "$ a\n\n$ b\n  exit 0, 0.2 s\n\n$ a\n  exit 0, 0.2 s\n"


def test_notes_go_to_standard_error_as_whole_lines() -> None:
    """They never break a line of text."""
    begin, delta, *_ = message("Hi", "Hi")

    out, err = told(
        begin,
        delta,
        WarningEvent(message="careful"),
        ErrorEvent(message="broken"),
        DeprecationNotice(summary="old"),
        DeprecationNotice(summary="old", details="use new"),
        ModelReroute(from_model="a", to_model="b", reason="full"),
        BackgroundEvent(message="busy"),
        ContextCompacted(),
        TurnAborted(reason=TurnAbortReason.INTERRUPTED),
    )

    assert out == "Hi\n"
    assert err == (
        "warning: careful\n"
        "error: broken\n"
        "warning: old\n"
        "warning: old: use new\n"
        "warning: b answers instead of a: full\n"
        "busy\n"
        "the history was compacted\n"
        "interrupted\n"
    )


def test_what_is_of_no_interest_is_not_told() -> None:
    """Such as diffs and counts."""
    assert told(TurnDiff(unified_diff="x"), tokens(1, 2)) == ("", "")


def test_lost_events_are_told() -> None:
    """A terminal that was stopped for long misses some."""
    (piece,) = Narrator().take(Lagged(missed=12))

    assert piece.stream is Stream.ERR
    assert "12 events" in piece.text


def test_nothing_that_acts_on_a_terminal_gets_through() -> None:
    """Neither from the model nor from a command."""
    evil = "\x1b]0;title\x07\x1b[2Jshown\r\x1b[31m\x9b1m\u202e"

    out, _ = told(
        *message(evil, evil), command_begin("echo", evil), command_end("echo", evil, output=evil)
    )

    assert out == "shown\n\n$ echo shown\n  shown\n  exit 0, 0.2 s\n".replace(
        "echo shown", "echo 'shown'"
    )


def test_the_narrator_says_what_is_being_waited_for() -> None:
    """The model, then the oldest of the commands that run, then the model again."""
    narrator = Narrator()
    waits = []
    for msg in (
        started(),
        command_begin("sleep", "9", call_id="1"),
        command_begin("b", call_id="2"),
        command_end("sleep", "9", call_id="1"),
        command_end("b", call_id="2"),
        completed(),
    ):
        narrator.take(event(msg))
        waits.append(narrator.waiting_for)

    assert waits == ["thinking", "$ sleep 9", "$ sleep 9", "$ b", "thinking", None]


def test_usage_is_that_of_the_turn() -> None:
    """And of the whole thread, when it is not the first turn."""
    first = Narrator()
    later = Narrator(before=TokenUsage(input_tokens=1000, output_tokens=10, total_tokens=1010))

    assert first.usage_line() is None
    first.take(event(tokens(1200, 30, cached=100)))
    later.take(event(tokens(1200, 30)))

    assert first.usage_line() == "tokens: 1,200 in (100 cached), 30 out"
    assert later.usage_line() == "tokens: 200 in, 20 out; whole thread 1,230"
