"""The command that serves clients from several processes: ``treadle pool``."""

import logging
import os
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.server.rpc_errors import BadListenAddress, BadToken, ListenError
from actors.server.serving import ServeRecipe
from actors.server.transports.addresses import parse_listen
from actors.server.transports.bearer import Token, token_from_file
from actors.workers import (
    Notifier,
    Pool,
    PoolDraining,
    PoolError,
    PoolFailed,
    PoolStatistics,
    forget_manager,
    open_pool,
)

from .app_server_command import make_recipe
from .app_server_limits import raise_descriptor_limit
from .errors import PoolUnusable, UsageError
from .output import STDERR, Output
from .pieces import shortened
from .pool_options import PoolRequest
from .ps_command import default_url
from .screen import encoded

__all__ = ["run_pool"]

_BASE: Final = 128
"""Exit code of what a signal ended, without the signal's own number; the shells' rule."""

_CLOSING: Final = 10.0
"""Seconds beyond its grace that a pool may take to end, as a service manager is told."""

_LONGEST: Final = 1000
"""Characters of one line that is told."""


async def run_pool(request: PoolRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Serve clients until a signal says no more.

    Returns:
        The exit code: 0 after SIGTERM, 128 and its number for another signal.

    Raises:
        ConfigError, ScenarioError: The configuration is not as it should be.
        UsageError: It cannot be listened there.
        PoolUnusable: Workers do not come up, or died too often.
    """
    notifier = Notifier.from_environment(environ)
    environ = dict(environ)
    # What a model runs must not speak to the service manager in our name.
    forget_manager(environ)
    forget_manager(os.environ)
    token = await _token(request)
    recipe = await trio.to_thread.run_sync(partial(make_recipe, request.options, environ))
    keeper = _Keeper(request, notifier, _Teller(output))
    with _log_lines(keeper.teller):
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.listen)
            with keeper.scope:
                await _keep(keeper, recipe, environ, token)
            nursery.cancel_scope.cancel()
    return keeper.exit_code


async def _token(request: PoolRequest) -> Token | None:
    path = request.options.token_file
    if path is None:
        return None
    if not request.options.listen.startswith("ws://"):
        raise UsageError(
            "--token-file is for ws:// addresses; at a Unix socket the system says who connects"
        )
    try:
        return await token_from_file(Path(path))
    except BadToken as exc:
        raise UsageError(f"--token-file {exc}") from exc


async def _keep(
    keeper: "_Keeper", recipe: ServeRecipe, environ: Mapping[str, str], token: Token | None
) -> None:
    listen = keeper.request.options.listen or await _make_home(Path(recipe.home))
    raise_descriptor_limit()
    try:
        async with open_pool(
            workers=keeper.request.workers,
            listen=listen,
            token=token,
            recipe=recipe,
            environ=environ,
        ) as pool:
            await keeper.keep(pool)
    except ListenError as exc:
        raise UsageError(str(exc)) from exc
    except PoolError as exc:
        raise PoolUnusable(str(exc)) from exc


async def _make_home(home: Path) -> str:
    """
    Make the home, where the socket is to be; return its address.

    Raises:
        UsageError: There can be no socket.
    """
    url = default_url(home)
    try:
        parse_listen(url)  # first, so that nothing is made for nothing
        await trio.Path(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    except BadListenAddress as exc:
        raise UsageError(f"{exc}; choose a shorter one with --listen unix://PATH") from exc
    except OSError as exc:
        problem = f"cannot be made: {exc.strerror or exc}"
        raise UsageError(f"the home {home} {problem}; choose another one with --home") from exc
    return url


@attrs.frozen(eq=False)
class _Teller:
    """Tells people in lines on standard error."""

    _output: Output

    def tell(self, line: str) -> None:
        """Tell one line."""
        self._output.put(STDERR, encoded(f"treadle: {shortened(line, _LONGEST)}\n", STDERR))

    def tell_banner(self, pool: Pool, workers: int) -> None:
        """Tell that the pool is there."""
        banner = f"treadle pool\n  listening on: {pool.url}\n  workers: {workers}\n"
        self._output.put(STDERR, encoded(banner, STDERR))


@attrs.define(eq=False)
class _Keeper:
    """
    Keeps a pool, and does with it what signals say.

    The first SIGTERM or SIGINT lets turns come to their end, the second ends everything at
    once; so does the first while there is no pool yet.  SIGHUP replaces the workers, but
    for one that tells that our terminal is gone, which is as SIGTERM.

    Attributes:
        request: What was asked for.
        teller: Tells people what happens.
        scope: The pool is inside of it.
        exit_code: With which code it ends.
    """

    request: PoolRequest
    _notifier: Notifier
    teller: _Teller
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    exit_code: int = attrs.field(default=0, init=False)
    _pool: Pool | None = attrs.field(default=None, init=False)
    _failure: PoolFailed | None = attrs.field(default=None, init=False)
    _ending: trio.Event = attrs.field(factory=trio.Event, init=False)
    # Restarts that were asked for: one at most waits while another one goes on.
    _restarts: trio.MemorySendChannel[None] = attrs.field(init=False)
    _asked_restarts: trio.MemoryReceiveChannel[None] = attrs.field(init=False)
    _had_terminal: bool = attrs.field(factory=lambda: os.isatty(STDERR), init=False)

    def __attrs_post_init__(self) -> None:
        self._restarts, self._asked_restarts = trio.open_memory_channel[None](1)

    async def listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Act on signals until cancelled."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # What our starter wants us to ignore, as nohup does with SIGHUP, we ignore.
        heard = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heard) as received:
            task_status.started()
            async for number in received:
                self.on_signal(number)

    @property
    def is_ending(self) -> bool:
        """Whether a signal said that it is to end."""
        return self._ending.is_set()

    def on_signal(self, number: int) -> None:
        """Act on one signal."""
        gone = self._had_terminal and not os.isatty(STDERR)
        if number == signal.SIGHUP and not gone:
            self._on_hangup()
            return
        first = not self._ending.is_set()
        if first:
            # A server that is told to end has done what it should.
            self.exit_code = 0 if number == signal.SIGTERM else _BASE + number
        self._ending.set()
        if self._pool is None or not first:
            self.scope.cancel()

    def _on_hangup(self) -> None:
        with suppress(trio.WouldBlock):  # one waits already, and will do
            self._restarts.send_nowait(None)

    async def keep(self, pool: Pool) -> None:
        """
        Keep a pool until it is told to end, and has.

        Raises:
            PoolFailed: It has.
        """
        self._pool = pool
        self.teller.tell_banner(pool, self.request.workers)
        self._notifier.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._notify, pool)
            nursery.start_soon(self._watch_for_failure, pool)
            nursery.start_soon(self._restart_when_told, pool)
            await self._ending.wait()
            await self._drain(pool)
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _notify(self, pool: Pool) -> None:
        await self._notifier.watch(
            lambda: _in_words(pool.statistics()), lambda: pool.statistics().up > 0
        )

    async def _watch_for_failure(self, pool: Pool) -> None:
        self._failure = await pool.wait_failed()
        self._ending.set()

    async def _restart_when_told(self, pool: Pool) -> None:
        async for _ in self._asked_restarts:
            self._notifier.reloading()
            self.teller.tell("replacing the workers, one after another")
            try:
                await pool.restart(grace=self.request.grace)
            except PoolDraining:
                return
            except PoolError as exc:
                self.teller.tell(f"the workers were not all replaced: {exc}")
            else:
                self.teller.tell("all workers are new")
            self._notifier.ready()

    async def _drain(self, pool: Pool) -> None:
        grace = self.request.grace
        self._notifier.stopping(within=grace + _CLOSING)
        turns = pool.statistics().turns
        if turns:
            words = "1 turn runs and gets" if turns == 1 else f"{turns} turns run and get"
            self.teller.tell(f"{words} {grace:g} s to end; the next signal ends it at once")
        await pool.drain(grace=grace)


def _in_words(now: PoolStatistics) -> str:
    parts = [
        f"{now.up} of {len({slot.slot for slot in now.slots})} workers up",
        f"{now.clients} clients",
        f"{now.threads} threads",
        f"{now.turns} turns",
    ]
    if now.restarting:
        parts.append("replacing workers")
    if now.draining:
        parts.append("shutting down")
    return ", ".join(parts)


class _LineHandler(logging.Handler):
    """Tells people what is logged as a warning or worse, without tracebacks."""

    def __init__(self, teller: _Teller) -> None:
        super().__init__(logging.WARNING)
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it in a line."""
        error = record.exc_info[1] if record.exc_info else None
        self._teller.tell(record.getMessage() + ("" if error is None else f": {error}"))


@contextmanager
def _log_lines(teller: _Teller) -> Generator[None]:
    logger, handler = logging.getLogger("actors"), _LineHandler(teller)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
