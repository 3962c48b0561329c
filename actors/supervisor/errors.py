"""Errors of the supervisor."""

from pathlib import Path

from actors.thread import ThreadError
from messages.ids import ThreadId

__all__ = [
    "HomeError",
    "ThreadAlreadyLoaded",
    "ThreadNotFound",
]


class ThreadNotFound(ThreadError):  # noqa: N818 -- a fact about the registry
    """
    No thread with this id is loaded.

    Attributes:
        thread_id: Which one was asked for.
    """

    def __init__(self, thread_id: ThreadId) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return f"no thread with id: {self.thread_id}"


class ThreadAlreadyLoaded(ThreadError):  # noqa: N818 -- a fact about the registry
    """
    The thread is live in this supervisor already; nothing was started (P1).

    Attributes:
        thread_id: Which one.
    """

    def __init__(self, thread_id: ThreadId) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return f"thread {self.thread_id} is already loaded; use get_thread() to reach it"


class HomeError(ThreadError):
    """
    The home folder cannot be used; nothing was started.

    Attributes:
        home: Which folder.
        problem: What is wrong with it.
    """

    def __init__(self, home: Path, problem: str) -> None:
        super().__init__(home, problem)
        self.home = home
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot keep threads in {str(self.home)!r}: {self.problem}; choose another home"
