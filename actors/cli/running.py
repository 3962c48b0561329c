"""Runs what a command line asks for."""

from collections.abc import Mapping
from typing import assert_never

import trio

from .app_server_options import AppServerRequest
from .config_command import run_config
from .exec_command import run_exec
from .login_command import run_login, run_logout, run_status
from .models_command import run_models
from .output import Output, open_output
from .pool_options import PoolRequest, PsRequest
from .requests import (
    ConfigRequest,
    ExecRequest,
    ForkRequest,
    ListRequest,
    LoginRequest,
    LogoutRequest,
    ModelsRequest,
    Request,
    ShowRequest,
    StatusRequest,
)
from .threads_command import run_fork, run_list, run_show

__all__ = ["run_request"]


def run_request(request: Request, environ: Mapping[str, str]) -> int:
    """Do what is asked for, in an event loop of its own; returns the exit code."""
    return trio.run(_run, request, environ)


async def _run(request: Request, environ: Mapping[str, str]) -> int:
    async with open_output() as output:
        return await _dispatch(request, environ, output)


async def _dispatch(request: Request, environ: Mapping[str, str], output: Output) -> int:
    match request:
        case ExecRequest():
            return await run_exec(request, environ, output)
        case ListRequest():
            return await run_list(request, environ, output)
        case ShowRequest():
            return await run_show(request, environ, output)
        case ForkRequest():
            return await run_fork(request, environ, output)
        case ConfigRequest():
            return await run_config(request, environ, output)
        case ModelsRequest():
            return await run_models(request, environ, output)
        case LoginRequest():
            return await run_login(request, environ, output)
        case StatusRequest():
            return await run_status(request, environ, output)
        case LogoutRequest():
            return await run_logout(request, environ, output)
        case AppServerRequest():
            # Its rooms take 50 ms to import, which no other command needs.
            from .app_server_command import run_app_server  # noqa: PLC0415

            return await run_app_server(request, environ, output)
        case PoolRequest():
            from .pool_command import run_pool  # noqa: PLC0415 -- see above

            return await run_pool(request, environ, output)
        case PsRequest():
            from .ps_command import run_ps  # noqa: PLC0415 -- see above

            return await run_ps(request, environ, output)
        case _:
            assert_never(request)
