"""What a service manager is told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.workers.notify import VARIABLES, Notifier, forget_manager


@attrs.define
class Manager:
    """A service manager: hears what it is told."""

    address: str
    socket: socket.socket

    def heard(self) -> list[str]:
        told: list[str] = []
        while True:
            try:
                told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return told

    def notifier(self, **environ: str) -> Notifier:
        environ = {"NOTIFY_SOCKET": self.address, **environ}
        return Notifier.from_environment(environ, pid=7, monotonic_ns=lambda: 5_000_999)


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = f"@treadle-{os.getpid()}-{id(request)}"
    if request.param == "file":
        address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listening:
        listening.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        yield Manager(address, listening)


def test_the_manager_hears_each_state_in_the_order_in_which_it_is_told(manager: Manager) -> None:
    """In files and in the abstract; a reload says when it began, as the manager's clock has it."""
    notifier = manager.notifier()

    notifier.ready()
    notifier.reloading()
    notifier.ready()
    notifier.stopping(within=40.5)

    assert manager.heard() == [
        "READY=1",
        "RELOADING=1\nMONOTONIC_USEC=5000",
        "READY=1",
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=40500000",
    ]


def test_a_status_is_one_line_and_is_told_when_it_changes(manager: Manager) -> None:
    """And no more of it than a line has room for."""
    notifier = manager.notifier()

    for text in ("2 workers", "2 workers", "2\nworkers\t", "1 worker", "ä" * 1000):
        notifier.status(text)

    assert manager.heard() == ["STATUS=2 workers", "STATUS=1 worker", f"STATUS={'ä' * 512}"]


def test_without_a_manager_nothing_happens() -> None:
    """It is the same program."""
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"})

    notifier.ready()
    notifier.status("fine")
    notifier.alive()

    assert not notifier.is_heard
    assert notifier.period is None


@pytest.mark.parametrize("address", ["vsock:2:1234", "relative/path", "/no/such/socket", "/\0"])
def test_a_manager_that_cannot_be_reached_fails_nothing(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log says so, and not one for each try."""
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})

    for _ in range(3):
        notifier.ready()

    assert len(caplog.records) == 1


def test_a_state_waits_for_a_manager_that_takes_nothing_and_a_sign_of_life_does_not(
    manager: Manager,
) -> None:
    """Telling never waits, and nothing overtakes what the manager counts on."""
    notifier = manager.notifier()
    full = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as flood:
        flood.connect(manager.socket.getsockname())
        while True:
            try:
                flood.send(b"x")
                full += 1
            except BlockingIOError:
                break

    notifier.reloading()
    notifier.status("busy")
    notifier.alive()
    notifier.ready()
    before = manager.heard()
    notifier.status("busy")
    after = manager.heard()

    assert before == ["x"] * full
    assert after == ["RELOADING=1\nMONOTONIC_USEC=5000", "READY=1", "STATUS=busy"]


@pytest.mark.parametrize(
    ("environ", "period"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_who_the_environment_says(
    environ: dict[str, str], period: float | None
) -> None:
    """Half of what the manager wants; only when this process is meant."""
    assert Notifier.from_environment({"NOTIFY_SOCKET": "@x", **environ}, pid=7).period == period


async def test_a_sign_of_life_comes_at_half_of_the_time_and_only_while_all_is_well(
    manager: Manager, mock_clock: MockClock
) -> None:
    """As soon as all is well again, at once."""
    notifier = manager.notifier(WATCHDOG_USEC="6000000")
    healthy = True

    async def passed(seconds: float) -> int:
        for _ in range(round(seconds * 10)):
            mock_clock.jump(0.1)
            await wait_all_tasks_blocked()
        return manager.heard().count("WATCHDOG=1")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.watch, lambda: "fine", lambda: healthy)
        await wait_all_tasks_blocked()
        assert manager.heard() == ["STATUS=fine", "WATCHDOG=1"]
        assert await passed(2.9) == 0
        assert await passed(6.5) == 3
        healthy = False
        assert await passed(6) == 0
        healthy = True
        assert await passed(0.1) == 1
        nursery.cancel_scope.cancel()


async def test_without_a_manager_watching_waits_to_be_cancelled(autojump_clock: MockClock) -> None:
    """It asks for nothing."""
    with trio.move_on_after(5):
        await Notifier().watch(lambda: pytest.fail("asked"), lambda: pytest.fail("asked"))


def test_what_is_meant_for_this_process_is_taken_out_of_the_environment() -> None:
    """A child that found it would speak for us."""
    environ = {"PATH": "/bin", **dict.fromkeys(VARIABLES, "1")}

    forget_manager(environ)

    assert environ == {"PATH": "/bin"}
