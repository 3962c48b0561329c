"""The disk fails at any operation of a recorded run: nothing hangs, nothing told is lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import orjson
import pytest
import trio
import trio.testing

from actors import CloseReport, Durability, Lagged, ThreadConfig, load_rollout
from actors.rollout import Recorder
from actors.runtime import ChannelClosed
from actors.testing import open_test_supervisor
from messages.content import TextInput
from messages.events import (
    ErrorEvent,
    Event,
    EventMsg,
    RawResponseItem,
    ShutdownComplete,
    TurnAborted,
    TurnComplete,
    TurnStarted,
    WarningEvent,
)
from messages.items import Message
from messages.ops import UserInput
from messages.rollout import RolloutItem
from messages.settings import AskForApproval, DangerFullAccess

from .faulty_files import Fault, FaultyFiles, Kind
from .ledger import assert_free
from .worker import SCENARIO, NoteTool

T = TypeVar("T")

TEXTS: Final = ("chat one", "note two", "chat three")

LONG: Final = 60.0
"""Virtual seconds for a turn; the longest pause between two tries is two."""


@attrs.define(eq=False)
class Run:
    """
    What came of three turns.

    Attributes:
        events: All that a client saw, the first one left out.
        lines: How many were acknowledged.
        path: The rollout.
        closed: How the thread ended.
        took: Virtual seconds from the wish to end to the end.
    """

    files: FaultyFiles
    events: list[Event] = attrs.field(factory=list[Event])
    lines: int = 0
    path: Path = Path()
    closed: CloseReport | None = None
    took: float = 0.0

    def of(self, kind: type[T]) -> list[T]:
        """Return what clients were told of one class, in order."""
        return [event.msg for event in self.events if isinstance(event.msg, kind)]

    async def go(self, home: Path, durability: Durability, *, heal: bool) -> None:
        """Run three turns, heal the disk or not, and end the thread."""
        async with open_test_supervisor(
            home=home,
            scenario=SCENARIO,
            make_tools=lambda _: (NoteTool(),),
            durability=durability,
            files=self.files,
        ) as supervisor:
            new = await supervisor.start_thread(
                ThreadConfig(
                    cwd="/",
                    approval_policy=AskForApproval.NEVER,
                    sandbox_policy=DangerFullAccess(),
                )
            )
            self.path = Path(new.thread.rollout_path or "")
            for text in TEXTS:
                await new.thread.submit(UserInput(items=(TextInput(text=text),)))
                with trio.fail_after(LONG):
                    await self._read(new.thread.next_event, (TurnComplete, TurnAborted))
            if heal:
                self.files.heal()
                await trio.sleep(5)  # longer than the longest pause between two tries
            start = trio.current_time()
            self.closed = await supervisor.close_all_threads(grace=20)
            self.took = trio.current_time() - start
            await self._read(new.thread.next_event, ())

    async def _read(self, read: Callable[[], Any], last: tuple[type[EventMsg], ...]) -> None:
        while True:
            try:
                event: Event | Lagged = await read()
            except ChannelClosed:
                return
            assert isinstance(event, Event)
            self.events.append(event)
            if isinstance(event.msg, last):
                return


@pytest.fixture
def run_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "RunAll":
    """Run with no OS thread: the mock clock would jump while one works."""

    async def run_sync(function: Callable[..., T], *args: Any, **_: object) -> T:
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    return RunAll(monkeypatch, tmp_path)


@attrs.define(eq=False)
class RunAll:
    """Makes the same run again and again, with the fault one operation later each time."""

    _monkeypatch: pytest.MonkeyPatch
    _folder: Path

    def once(self, durability: Durability, fault: Fault | None, *, heal: bool = True) -> Run:
        """Make one run."""
        run = Run(FaultyFiles(fault))
        home = self._folder / f"{0 if fault is None else fault.at + 1}"
        flush = Recorder.flush

        async def noting(recorder: Recorder) -> None:
            lines = recorder._next_seq  # pyright: ignore[reportPrivateUsage]  # nobody else counts lines
            await flush(recorder)
            if recorder.is_persisted:
                run.lines = max(run.lines, lines)

        with self._monkeypatch.context() as patch:
            patch.setattr(Recorder, "flush", noting)
            clock = trio.testing.MockClock(autojump_threshold=0)

            async def main() -> None:
                await run.go(home, durability, heal=heal)

            trio.run(main, clock=clock)
        return run

    def everywhere(
        self, durability: Durability, kind: Kind, *, lasting: bool, heal: bool = True
    ) -> Iterator[Run]:
        """Make a run for each operation; those that no fault can hit are left out."""
        count = len(self.once(durability, None).files.done)
        for at in range(count):
            run = self.once(durability, Fault(kind, at, lasting), heal=heal)
            if run.files.hits:
                yield run


DURABILITIES = pytest.mark.parametrize("durability", list(Durability), ids=lambda d: d.value)


def kinds(*wanted: Kind) -> pytest.MarkDecorator:
    """Run a test for each of these faults."""
    return pytest.mark.parametrize("kind", wanted, ids=lambda kind: kind.name)


@DURABILITIES
@kinds(Kind.ENOSPC, Kind.EIO, Kind.SHORT)
def test_thread_saves_everything_when_one_operation_fails(
    run_all: RunAll, durability: Durability, kind: Kind
) -> None:
    """Turns end, clients are warned of what they would notice, and all of it is written."""
    runs = 0
    for run in run_all.everywhere(durability, kind, lasting=False):
        runs += 1

        assert_turns_ended_once(run)
        assert_warned(run, kind)
        assert_all_saved(run)

    assert runs


@DURABILITIES
@kinds(*Kind)
def test_thread_saves_everything_when_the_disk_fails_for_a_while(
    run_all: RunAll, durability: Durability, kind: Kind
) -> None:
    """Nothing waits for the disk to heal but the records themselves (P2)."""
    runs = 0
    for run in run_all.everywhere(durability, kind, lasting=True):
        runs += 1

        assert_turns_ended_once(run)
        assert_warned(run, kind)
        assert_all_saved(run)

    assert runs


@DURABILITIES
@kinds(Kind.ENOSPC, Kind.EIO, Kind.FULL)
def test_thread_ends_and_says_what_is_lost_when_the_disk_never_heals(
    run_all: RunAll, durability: Durability, kind: Kind
) -> None:
    """What was acknowledged is there; what was not is reported, and nobody waits for long."""
    runs = 0
    for run in run_all.everywhere(durability, kind, lasting=True, heal=False):
        runs += 1

        assert_turns_ended_once(run)
        assert run.took <= 10
        assert isinstance(run.events[-1].msg, ShutdownComplete), run.files.done
        assert_acknowledged_are_there(run)
        missing = len(recorded(run)) - len(saved(run))
        assert missing >= 0
        if missing:
            lost = [error.message for error in run.of(ErrorEvent) if "not saved" in error.message]
            assert len(lost) == 1, (run.files.done, run.events)

    assert runs


def assert_turns_ended_once(run: Run) -> None:
    """Each turn that began has its one end, in order, and nobody waited long."""
    began = [started.turn_id for started in run.of(TurnStarted)]
    ends = [complete.turn_id for complete in run.of(TurnComplete)]
    assert len(began) == len(TEXTS), run.events
    assert ends == began
    assert run.closed is not None
    assert len(run.closed.completed) == 1, run.closed


def assert_warned(run: Run, kind: Kind) -> None:
    """Whoever reads events knows of the trouble, and that it is over; half a write is none."""
    warnings = [warning.message for warning in run.of(WarningEvent)]
    if kind is not Kind.SHORT:
        assert any("cannot be written" in text or "not saved yet" in text for text in warnings), (
            run.files.done,
            warnings,
        )


def assert_all_saved(run: Run) -> None:
    """The file holds what clients saw, whole and in order."""
    assert_acknowledged_are_there(run)
    assert saved(run) == recorded(run), run.files.done
    texts = [item.content[0] for item in saved(run) if isinstance(item, Message)]
    for text in TEXTS:
        assert any(getattr(part, "text", None) == text for part in texts)


def assert_acknowledged_are_there(run: Run) -> None:
    """Lines are whole, numbered and not fewer than acknowledged; the lock is free."""
    assert_free(run.path)
    if not run.path.exists():
        assert run.lines == 0
        return
    data = run.path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    assert [orjson.loads(line)["seq"] for line in whole] == list(range(len(whole)))
    assert len(whole) >= run.lines


def recorded(run: Run) -> list[RolloutItem]:
    """Return what clients saw of the records that every rollout keeps."""
    told = [event.msg for event in run.events]
    return [
        msg.item if isinstance(msg, RawResponseItem) else msg
        for msg in told
        if isinstance(msg, RawResponseItem | TurnStarted | TurnComplete | TurnAborted)
    ]


def saved(run: Run) -> list[RolloutItem]:
    """Return the same of the file."""
    if not run.path.exists() or b"\n" not in run.path.read_bytes():
        return []  # not one whole line: nobody was told of any
    loaded = load_rollout(run.path)
    assert loaded.damaged == ()
    kinds = (TurnStarted, TurnComplete, TurnAborted)
    messages = {type(msg.item) for msg in run.of(RawResponseItem)}
    return [item for item in loaded.items if type(item) in {*kinds, *messages}]
