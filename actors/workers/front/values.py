"""What a front says of itself."""

import attrs

from messages.ids import ThreadId, TurnId

from .roster_states import State

__all__ = ["FrontClient", "FrontStatistics", "FrontThread"]


@attrs.frozen(kw_only=True)
class FrontThread:
    """
    One look at a thread.

    Attributes:
        thread_id: Which.
        state: How it stands to the workers.
        worker: Number of the worker that has it or takes it over; None while it has none.
        turn_id: The turn that runs; None for none.
        followers: How many clients are told of it.
    """

    thread_id: ThreadId
    state: State
    worker: int | None
    turn_id: TurnId | None
    followers: int


@attrs.frozen(kw_only=True)
class FrontClient:
    """
    One look at a client.

    Attributes:
        id: Its number.
        peer: Who is at the other end.
        home: Number of its own worker; None while it has none.
        in_flight: Requests that are not answered.
    """

    id: int
    peer: str
    home: int | None
    in_flight: int


@attrs.frozen(kw_only=True)
class FrontStatistics:
    """
    One look at a front.

    Attributes:
        clients: Those that were welcomed, oldest first.
        threads: All that are in workers or on their way.
        workers: Numbers of the workers that are there.
        refusing: Why nothing new is taken; None when it is.
    """

    clients: tuple[FrontClient, ...]
    threads: tuple[FrontThread, ...]
    workers: tuple[int, ...]
    refusing: str | None
