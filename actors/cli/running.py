"""
Runs what a command line asks for.

Each command is imported when it runs: what it does not need takes time and memory.
"""

# ruff: noqa: PLC0415

from collections.abc import Mapping
from typing import assert_never

import trio

from .app_server_options import AppServerRequest
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
            from .exec_command import run_exec

            return await run_exec(request, environ, output)
        case ListRequest():
            from .threads_command import run_list

            return await run_list(request, environ, output)
        case ShowRequest():
            from .threads_command import run_show

            return await run_show(request, environ, output)
        case ForkRequest():
            from .threads_command import run_fork

            return await run_fork(request, environ, output)
        case ConfigRequest():
            from .config_command import run_config

            return await run_config(request, environ, output)
        case ModelsRequest():
            from .models_command import run_models

            return await run_models(request, environ, output)
        case LoginRequest():
            from .login_command import run_login

            return await run_login(request, environ, output)
        case StatusRequest():
            from .login_command import run_status

            return await run_status(request, environ, output)
        case LogoutRequest():
            from .login_command import run_logout

            return await run_logout(request, environ, output)
        case AppServerRequest():
            from .app_server_command import run_app_server

            return await run_app_server(request, environ, output)
        case PoolRequest():
            from .pool_command import run_pool

            return await run_pool(request, environ, output)
        case PsRequest():
            from .ps_command import run_ps

            return await run_ps(request, environ, output)
        case _:
            assert_never(request)
