"""What happens where the system cannot watch."""

import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.watcher import FileSource, Notify, WatchMode
from actors.watcher.tree import Limits
from tests.watcher.stage import listening, save_skill


class FakeNotify:
    """Never tells anything."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = folders
        self.closed = False

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: threading.Event
    ) -> set[tuple[int, str]] | str:
        return "stop" if stop_event.wait(timeout_ms / 1000) else "timeout"

    def close(self) -> None:
        self.closed = True


class Opener:
    """Fails as often as it is told, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.opened: list[FakeNotify] = []

    def __call__(self, folders: Sequence[str]) -> Notify:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.opened.append(FakeNotify(folders))
        return self.opened[-1]


EXHAUSTED = [
    OSError("OS file watch limit reached"),
    OSError(24, "Too many open files"),
    RuntimeError("Error creating recommended watcher: Too many open files (os error 24)"),
    PermissionError(13, "Permission denied"),
]


@pytest.mark.parametrize("error", EXHAUSTED, ids=str)
async def test_changes_are_found_by_looking_when_inotify_is_exhausted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """It says so once, with the way out, and goes on."""
    file = save_skill(tmp_path / "one")
    source = FileSource(open_notify=Opener(error), poll_interval=0.01)
    async with listening(tmp_path, source=source) as listener:
        file.write_text("edited")
        await listener.hears_of(file)
        new = save_skill(tmp_path / "two")
        await listener.hears_of(new)

        assert listener.source.statistics().mode is WatchMode.POLLING
        assert "polling" in repr(listener.watcher)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(error) in record.message
    assert "fs.inotify.max_user_watches" in record.message


async def pass_time(clock: MockClock, source: FileSource, seconds: float) -> None:
    """Let so much time pass, and the source look at the files as often as it wants to."""
    end = trio.current_time() + seconds
    with trio.fail_after(seconds + 1):
        while (left := end - trio.current_time()) > 0:
            version = source._ready.version
            clock.jump(min(left, source.poll_interval))
            await source._ready.wait_changed(version)
            await source.wait_watching()


async def test_system_is_asked_again_after_a_minute(tmp_path: Path, mock_clock: MockClock) -> None:
    """Somebody may have let go of watches; until then it is not bothered."""
    opener = Opener(*EXHAUSTED[:2])
    async with listening(tmp_path, source=FileSource(open_notify=opener)) as listener:
        await pass_time(mock_clock, listener.source, 58)
        assert opener.calls == 1
        await pass_time(mock_clock, listener.source, 60)
        assert opener.calls == 2
        assert listener.source.statistics().mode is WatchMode.POLLING
        await pass_time(mock_clock, listener.source, 2)

        assert opener.calls == 3
        assert list(opener.opened[0].folders) == [str(tmp_path)]
        assert listener.source.statistics().mode is WatchMode.NOTIFIED
    assert opener.opened[0].closed


async def test_missing_watchfiles_is_said_once_and_never_looked_for_again(
    tmp_path: Path,
    mock_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is optional: without it files are looked at every two seconds."""
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, "watchfiles._rust_notify", None)
    file = save_skill(tmp_path)
    async with listening(tmp_path) as listener:
        await pass_time(mock_clock, listener.source, 130)
        file.write_text("edited")
        await pass_time(mock_clock, listener.source, 2)
        await listener.hears_of(file)

        assert trio.current_time() == 132
        assert listener.source.statistics().mode is WatchMode.POLLING
    told = [record.message for record in caplog.records if record.name == "actors"]
    assert told == [
        "watchfiles is not installed, so files are looked at every 2.0 s; "
        "install `treadle[watch]` to be told of changes at once"
    ]


async def test_polling_can_be_chosen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For file systems that tell nothing; late roots and removed ones are found, too."""
    root = tmp_path / "later/skills"
    source = FileSource(open_notify=None, poll_interval=0.01)
    async with listening(root, source=source) as listener:
        file = save_skill(root / "skill")
        await listener.hears_of(root, file)
        (tmp_path / "later").rename(tmp_path / "away")
        await listener.hears_of(root, file)

    assert caplog.records == []


async def test_folder_that_goes_away_before_it_is_watched_is_no_exhaustion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is looked at again, and then the system watches what there is."""
    opener = Opener(FileNotFoundError(2, "No such file or directory"))
    async with listening(tmp_path, source=FileSource(open_notify=opener)) as listener:
        assert listener.source.statistics().mode is WatchMode.NOTIFIED

    assert opener.calls == 2
    assert caplog.records == []


async def test_root_with_more_than_is_looked_at_is_told_of_in_the_log_and_as_a_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, not at every look."""
    source = FileSource(
        open_notify=None, poll_interval=0.01, limits=Limits(depth=7, folders=3, entries=100)
    )
    files = [save_skill(tmp_path / str(number)) for number in range(4)]
    async with listening(tmp_path, source=source) as listener:
        for number in range(3):
            files[0].write_text(f"edited {number}")
            await listener.hears_of(files[0])

    [record] = caplog.records
    assert "more than 3 folders or 100 files" in record.message


LIMITED = """
import sys, trio
from pathlib import Path
from actors.watcher import FileSource, open_watcher

Path("/proc/sys/user/max_inotify_watches").write_text("5")

async def main():
    root, seen = Path(sys.argv[1]), trio.Event()
    source = FileSource(poll_interval=0.02)
    async with open_watcher(on_change=lambda paths: seen.set(), source=source) as watcher:
        with watcher.watch([str(root)]), trio.fail_after(20):
            await source.wait_watching()
            (root / "9/SKILL.md").write_text("edited")
            await seen.wait()
            print(source.statistics().mode.value)

trio.run(main)
"""


@pytest.mark.slow
def test_real_lack_of_watches_is_noticed(tmp_path: Path) -> None:
    """In a user namespace with a limit of its own: five watches for eleven folders."""
    pytest.importorskip("watchfiles")
    for number in range(10):
        save_skill(tmp_path / str(number))
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    root = Path(__file__).parent.parent.parent
    unshare = ["unshare", "--user", "--map-root-user"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no user namespaces here")

    run = subprocess.run(
        [*unshare, sys.executable, str(script), str(tmp_path)],
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.stdout, run.returncode) == ("polling\n", 0), run.stderr
