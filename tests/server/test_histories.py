"""Rollouts that clients look at more than once."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import LoadedRollout, RolloutNotFound, load_rollout
from actors.server import histories as module
from actors.server.histories import Histories
from actors.server.history_builder import turns_of
from messages.codec import encode_line
from messages.events import AgentMessage, TurnComplete, TurnStarted
from messages.ids import ThreadId, TurnId
from messages.rollout import RolloutItem, SessionMeta
from messages.settings import SourceKind

STAMP = "2026-02-13T16:26:40.000Z"
META = SessionMeta(
    id=ThreadId("019c5000-0000-7000-8000-000000000001"),
    timestamp=STAMP,
    cwd="/",
    originator="test",
    cli_version="0",
    source=SourceKind.EXEC,
)
LONG = "word " * 20_000
"""Of so many letters three make a rollout that is worth keeping."""


def turn(name: str, text: str = LONG) -> list[RolloutItem]:
    turn_id = TurnId(name)
    return [TurnStarted(turn_id=turn_id), AgentMessage(message=text), TurnComplete(turn_id=turn_id)]


def write(path: Path, *items: RolloutItem) -> Path:
    lines = [encode_line(item, timestamp=STAMP, seq=seq) for seq, item in enumerate(items)]
    path.write_bytes(b"".join(lines))
    return path


def append(path: Path, *items: RolloutItem) -> None:
    with path.open("ab") as file:
        file.writelines(encode_line(item, timestamp=STAMP, seq=0) for item in items)


def long(path: Path) -> Path:
    return write(path, META, *turn("a"), *turn("b"), *turn("c"))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the rollouts that were read as a whole."""
    seen: list[str] = []

    def watched(path: Path) -> LoadedRollout:
        seen.append(path.name)
        return load_rollout(path)

    monkeypatch.setattr(module, "load_rollout", watched)
    return seen


@pytest.fixture
async def histories(nursery: trio.Nursery, mock_clock: MockClock) -> Histories:
    histories = Histories()
    nursery.start_soon(histories.run)
    return histories


async def test_long_rollout_is_read_once_and_then_on(
    tmp_path: Path, whole: list[str], histories: Histories
) -> None:
    """Each time with all that is in it by then."""
    path = long(tmp_path / "one")
    _, first = await histories.read(path)
    _, again = await histories.read(path)
    append(path, *turn("d", "short"))
    rollout, grown = await histories.read(path)

    assert whole == ["one"]
    assert again is first
    assert rollout == load_rollout(path)
    assert grown == turns_of(load_rollout(path).items)
    assert [t.id for t in grown] == ["a", "b", "c", "d"]
    assert [t.id for t in first] == ["a", "b", "c"]


async def test_rollout_that_was_written_anew_is_read_anew(
    tmp_path: Path, whole: list[str], histories: Histories
) -> None:
    """Nothing of the old one is told."""
    path = long(tmp_path / "one")
    await histories.read(path)
    write(path, META, *turn("x"), *turn("y"))

    _, turns = await histories.read(path)

    assert [t.id for t in turns] == ["x", "y"]
    assert whole == ["one", "one"]


async def test_nothing_is_kept_for_long(
    tmp_path: Path, whole: list[str], histories: Histories, mock_clock: MockClock
) -> None:
    """Twenty seconds after somebody wanted it, each for itself."""
    one, two = long(tmp_path / "one"), long(tmp_path / "two")
    await histories.read(one)
    mock_clock.jump(15)
    await histories.read(two)
    await histories.read(one)
    mock_clock.jump(19)
    await wait_all_tasks_blocked()
    await histories.read(one)
    mock_clock.jump(2)
    await wait_all_tasks_blocked()

    await histories.read(two)
    await histories.read(one)
    assert whole == ["one", "two", "two"]
    mock_clock.jump(20)
    await wait_all_tasks_blocked()
    assert histories.kept_bytes == 0
    await histories.read(one)

    assert whole == ["one", "two", "two", "one"]


async def test_only_so_much_is_kept(
    tmp_path: Path, whole: list[str], histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was wanted longest ago goes first; what alone is too much is not kept at all."""
    paths = [long(tmp_path / name) for name in ("one", "two", "three")]
    size = paths[0].stat().st_size
    monkeypatch.setattr(module, "_KEPT_BYTES", 2 * size)
    for path in (*paths, paths[1], paths[2], paths[0]):
        await histories.read(path)
    assert whole == ["one", "two", "three", "one"]
    assert histories.kept_bytes == 2 * size

    append(paths[0], *(item for n in range(8) for item in turn(str(n))))
    await histories.read(paths[0])

    assert histories.kept_bytes == size


async def test_short_rollout_is_not_kept(
    tmp_path: Path, whole: list[str], histories: Histories
) -> None:
    """It is read again in no time."""
    path = write(tmp_path / "one", META, *turn("a", "short"))
    for _ in range(2):
        await histories.read(path)

    assert whole == ["one", "one"]


async def test_several_who_read_at_once_read_the_same(
    tmp_path: Path, histories: Histories, nursery: trio.Nursery
) -> None:
    """Neither sees what the other one adds twice."""
    path = long(tmp_path / "one")
    await histories.read(path)
    append(path, *turn("d"))
    seen: list[list[str]] = []

    async def look() -> None:
        _, turns = await histories.read(path)
        seen.append([t.id for t in turns])

    async with trio.open_nursery() as lookers:
        for _ in range(4):
            lookers.start_soon(look)

    assert seen == [["a", "b", "c", "d"]] * 4


async def test_rollout_that_went_away_is_not_told(tmp_path: Path, histories: Histories) -> None:
    """However lately it was there."""
    path = long(tmp_path / "one")
    await histories.read(path)
    path.unlink()

    with pytest.raises(RolloutNotFound):
        await histories.read(path)
    assert histories.kept_bytes == 0
