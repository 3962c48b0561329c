"""The command that serves clients: ``treadle app-server``."""

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.config import (
    Config,
    ConfigLayer,
    LayerKind,
    choose_provider,
    open_catalog,
)
from actors.models import ModelProvider, ResponsesProvider
from actors.rollout import Durability
from actors.server.app import AppServer, open_app_server
from actors.server.ground import ServerSetup
from actors.server.rpc_errors import BadToken, ListenError
from actors.server.transports.addresses import StdioAddress
from actors.server.transports.bearer import Token, token_from_file
from actors.server.transports.listening import open_listener
from actors.supervisor import open_supervisor
from messages.settings import SourceKind

from .app_server_options import AppServerOptions, AppServerRequest
from .codex_options import find_originator
from .errors import UsageError
from .output import STDERR, Output
from .preparation import read_config

__all__ = ["run_app_server"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_BASE: Final = 128
"""Exit code of what a signal ended, without the signal's own number; the shells' rule."""

_LAST_WORDS: Final = 0.5
"""Seconds for what is left to do when the server ends."""


@attrs.frozen(kw_only=True)
class _Prepared:
    """What a server needs; whoever prepared it closes the provider."""

    config: Config
    provider: ModelProvider
    setup: ServerSetup
    environ: Mapping[str, str] = attrs.field(repr=False)


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
    prepared = await trio.to_thread.run_sync(partial(_prepare, options, environ))
    ending = _Ending()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(ending.listen)
            with ending.scope:
                await _serve(options, prepared, output, token)
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(_LAST_WORDS, shield=True):
            await prepared.provider.aclose()
    return ending.exit_code


async def _token(options: AppServerOptions) -> Token | None:
    if options.token_file is None:
        return None
    try:
        return await token_from_file(Path(options.token_file))
    except BadToken as exc:
        raise UsageError(f"--token-file {exc}") from exc


def _prepare(options: AppServerOptions, environ: Mapping[str, str]) -> _Prepared:
    """Read the configuration and make the provider; blocks while it reads files."""
    config = read_config(options, environ)
    changed = dict(environ)
    if options.scenario is not None:
        changed["TREADLE_SCENARIO"] = options.scenario
    origin = config.origins.get("openai_base_url")
    if origin is not None and origin.kind is LayerKind.SESSION:
        # What is said for this server goes before what is said for everything.
        changed.pop("OPENAI_BASE_URL", None)
    provider, notice = choose_provider(config, changed)
    if isinstance(provider, ResponsesProvider):
        provider = attrs.evolve(provider, originator=find_originator(environ))
    setup = ServerSetup(
        environ=environ,
        cwd=Path(config.cwd),
        provider_id=provider.info.id,
        requires_openai_auth=provider.info.requires_openai_auth,
        overrides=_overrides(config),
        warnings=config.warnings if notice is None else (*config.warnings, notice),
    )
    return _Prepared(config=config, provider=provider, setup=setup, environ=changed)


def _overrides(config: Config) -> ConfigLayer | None:
    """Find what the command line said, which goes before the files for all threads."""
    said = (layer for layer in config.layers if layer.kind is LayerKind.SESSION)
    return next((layer for layer in said if layer.profile is None), None)


async def _serve(
    options: AppServerOptions, prepared: _Prepared, output: Output, token: Token | None
) -> None:
    asks = isinstance(prepared.provider, ResponsesProvider)
    async with (
        open_supervisor(
            home=prepared.config.home,
            provider=prepared.provider,
            session_source=SourceKind.VSCODE,
            durability=Durability(options.durability),
            catalog=open_catalog(prepared.config, prepared.environ) if asks else None,
        ) as supervisor,
        open_app_server(supervisor, prepared.setup) as app,
    ):
        await _listen(options, app, output, token)
        # Nobody is there any more to hear how a turn ends.
        await supervisor.close_all_threads(grace=0.0)


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
