"""The command that shows a pool: ``treadle ps``."""

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, cast

import trio

from actors.client import CannotConnect, ConnectionLost, RpcCallError, RpcClient, open_rpc_client
from actors.runtime import World
from messages.codec import from_json, to_json
from messages.errors import DecodeError
from messages.rpc.envelope import INVALID_REQUEST, METHOD_NOT_FOUND
from messages.rpc.pool import PoolReadResponse
from messages.value import Json

from .errors import CliError, PoolUnusable, UsageError
from .json_events import encoded_line
from .output import STDOUT, Output
from .pool_options import PsOptions, PsRequest
from .preparation import find_home
from .ps_table import pool_tables
from .ps_view import open_view
from .screen import open_screen

__all__ = ["default_url", "run_ps"]

_PERIOD: Final = 1.0
"""Seconds between two looks."""

_PATIENCE: Final = 10.0
"""Seconds in which a pool that lives has answered."""


def default_url(home: Path) -> str:
    """Say where a pool listens that was not told where."""
    return f"unix://{home / 'pool.sock'}"


async def run_ps(request: PsRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Show a pool, once or again and again.

    Raises:
        UsageError: There is no pool.
        PoolUnusable: It went away, or does not answer.
        ConfigError: The home cannot be used.
        OutputFailed: Standard output takes no more.
    """
    options = request.options
    home = await trio.to_thread.run_sync(find_home, options, environ)
    url = options.connect or default_url(home)
    token = await _token(options)
    try:
        with trio.move_on_after(_PATIENCE) as greeting:
            async with open_rpc_client(url, token=token) as rpc:
                greeting.deadline = math.inf
                await _show(rpc, url, options, output)
        if greeting.cancelled_caught:
            raise PoolUnusable(_silent(url))
    except CannotConnect as exc:
        raise _not_connected(exc, options) from exc
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    except ConnectionLost as exc:
        raise PoolUnusable(f"the pool at {url} is gone: {exc.problem}") from exc
    return 0


def _not_connected(error: CannotConnect, options: PsOptions) -> CliError:
    if isinstance(error.__cause__, RpcCallError):
        return PoolUnusable(str(error))  # it is there, and ends
    if options.connect is not None:
        return UsageError(str(error))
    return UsageError(
        f"no pool runs at {error.server}: {error.problem.partition(';')[0]}; "
        "'treadle pool' starts one, and --connect says where another one is"
    )


def _silent(url: str) -> str:
    return f"the pool at {url} does not answer; it may be overloaded"


async def _token(options: PsOptions) -> str | None:
    if options.token_file is None:
        return None
    try:
        text = await trio.Path(options.token_file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "no text"
        raise UsageError(
            f"--token-file {options.token_file}: the token cannot be read: {problem}"
        ) from exc
    return text.partition("\n")[0].strip()


async def _show(rpc: RpcClient, url: str, options: PsOptions, output: Output) -> None:
    with _opened(url, options, output) as show:
        show(await _read(rpc, url))
        while options.watch:
            await _pause(output)
            show(await _read(rpc, url))


@contextmanager
def _opened(
    url: str, options: PsOptions, output: Output
) -> Generator[Callable[[PoolReadResponse], None]]:
    """Open where it is shown."""
    if options.json:
        yield lambda pool: output.put(STDOUT, encoded_line(_as_line(pool)))
        return
    now, screen = World.system().now, open_screen(output)
    with open_view(output, screen) if options.watch else nullcontext(screen) as view:
        yield lambda pool: view.show(pool_tables(pool, url=url, now=now(), width=screen.width))


def _as_line(pool: PoolReadResponse) -> dict[str, Json]:
    return cast("dict[str, Json]", to_json(pool))  # as values are written


async def _pause(output: Output) -> None:
    """Wait for the next look, and for a reader that is slower than that."""
    await trio.sleep(_PERIOD)
    await output.flush()


async def _read(rpc: RpcClient, url: str) -> PoolReadResponse:
    try:
        with trio.fail_after(_PATIENCE):
            answer = await rpc.request("treadle/pool/read")
        return from_json(answer, PoolReadResponse)
    except trio.TooSlowError as exc:
        raise PoolUnusable(_silent(url)) from exc
    except RpcCallError as exc:
        if exc.code in (INVALID_REQUEST, METHOD_NOT_FOUND):
            raise UsageError(
                f"{url} is a server of its own and no pool; 'treadle pool' starts one"
            ) from exc
        raise PoolUnusable(f"the pool at {url} answered: {exc.message}") from exc
    except DecodeError as exc:
        raise PoolUnusable(
            f"the pool at {url} is of another version than this command: {exc}"
        ) from exc
