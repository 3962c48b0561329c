"""What can go wrong with rollouts, one class per fact."""

from pathlib import Path

__all__ = [
    "EmptyRollout",
    "JournalClosed",
    "NoSessionMeta",
    "RolloutChanged",
    "RolloutClosed",
    "RolloutError",
    "RolloutFull",
    "RolloutLocked",
    "RolloutNotFound",
    "RolloutNotWritten",
    "RolloutUnreadable",
]


class RolloutError(Exception):
    """Base of every error about rollouts and the files beside them."""


class _PathError(RolloutError):
    """A fact about one file and nothing else."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class RolloutNotFound(_PathError):  # noqa: N818 -- a condition the caller handles
    """
    There is no rollout at this path; nothing was created.

    Attributes:
        path: Where it was looked for.
    """

    def __str__(self) -> str:
        return f"no rollout at {str(self.path)!r}; it was moved, archived or never written"


class RolloutUnreadable(RolloutError):  # noqa: N818 -- as RolloutNotFound
    """
    The operating system did not let us read, open or move a file.

    Attributes:
        path: The file.
        problem: What the system said, for example ``Permission denied``.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot use {str(self.path)!r}: {self.problem}"


class EmptyRollout(_PathError):  # noqa: N818 -- as RolloutNotFound
    """
    The file holds nothing but white space, so there is no thread in it.

    Attributes:
        path: The file.
    """

    def __str__(self) -> str:
        return f"empty session file {str(self.path)!r}; nothing was ever recorded in it"


class NoSessionMeta(_PathError):  # noqa: N818 -- as RolloutNotFound
    """
    No line of the file says whose rollout it is.

    Attributes:
        path: The file.
    """

    def __str__(self) -> str:
        return (
            f"{str(self.path)!r} has no readable session_meta line, so its thread id is unknown; "
            "it is no rollout, or its beginning was lost"
        )


class RolloutLocked(RolloutError):  # noqa: N818 -- as RolloutNotFound
    """
    Somebody else writes this rollout; nothing was opened or changed.

    The lock goes with its holder: once that process ends, the rollout is free.

    Attributes:
        path: The rollout.
        holder: Process id of the writer; None when the system does not tell.
        same_process: Whether the writer is this very process.
    """

    def __init__(self, path: Path, holder: int | None, *, same_process: bool) -> None:
        super().__init__(path, holder, same_process)
        self.path = path
        self.holder = holder
        self.same_process = same_process

    def __reduce__(self) -> tuple[object, ...]:
        return (_locked, (self.path, self.holder, self.same_process))

    def __str__(self) -> str:
        return f"rollout {str(self.path)!r} is being written by {self._who}; close the thread there"

    @property
    def _who(self) -> str:
        if self.same_process:
            return f"another thread object of this process ({self.holder})"
        return "another process" if self.holder is None else f"process {self.holder}"


def _locked(path: Path, holder: int | None, same_process: bool) -> RolloutLocked:  # noqa: FBT001 -- for pickle
    return RolloutLocked(path, holder, same_process=same_process)


class RolloutChanged(_PathError):  # noqa: N818 -- as RolloutNotFound
    """
    The rollout was written to after it was read; the reader's view is stale.

    Nothing was opened or changed.

    Attributes:
        path: The rollout.
    """

    def __str__(self) -> str:
        return f"rollout {str(self.path)!r} was written to since it was read; load it again"


class RolloutNotWritten(RolloutError):  # noqa: N818 -- as RolloutNotFound
    """
    Records are not on disk yet; none of them was acknowledged.

    While the recorder is open they wait in memory, in order, and writing them
    is tried again.  From `Recorder.close` and `Journal.close` this is final:
    the records are lost.

    Attributes:
        path: The rollout.
        pending_bytes: How much waits.
        cause: What the system said.
    """

    def __init__(self, path: Path, pending_bytes: int, cause: OSError) -> None:
        super().__init__(path, pending_bytes, cause)
        self.path = path
        self.pending_bytes = pending_bytes
        self.cause = cause

    def __str__(self) -> str:
        problem = self.cause.strerror or str(self.cause) or type(self.cause).__name__
        return (
            f"{self.pending_bytes} bytes of rollout {str(self.path)!r} are not written: {problem}"
        )


class RolloutFull(RolloutError):  # noqa: N818 -- as RolloutNotFound
    """
    Too much waits to be written; nothing of this call was taken.

    Attributes:
        path: The rollout.
        pending_bytes: How much waits already.
        limit_bytes: How much may wait.
    """

    def __init__(self, path: Path, pending_bytes: int, limit_bytes: int) -> None:
        super().__init__(path, pending_bytes, limit_bytes)
        self.path = path
        self.pending_bytes = pending_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return (
            f"{self.pending_bytes} of {self.limit_bytes} bytes wait to be written to rollout "
            f"{str(self.path)!r}; flush it, or make room on the disk"
        )


class RolloutClosed(_PathError):  # noqa: N818 -- as RolloutNotFound
    """
    The recorder was closed; nothing was recorded.

    Attributes:
        path: The rollout.
    """

    def __str__(self) -> str:
        return f"the recorder of rollout {str(self.path)!r} is closed"


class JournalClosed(RolloutError):  # noqa: N818 -- as RolloutNotFound
    """The journal is closed or was never opened; no recorder was made."""

    def __str__(self) -> str:
        return "the journal is not open; make recorders inside `async with open_journal(...)`"
