"""What a command line asks for."""

from typing import TypeAlias

import attrs

from .app_server_options import AppServerRequest
from .options import (
    ConfigOptions,
    ExecOptions,
    ForkOptions,
    HomeOptions,
    ListOptions,
    ModelsOptions,
)
from .pool_options import PoolRequest, PsRequest

__all__ = [
    "ConfigRequest",
    "ExecRequest",
    "ForkRequest",
    "Latest",
    "ListRequest",
    "LoginRequest",
    "LogoutRequest",
    "ModelsRequest",
    "Request",
    "ShowRequest",
    "StatusRequest",
]


@attrs.frozen(kw_only=True)
class Latest:
    """
    The thread that changed last.

    Attributes:
        anywhere: Whether it may be of another folder than the turn's.
    """

    anywhere: bool


@attrs.frozen(kw_only=True)
class ExecRequest:
    """
    Run one turn.

    Attributes:
        prompt: As it was given; None or ``-`` for standard input.
        resume: Which thread it belongs to, by id, name or path; None for a new one.
    """

    options: ExecOptions
    prompt: str | None
    resume: str | Latest | None = None


@attrs.frozen(kw_only=True)
class ListRequest:
    """
    List recorded threads.

    Attributes:
        limit: How many at most, from 1.
    """

    options: ListOptions
    limit: int


@attrs.frozen(kw_only=True)
class ShowRequest:
    """Show a thread, by id, name or path."""

    options: HomeOptions
    thread: str


@attrs.frozen(kw_only=True)
class ForkRequest:
    """
    Copy a thread, given by id, name or path.

    Attributes:
        before: Take what comes before this message of the user, from 1; None for all.
    """

    options: ForkOptions
    thread: str
    before: int | None = None


@attrs.frozen(kw_only=True)
class ConfigRequest:
    """Show the configuration that counts, and where it is from."""

    options: ConfigOptions


@attrs.frozen(kw_only=True)
class ModelsRequest:
    """List the models of the provider."""

    options: ModelsOptions


@attrs.frozen(kw_only=True)
class LoginRequest:
    """Keep an API key, which is on standard input."""

    options: HomeOptions


@attrs.frozen(kw_only=True)
class StatusRequest:
    """Say who is logged in."""

    options: HomeOptions


@attrs.frozen(kw_only=True)
class LogoutRequest:
    """Forget the login."""

    options: HomeOptions


Request: TypeAlias = (
    ExecRequest
    | ListRequest
    | ShowRequest
    | ForkRequest
    | ConfigRequest
    | ModelsRequest
    | LoginRequest
    | StatusRequest
    | LogoutRequest
    | AppServerRequest
    | PoolRequest
    | PsRequest
)
