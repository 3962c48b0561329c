"""The end of a rollout, whose writer is gone, without reading all that is before it."""

import os
from pathlib import Path
from typing import Final

from messages.codec import decode_item
from messages.errors import DecodeError
from messages.rollout import RolloutItem

__all__ = ["read_last_items"]

_TAIL_BYTES: Final = 256 * 1024
"""So much is read: the end of a turn is among the last lines."""


def read_last_items(path: Path) -> tuple[RolloutItem, ...]:
    """
    Read the last items of a rollout, oldest first; blocks while it reads.

    Lines that cannot be read are left out; whoever needs to know of them loads it all.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).split(b"\n")
    items: list[RolloutItem] = []
    # The first may be cut, and the last is none, or half of one.
    for line in lines[1 if start else 0 : -1]:
        try:
            items.append(decode_item(line))
        except DecodeError:
            continue
    return tuple(items)
