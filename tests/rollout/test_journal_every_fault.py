"""Any call of the file system fails, once or several times: nothing recorded is lost."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.rollout import (
    Durability,
    PersistMode,
    Recorder,
    RolloutNotWritten,
    RolloutUnreadable,
    WriteTrouble,
    load_rollout,
    open_journal,
)
from actors.rollout.journal import Journal
from actors.runtime import World
from messages.items import Message

from .faults import AT_ONCE, FAULTS, Fault, FaultyFiles
from .samples import meta, rollout_path, user

LIMITED = PersistMode.LIMITED


@attrs.define
class Run:
    """
    One thread's life against a failing disk, and what it was promised.

    Attributes:
        recorded: Everything recorded after the meta, in order.
        acknowledged: How much of that a flush acknowledged.
        stop_at: Acts as if the process died when a flush fails.
    """

    journal: Journal
    path: Path
    recorded: list[Message] = attrs.field(factory=list[Message])
    acknowledged: int = 0
    troubles: list[WriteTrouble] = attrs.field(factory=list[WriteTrouble])

    async def live(self) -> None:
        recorder = self.journal.recorder(
            self.path, meta(), LIMITED, on_trouble=self.troubles.append
        )
        self.record(recorder, 2)
        await self.insist(recorder.persist)
        for count in (1, 3):
            self.record(recorder, count)
            await self.insist(recorder.flush)
        self.record(recorder, 1, size=70_000)
        self.record(recorder, 1)
        await self.insist(recorder.flush)
        self.record(recorder, 1)
        await recorder.close()
        self.acknowledged = len(self.recorded)
        await self.resume()

    async def resume(self) -> None:
        with self.path.open("ab") as file:
            file.write(b'{"crc":"torn')
        while True:
            try:
                recorder, _ = await self.journal.resume(
                    self.path, LIMITED, on_trouble=self.troubles.append
                )
            except RolloutUnreadable:
                continue
            break
        self.record(recorder, 2)
        await self.insist(recorder.flush)
        await recorder.close()

    def record(self, recorder: Recorder, count: int, size: int = 10) -> None:
        items = [user(f"{len(self.recorded) + n}".ljust(size)) for n in range(count)]
        recorder.record(items)
        self.recorded.extend(items)

    async def insist(self, put_down: Callable[[], Awaitable[None]]) -> None:
        """Flush until it works; check what a reader finds each time."""
        recorded = len(self.recorded)
        while True:
            try:
                await put_down()
            except RolloutNotWritten as exc:
                assert exc.path == self.path
                assert exc.cause.errno
                self.check()
                await trio.lowlevel.checkpoint()
            else:
                self.acknowledged = recorded
                self.check()
                return

    def check(self) -> None:
        """What was acknowledged is there, once, in order; at most the tail is torn."""
        if not self.path.exists() or not self.path.stat().st_size:
            assert not self.acknowledged
            return
        if not self.acknowledged and b"\n" not in self.path.read_bytes():
            return
        loaded = load_rollout(self.path)
        assert loaded.damaged == ()
        found = loaded.items[1:]
        assert list(found) == self.recorded[: len(found)]
        assert len(found) >= self.acknowledged


async def run_against(files: FaultyFiles, folder: Path, durability: Durability) -> None:
    path = rollout_path(folder)
    world = World.deterministic(seed=1, start=0)
    async with open_journal(
        world=world, files=files, durability=durability, patience=AT_ONCE
    ) as journal:
        run = Run(journal, path)
        await run.live()
        run.check()
        assert journal.statistics().recorders == 0
    lines = path.read_bytes().splitlines()
    assert [orjson.loads(line)["seq"] for line in lines] == list(range(len(lines)))
    assert load_rollout(path).items == (meta(), *run.recorded)
    # Told once when it begins and once when it ends, in turns.
    assert [t.healed for t in run.troubles] == [False, True] * (len(run.troubles) // 2)
    assert all(t.pending_bytes == 0 for t in run.troubles if t.healed)


@pytest.mark.parametrize("durability", Durability, ids=lambda d: d.value)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
async def test_every_single_call_may_fail_once(
    tmp_path: Path, mock_clock: MockClock, fault: Fault, durability: Durability
) -> None:
    """Whichever call fails, everything recorded is in the file afterwards, exactly once."""
    rehearsal = FaultyFiles()
    await run_against(rehearsal, tmp_path / "rehearsal", durability)
    assert {"create", "write", "open", "truncate", "append_aside"} <= set(rehearsal.calls)
    assert ("sync" in rehearsal.calls) is (durability is Durability.FSYNC)

    for position in range(len(rehearsal.calls)):
        folder = tmp_path / str(position)
        await run_against(FaultyFiles({position: fault}), folder, durability)
        shutil.rmtree(folder)


@pytest.mark.parametrize("durability", Durability, ids=lambda d: d.value)
@pytest.mark.parametrize("fault", [Fault.NO_SPACE, Fault.HALF_AND_ERROR], ids=lambda f: f.name)
async def test_calls_may_fail_several_times_in_a_row(
    tmp_path: Path, mock_clock: MockClock, fault: Fault, durability: Durability
) -> None:
    """A repair that fails as well is done later."""
    rehearsal = FaultyFiles()
    await run_against(rehearsal, tmp_path / "rehearsal", durability)

    for position in range(len(rehearsal.calls)):
        for length in (2, 5):
            folder = tmp_path / f"{position}-{length}"
            plan = dict.fromkeys(range(position, position + length), fault)
            await run_against(FaultyFiles(plan), folder, durability)
            shutil.rmtree(folder)
