"""What can go wrong in the kernel, one class per fact."""

import trio

__all__ = [
    "ActorError",
    "AlreadyClosed",
    "ChannelClosed",
    "DuplicateChild",
    "IntensityExceeded",
    "MailboxClosed",
    "MailboxFull",
    "NotStarted",
    "ReplyLost",
    "SupervisorStopped",
    "UnknownChild",
]


class ActorError(Exception):
    """Base of every error the kernel raises on its own account."""


class MailboxFull(ActorError, trio.WouldBlock):  # noqa: N818 -- a condition, like WouldBlock
    """
    A ``_nowait`` send found no room in its lane.

    Nothing was enqueued; the message still belongs to the caller.

    Attributes:
        address: Who was addressed, for example ``"thread/7f3a"``.
        capacity: Room in that lane, in messages.
    """

    def __init__(self, address: str, capacity: int) -> None:
        # Every field goes to args, so that copies and pickles keep it.
        super().__init__(address, capacity)
        self.address = address
        self.capacity = capacity

    def __str__(self) -> str:
        return (
            f"mailbox of {self.address!r} is full ({self.capacity} messages); "
            "await send() to wait for room"
        )


class MailboxClosed(ActorError, trio.ClosedResourceError):  # noqa: N818 -- a condition
    """
    The mailbox takes and gives no more messages.

    From a send: nothing was enqueued; the message still belongs to the caller.
    From a receive: every message that was still queued went to whoever called
    `Mailbox.close`.

    Attributes:
        address: Who was addressed.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"mailbox of {self.address!r} is closed; its actor has stopped or is stopping"


class ChannelClosed(ActorError, trio.EndOfChannel):  # noqa: N818 -- a condition
    """
    Everything was read, and no more will come.

    Attributes:
        what: What has ended, for example ``"event channel"``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} has ended; everything it held was read"


class AlreadyClosed(ActorError, trio.ClosedResourceError):  # noqa: N818 -- a condition
    """
    This end was closed on our side and is used again.

    Nothing was published, set or read.

    Attributes:
        what: What was closed, for example ``"subscription"``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} was closed on this side and cannot be used any more"


class _ChildError(ActorError):
    """A fact about one child of one supervisor."""

    def __init__(self, supervisor: str, child_id: str) -> None:
        super().__init__(supervisor, child_id)
        self.supervisor = supervisor
        self.child_id = child_id


class DuplicateChild(_ChildError):  # noqa: N818 -- a condition
    """
    The supervisor already has a child of that id.

    Nothing was started; the child that is there was not touched.

    Attributes:
        supervisor: Name of the supervisor.
        child_id: The id that was asked for.
    """

    def __str__(self) -> str:
        return (
            f"supervisor {self.supervisor!r} already has a child {self.child_id!r}; "
            "stop it first or choose another id"
        )


class UnknownChild(_ChildError):  # noqa: N818 -- a condition
    """
    The supervisor has no child of that id.

    Attributes:
        supervisor: Name of the supervisor.
        child_id: The id that was asked for.
    """

    def __str__(self) -> str:
        return (
            f"supervisor {self.supervisor!r} has no child {self.child_id!r}; "
            "it never started or has already ended"
        )


class NotStarted(_ChildError):  # noqa: N818 -- a condition
    """
    A child's function ended, or was told to, before it said it had started.

    The child is not among the supervisor's children, and is not retried.

    Attributes:
        supervisor: Name of the supervisor.
        child_id: The child that did not come up.
    """

    def __str__(self) -> str:
        return (
            f"child {self.child_id!r} of {self.supervisor!r} ended before it said it had "
            "started; call task_status.started() once it can take messages"
        )


class SupervisorStopped(ActorError):  # noqa: N818 -- a condition
    """
    The supervisor is stopping, has stopped or is not running yet.

    Nothing was started.

    Attributes:
        supervisor: Name of the supervisor.
    """

    def __init__(self, supervisor: str) -> None:
        super().__init__(supervisor)
        self.supervisor = supervisor

    def __str__(self) -> str:
        return f"supervisor {self.supervisor!r} is not running; it starts no more children"


class IntensityExceeded(ActorError):  # noqa: N818 -- a condition, OTP's word
    """
    Children crashed more often than the supervisor may restart them.

    Raised from the crash that was one too many, after all other children were
    stopped in reverse start order.

    Attributes:
        supervisor: Name of the supervisor that gave up.
        child_id: The child whose crash was one too many.
        intensity: Restarts that were allowed within *period*.
        period: Seconds.
    """

    def __init__(self, supervisor: str, child_id: str, intensity: int, period: float) -> None:
        super().__init__(supervisor, child_id, intensity, period)
        self.supervisor = supervisor
        self.child_id = child_id
        self.intensity = intensity
        self.period = period

    def __str__(self) -> str:
        return (
            f"supervisor {self.supervisor!r} gave up: child {self.child_id!r} crashed after "
            f"{self.intensity} restarts within {self.period} s; see the cause"
        )


class ReplyLost(ActorError):  # noqa: N818 -- a condition
    """
    The actor dropped a question without answering it.

    Whether it acted on the question is unknown.

    Attributes:
        address: Who was asked.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"actor {self.address!r} stopped or crashed before it answered"
