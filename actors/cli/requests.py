"""What a command line asks for."""

from typing import TypeAlias

import attrs

from .options import ExecOptions, ForkOptions, HomeOptions, ListOptions

__all__ = ["ExecRequest", "ForkRequest", "Latest", "ListRequest", "Request", "ShowRequest"]


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


Request: TypeAlias = ExecRequest | ListRequest | ShowRequest | ForkRequest
