"""Errors of threads."""

from messages.events import CodexErrorInfo
from messages.ids import ThreadId, TurnId

__all__ = [
    "InvalidTransition",
    "NoActiveTurn",
    "SteerError",
    "SteerInputEmpty",
    "ThreadClosed",
    "ThreadError",
    "TurnFailed",
    "TurnInputFull",
    "TurnMismatch",
]


class ThreadError(Exception):
    """Base of all errors of a thread."""


class ThreadClosed(ThreadError):  # noqa: N818 -- a condition the caller handles
    """
    The thread has ended; the submission was not queued.

    Attributes:
        thread_id: Which thread.
    """

    def __init__(self, thread_id: ThreadId) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return (
            f"thread {self.thread_id} has ended and takes no more submissions; "
            "resume it from its rollout to go on"
        )


class InvalidTransition(ThreadError):  # noqa: N818 -- a programming error, named after the table
    """
    A state was left for one that its table does not allow; the state is unchanged.

    Attributes:
        machine: ``thread`` or ``turn``.
        before: Where it was.
        after: Where it was to go.
    """

    def __init__(self, machine: str, before: str, after: str) -> None:
        super().__init__(machine, before, after)
        self.machine = machine
        self.before = before
        self.after = after

    def __str__(self) -> str:
        return f"a {self.machine} cannot go from {self.before!r} to {self.after!r}"


class TurnFailed(ThreadError):  # noqa: N818 -- an outcome, told to clients as an event
    """
    A turn cannot go on; clients get *message* and *info* as an error event.

    Attributes:
        message: What failed and what to do, for people.
        info: The same for programs; None where there is no word for it.
    """

    def __init__(self, message: str, info: CodexErrorInfo | None = None) -> None:
        super().__init__(message, info)
        self.message = message
        self.info = info

    def __str__(self) -> str:
        return self.message


class SteerError(ThreadError):
    """Base of the reasons why input did not join a turn; the input was not used."""


class SteerInputEmpty(SteerError):  # noqa: N818 -- a condition the caller handles
    """There was no input."""

    def __str__(self) -> str:
        return "there is nothing to steer with: the input is empty; send at least one item"


class NoActiveTurn(SteerError):  # noqa: N818 -- a condition the caller handles
    """No turn is running."""

    def __str__(self) -> str:
        return "no turn is running that input could join; submit it to start one"


class TurnMismatch(SteerError):  # noqa: N818 -- a condition the caller handles
    """
    Another turn is running than the caller thought.

    Attributes:
        expected: The turn the caller named.
        actual: The turn that runs.
    """

    def __init__(self, expected: TurnId, actual: TurnId) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return f"expected turn {self.expected} to be running, but {self.actual} is"


class TurnInputFull(SteerError):  # noqa: N818 -- a condition the caller handles
    """
    As much input as may wait for the turn's next model request waits already.

    Attributes:
        turn_id: The turn that runs.
        capacity: How many inputs may wait.
    """

    def __init__(self, turn_id: TurnId, capacity: int) -> None:
        super().__init__(turn_id, capacity)
        self.turn_id = turn_id
        self.capacity = capacity

    def __str__(self) -> str:
        return (
            f"turn {self.turn_id} has {self.capacity} inputs waiting for its next model request "
            "already; send this again later"
        )
