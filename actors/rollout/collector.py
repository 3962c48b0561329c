"""Keeps the cycle collector away from what is made of a long rollout."""

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

__all__ = ["collector_paused"]

# As the collector itself these belong to the process: several loads may run in
# OS threads at once, and only the last one may switch it on again.  Reentrant, because
# the collector may run what reads another one.
_pause_lock = threading.RLock()
_pauses = 0
_was_enabled = False

_MIDDLE: Final = 1
"""The generation up to which objects are young."""


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """
    Keep the cycle collector from walking what is being made, or was just made.

    A long rollout comes to hundreds of thousands of objects and no cycle; with the
    collector on, which walks them again and again, it takes half as long again.  They
    are walked once, at the end, and then count as old.
    """
    global _pauses, _was_enabled  # noqa: PLW0603 -- see above
    with _pause_lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _pause_lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                # Not by `gc.freeze` and `gc.unfreeze`, which would be free of cost: what the
                # program has frozen itself must stay so, and to ask for that takes longer.
                try:
                    gc.collect(_MIDDLE)
                finally:
                    gc.enable()
