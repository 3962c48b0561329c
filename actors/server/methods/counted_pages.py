"""Pages of short lists, whose cursors are numbers of entries."""

from collections.abc import Sequence
from typing import TypeVar

from ..rpc_errors import RpcFailure

__all__ = ["counted"]

T = TypeVar("T")


def counted(
    entries: Sequence[T], cursor: str | None, limit: int | None, what: str
) -> tuple[tuple[T, ...], str | None]:
    """
    Cut a page out of a list; its cursors are numbers of entries.

    Raises:
        RpcFailure: The cursor is none.
    """
    start = 0
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdecimal()):
            raise RpcFailure.invalid(f"invalid cursor: {cursor}")
        start = int(cursor)
        if start > len(entries):
            raise RpcFailure.invalid(f"cursor {start} exceeds total {what} {len(entries)}")
    end = len(entries) if limit is None else start + max(1, limit)
    return tuple(entries[start:end]), str(end) if end < len(entries) else None
