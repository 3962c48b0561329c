"""How much of everything a client may have, and how long we wait for it."""

from typing import Final

import attrs

__all__ = ["Limits"]

_MIB: Final = 1024 * 1024
_at_least_one = attrs.validators.ge(1)
_not_negative = attrs.validators.ge(0.0)


@attrs.frozen(kw_only=True)
class Limits:
    """
    The bounds of connections; durations are seconds.

    Attributes:
        connections:
            Clients at once.  One more is told so and closed.
        outbound:
            Messages that wait for one client to take them, 128 as in Codex.  When there
            are as many, whoever has more to say to that client waits.
        outbound_bytes:
            The same in bytes, which one message may exceed: with the number alone, 128
            long answers would be gigabytes.
        posted:
            Broadcasts that wait for room behind those.  Broadcasters never wait, so a
            client for which more than these would wait is closed.
        in_flight:
            Requests of one client that are queued or worked on, 128 as in Codex.  One
            more is answered with the overload error.
        message_bytes:
            Longest message of a client, images in it included.  A longer one ends its
            connection.
        patience:
            How long a client may take nothing at all while as much as possible waits
            for it, before it is closed.
        grace:
            How long requests in flight may go on when their client has ended.  What is
            still running then is cancelled.
        flush:
            How long what is queued for a client may take to be sent when its connection
            ends.
        farewell: How long closing may take when the other side does not close.
        upgrades: HTTP requests that are read at the same time; one more is closed unread.
        upgrade_patience: How long the head of an HTTP request may take to come.
    """

    connections: int = attrs.field(default=256, validator=_at_least_one)
    outbound: int = attrs.field(default=128, validator=_at_least_one)
    outbound_bytes: int = attrs.field(default=64 * _MIB, validator=_at_least_one)
    posted: int = attrs.field(default=1024, validator=_at_least_one)
    in_flight: int = attrs.field(default=128, validator=_at_least_one)
    message_bytes: int = attrs.field(default=64 * _MIB, validator=_at_least_one)
    patience: float = attrs.field(default=30.0, validator=_not_negative)
    grace: float = attrs.field(default=1.0, validator=_not_negative)
    flush: float = attrs.field(default=1.0, validator=_not_negative)
    farewell: float = attrs.field(default=0.5, validator=_not_negative)
    upgrades: int = attrs.field(default=64, validator=_at_least_one)
    upgrade_patience: float = attrs.field(default=10.0, validator=_not_negative)
