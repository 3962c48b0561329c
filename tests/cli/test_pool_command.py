"""The command that serves clients from several processes: what it is told."""

import signal

import attrs
import pytest

from actors.cli import pool_command
from actors.cli.app import read_command_line
from actors.cli.errors import UsageError
from actors.cli.output import Output
from actors.cli.pool_command import _Keeper, _Teller
from actors.cli.pool_options import PoolOptions, PoolRequest, PsRequest
from actors.workers import Notifier

from .running import Bench


def test_a_pool_has_two_workers_and_half_a_minute_when_nobody_says_otherwise() -> None:
    """And listens in the home."""
    request = read_command_line(["pool"])

    assert isinstance(request, PoolRequest)
    assert (request.workers, request.grace, request.options.listen) == (2, 30.0, "")


def test_a_pool_takes_the_settings_of_a_server() -> None:
    """The same options mean the same."""
    request = read_command_line(
        ["--workers", "64", "pool", "--grace", "0.5", "-c", "model=x", "--durability", "fsync"]
    )

    assert isinstance(request, PoolRequest)
    assert (request.workers, request.grace) == (64, 0.5)
    assert request.options.config == ("model=x",)
    assert request.options.durability == "fsync"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--workers", "0"), "--workers takes a whole number from 1 to 64, got '0'"),
        (("--workers", "65"), "--workers takes a whole number from 1 to 64, got '65'"),
        (("--workers", "-1"), "--workers takes a whole number from 1 to 64, got '-1'"),
        (("--workers", "two"), "--workers takes a whole number from 1 to 64, got 'two'"),
        (("--workers", "9" * 5000), "--workers takes a whole number from 1 to 64"),
        (("--grace", "-1"), "--grace takes seconds from 0 to 86400, got '-1'"),
        (("--grace", "long"), "--grace takes seconds from 0 to 86400, got 'long'"),
        (("--grace", "1.2.3"), "--grace takes seconds from 0 to 86400, got '1.2.3'"),
        (("--grace", "."), "--grace takes seconds from 0 to 86400, got '.'"),
        (("--grace", "inf"), "--grace takes seconds from 0 to 86400, got 'inf'"),
        (("--grace", "9" * 5000), "--grace takes seconds from 0 to 86400"),
        (("--listen", "stdio://"), "a pool has no client at standard input"),
        (("--listen",), "--listen"),
        (("now",), "too many arguments: now"),
    ],
)
def test_what_a_pool_cannot_be_told_is_said(words: tuple[str, ...], problem: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError) as caught:
        read_command_line(["pool", *words])

    assert problem in str(caught.value)


def test_looking_at_a_pool_is_said_in_a_word() -> None:
    """Options may stand before it."""
    request = read_command_line(["--watch", "--json", "ps", "--connect", "unix:///s"])

    assert isinstance(request, PsRequest)
    options = request.options
    assert (options.watch, options.json, options.connect) == (True, True, "unix:///s")


@pytest.mark.parametrize("name", ["pool", "ps"])
def test_help_says_what_there_is_to_say(bench: Bench, name: str) -> None:
    """Also in the list of all commands."""
    own, all_of_them = bench.run(name, "--help"), bench.run("--help")

    assert (own.code, own.err) == (0, "")
    assert "--token-file" in own.out
    assert f"\n  {name} " in all_of_them.out.replace("│", " ")


@attrs.define
class Terminal:
    """Whether standard error is one."""

    there: bool = True

    def isatty(self, _fd: int) -> bool:
        return self.there


def make_keeper(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> _Keeper:
    monkeypatch.setattr(pool_command.os, "isatty", terminal.isatty)
    request = PoolRequest(options=PoolOptions(), workers=2, grace=1.0)
    return _Keeper(request, Notifier(), _Teller(Output()))


@pytest.mark.parametrize(("stays", "ends"), [(True, False), (False, True)])
async def test_a_hangup_of_the_terminal_ends_the_pool_and_any_other_restarts_it(
    monkeypatch: pytest.MonkeyPatch, stays: bool, ends: bool
) -> None:
    """A pool whose terminal is gone has nobody left who could end it."""
    terminal = Terminal()
    keeper = make_keeper(monkeypatch, terminal)
    terminal.there = stays

    keeper.on_signal(signal.SIGHUP)

    assert keeper.is_ending is ends
    assert keeper.exit_code == (129 if ends else 0)


async def test_a_pool_that_never_had_a_terminal_is_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is how service managers do it."""
    keeper = make_keeper(monkeypatch, Terminal(there=False))

    for _ in range(3):
        keeper.on_signal(signal.SIGHUP)

    assert not keeper.is_ending


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (signal.SIGTERM, signal.SIGINT, 0),
        (signal.SIGINT, signal.SIGTERM, 130),
        (signal.SIGINT, signal.SIGINT, 130),
    ],
)
async def test_a_signal_before_the_pool_is_there_ends_at_once_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, first: int, second: int, code: int
) -> None:
    """The code is that of the first one."""
    keeper = make_keeper(monkeypatch, Terminal())

    keeper.on_signal(first)
    cancelled = keeper.scope.cancel_called
    keeper.on_signal(second)

    assert cancelled
    assert keeper.exit_code == code
