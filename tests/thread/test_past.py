"""A thread's past, which nobody reads before the model is asked."""

import threading
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import load_rollout, reconstruct
from actors.thread.history import History
from messages.codec import decode_recorded, encode_line
from messages.content import InputText, OutputText
from messages.events import TurnAborted, TurnComplete, TurnStarted, UncommittedChangesTarget
from messages.ids import TurnId
from messages.items import FunctionCallOutput, Message, ResponseItem
from messages.ops import (
    Compact,
    Interrupt,
    Op,
    Review,
    ReviewRequest,
    RunUserShellCommand,
    Shutdown,
    ThreadRollback,
)
from messages.rollout import RolloutItem
from messages.settings import TruncationMode, TruncationPolicy

from ..waiting import until
from .stage import CONFIG, Stage, open_stage, request_lines

STAMP = "2026-02-13T16:26:40.000Z"
LONG = 200
"""Turns; they come to more records than are gone through at once."""


def turn(number: int) -> list[RolloutItem]:
    turn_id = TurnId(f"turn-{number}")
    return [
        TurnStarted(turn_id=turn_id),
        Message(role="user", content=(InputText(text=f"ask {number}"),)),
        Message(role="assistant", content=(OutputText(text=f"say {number}"),)),
        TurnComplete(turn_id=turn_id),
    ]


async def long_past(stage: Stage) -> Path:
    """End the stage's thread, and let it have had a long life."""
    await stage.run_turn("one", "1")
    path = stage.thread.rollout_path
    assert path is not None
    await stage.supervisor.remove_thread(stage.thread.thread_id)
    lengthen(Path(path))
    return Path(path)


def lengthen(path: Path) -> None:
    seq = len(load_rollout(path).items)
    items = [item for number in range(LONG) for item in turn(number)]
    with path.open("ab") as file:
        file.writelines(
            encode_line(item, timestamp=STAMP, seq=seq + n) for n, item in enumerate(items)
        )


PAST = [
    "user: one",
    "assistant: 1",
    *(f"{who} {number}" for number in range(LONG) for who in ("user: ask", "assistant: say")),
]


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records were replayed, each time somebody did."""
    seen: list[int] = []

    def watched(items: object, **kwargs: object) -> list[ResponseItem]:
        seen.append(len(items))  # type: ignore[arg-type]
        return reconstruct(items, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("actors.thread.history.reconstruct", watched)
    return seen


@pytest.mark.parametrize("before", [None, LONG // 2])
async def test_fork_of_a_long_past_keeps_nobody_waiting(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch, before: int | None
) -> None:
    """What was said is looked through in an OS thread, and only to find where to cut."""
    ours = threading.get_ident()
    seen: list[bool] = []

    def watched(line: bytes, cls: type[RolloutItem]) -> RolloutItem:
        if cls is Message:
            seen.append(threading.get_ident() == ours)
        return decode_recorded(line, cls)

    async with open_stage() as stage:
        path = await long_past(stage)
        monkeypatch.setattr("actors.rollout.recorded.decode_recorded", watched)
        stage.new = await stage.supervisor.fork_thread(before, CONFIG, path)

        assert True not in seen
        assert bool(seen) == (before is not None)
        kept = LONG if before is None else before - 1  # the first one is none of the long past's
        response = await stage.begin("two")
        assert request_lines(response) == [*PAST[: 2 + 2 * kept], "user: two"]


@pytest.mark.parametrize("fork", [False, True])
async def test_past_is_read_when_the_model_is_asked(
    mock_clock: MockClock, replays: list[int], *, fork: bool
) -> None:
    """Once; who only looks at a thread, or names it, waits for nothing of it."""
    async with open_stage() as stage:
        path = await long_past(stage)
        replays.clear()
        resume = stage.supervisor.resume_thread_from_rollout
        if fork:
            stage.new = await stage.supervisor.fork_thread(None, CONFIG, path)
        else:
            stage.new = await resume(CONFIG, path)
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()
        assert replays == []

        response = await stage.begin("two")
        assert request_lines(response) == [*PAST, "user: two"]
        response.say("2").complete()
        await stage.until(TurnComplete)
        response = await stage.begin("three")

        assert request_lines(response) == [*PAST, "user: two", "assistant: 2", "user: three"]
        [count] = replays
        assert count > LONG


@pytest.mark.parametrize(
    "op",
    [
        Compact(),
        ThreadRollback(num_turns=1),
        RunUserShellCommand(command="true"),
        Review(review_request=ReviewRequest(target=UncommittedChangesTarget())),
    ],
)
async def test_whatever_comes_first_finds_the_past(
    mock_clock: MockClock, replays: list[int], op: Op
) -> None:
    """Not only a turn of the user's."""
    async with open_stage() as stage:
        path = await long_past(stage)
        replays.clear()
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        await stage.do(op)
        await until(lambda: replays)
        await wait_all_tasks_blocked()

        assert len(replays) == 1


async def test_thread_that_nobody_asks_ends_without_its_past(
    mock_clock: MockClock, replays: list[int]
) -> None:
    """It is closed at once, and its rollout is as it was."""
    async with open_stage() as stage:
        path = await long_past(stage)
        before = path.read_bytes()
        replays.clear()
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)

        await stage.do(Shutdown())
        await stage.rest()

        assert replays == []
        assert path.read_bytes() == before


async def test_fork_tells_its_context_with_its_first_turn(mock_clock: MockClock) -> None:
    """With the settings that hold by then, and once."""
    async with open_stage() as stage:
        path = await long_past(stage)
        stage.new = await stage.supervisor.fork_thread(None, CONFIG, path)
        fork = Path(stage.thread.rollout_path or "")
        copied = len(load_rollout(fork).items)
        assert copied == len(load_rollout(path).items)

        await stage.run_turn("two", "2")

        told = load_rollout(fork).items[copied:]
        assert not [item for item in told if isinstance(item, Message) and "<" in str(item)][2:]


# The history by itself ----------------------------------------------------------------

POLICY = TruncationPolicy(mode=TruncationMode.BYTES, limit=10)


def message(text: str) -> Message:
    return Message(role="user", content=(InputText(text=text),))


async def test_what_is_recorded_meanwhile_comes_after_the_past() -> None:
    """And a past is recalled once."""
    history = History(policy=POLICY)
    history.begin_with([message("a"), TurnAborted(reason="interrupted"), message("b")])  # type: ignore[arg-type]
    history.record([message("c")])

    await history.recall(())
    await history.recall(())

    assert history.items == [message("a"), message("b"), message("c")]


async def test_past_is_cut_as_what_follows_it() -> None:
    """Long outputs, by the policy in force."""
    output = FunctionCallOutput(call_id="c", output="x" * 100)  # type: ignore[arg-type]
    history, live = History(policy=POLICY), History(policy=POLICY)
    history.begin_with([output])
    await history.recall(())
    live.record([output])

    assert history.items == live.items != [output]


async def test_past_that_was_not_recalled_is_still_there() -> None:
    """Whoever is cancelled meanwhile leaves it to the next one."""
    history = History(policy=POLICY)
    history.begin_with([message("a")])
    with trio.CancelScope() as scope:
        scope.cancel()
        await history.recall(())
    assert scope.cancelled_caught

    await history.recall(())

    assert history.items == [message("a")]
