"""The command that serves clients: ``treadle app-server``."""

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.rollout import Durability
from actors.server.app import AppServer
from actors.server.rpc_errors import BadToken, ListenError
from actors.server.serving import ServeRecipe, open_serving, relieve_collector
from actors.server.transports.addresses import StdioAddress
from actors.server.transports.bearer import Token, token_from_file
from actors.server.transports.listening import open_listener

from .app_server_limits import raise_descriptor_limit
from .app_server_options import AppServerOptions, AppServerRequest
from .codex_options import feature_words, set_apart
from .errors import UsageError
from .output import STDERR, Output
from .overrides import read_overrides
from .preparation import find_home, working_directory

__all__ = ["make_recipe", "run_app_server"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_BASE: Final = 128
"""Exit code of what a signal ended, without the signal's own number; the shells' rule."""


async def run_app_server(
    request: AppServerRequest, environ: Mapping[str, str], output: Output
) -> int:
    """
    Serve clients until there can be no more, or a signal says so.

    At the end of standard input the server ends at once: running turns are broken off,
    and what was recorded of them is kept.

    Returns:
        The exit code: 0 when there can be no more clients and after SIGTERM, 128 and its
        number for another signal.

    Raises:
        ConfigError, ScenarioError, HomeError: Something is not as it should be.
        UsageError: It cannot be listened there.
    """
    options = request.options
    token = await _token(options)
    recipe = await trio.to_thread.run_sync(partial(make_recipe, options, environ))
    ending = _Ending()
    raise_descriptor_limit()
    async with trio.open_nursery() as nursery:
        await nursery.start(ending.listen)
        with ending.scope:
            async with open_serving(recipe, environ) as app:
                relieve_collector()
                await _listen(options, app, output, token)
        nursery.cancel_scope.cancel()
    return ending.exit_code


async def _token(options: AppServerOptions) -> Token | None:
    if options.token_file is None:
        return None
    if not options.listen.startswith("ws://"):
        raise UsageError(
            "--token-file is for ws:// addresses; elsewhere the system says who connects"
        )
    try:
        return await token_from_file(Path(options.token_file))
    except BadToken as exc:
        raise UsageError(f"--token-file {exc}") from exc


def make_recipe(options: AppServerOptions, environ: Mapping[str, str]) -> ServeRecipe:
    """
    Say what a server is made of; blocks shortly while it looks at folders.

    Raises:
        ConfigError: The home cannot be used.
        UsageError: An option has a value it cannot have.
    """
    words, notes = set_apart((*options.config, *feature_words(options)))
    layer = read_overrides(words, None, options.profile)
    return ServeRecipe(
        home=str(find_home(options, environ)),
        cwd=working_directory(options.cd),
        overrides=layer.raw,
        overrides_source=layer.source,
        overrides_folder=str(layer.folder),
        warnings=notes,
        scenario=options.scenario,
        durability=Durability(options.durability),
    )


async def _listen(
    options: AppServerOptions, app: AppServer, output: Output, token: Token | None
) -> None:
    try:
        async with open_listener(options.listen, app.connections, token=token) as listener:
            if not isinstance(listener.address, StdioAddress):
                banner = f"treadle app-server\n  listening on: {listener.url}\n"
                output.put(STDERR, banner.encode())
            await listener.wait_closed()
    except ListenError as exc:
        raise UsageError(str(exc)) from exc


@attrs.define(eq=False)
class _Ending:
    """
    Ends the server when a signal says so.

    Attributes:
        scope: The server is inside of it.
        exit_code: With which code it ends.
    """

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    exit_code: int = attrs.field(default=0, init=False)

    async def listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Wait for the first signal, until cancelled."""
        # What our starter wants us to ignore, as nohup does with SIGHUP, we ignore.
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heard) as signals:
            task_status.started()
            async for number in signals:
                # A server that is told to end has done what it should.
                self.exit_code = 0 if number == signal.SIGTERM else _BASE + number
                self.scope.cancel()
