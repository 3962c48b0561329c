"""Waiting for the ends of processes, and for what nobody tells."""

import subprocess
import threading
from itertools import count
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests import waiting
from tests.waiting import answer_until, look_until, until, wait_ended


async def test_waiting_ends_when_something_holds(autojump_clock: MockClock) -> None:
    """What an OS thread does counts; a clock that jumps does not, until it is over."""
    happened = threading.Event()
    timer = threading.Timer(0.01, happened.set)
    timer.start()

    with trio.move_on_after(1) as scope:
        await until(happened.is_set)
        assert trio.current_time() == 0
        await trio.sleep(2)

    timer.join()
    assert scope.cancelled_caught


async def test_what_holds_already_is_not_waited_for(mock_clock: MockClock) -> None:
    """Not even a step, so that nothing is missed."""
    await until(lambda: True)


async def test_asking_ends_with_the_answer_that_is_wanted() -> None:
    """The others are forgotten."""
    numbers = count()

    async def ask() -> int:
        return next(numbers)

    assert await answer_until(ask, lambda number: number == 3) == 3
    assert look_until(lambda: next(numbers), lambda number: number > 5) == 6


@pytest.mark.parametrize("way", ["until", "look_until", "answer_until"])
async def test_what_never_comes_about_is_told(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """After a while, instead of never."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.005)

    async def ask() -> Any:
        return None

    with pytest.raises(AssertionError, match=r"did not come about within 0\.005 s"):
        match way:
            case "until":
                await until(lambda: False)
            case "look_until":
                look_until(lambda: None, bool)
            case _:
                await answer_until(ask, bool)


def test_ends_of_processes_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that run, one after another; who is gone has ended."""
    with subprocess.Popen(["sleep", "100"]) as lasting, subprocess.Popen(["true"]) as short:
        short.wait()
        wait_ended(short.pid)
        monkeypatch.setattr(waiting, "PATIENCE", 0.005)
        with pytest.raises(AssertionError, match=f"process {lasting.pid} did not end within"):
            wait_ended(lasting.pid)
        monkeypatch.undo()

        lasting.kill()
        wait_ended(short.pid, lasting.pid)

        assert lasting.wait() == -9
