"""
Patches: read, verified against the files, allowed, and written as a whole.

`parser` makes hunks of text, `planning` works out what they make of the files (with
`editing` and `matching`), `permission` asks, `writing` carries out, `turn_diff` sums up.
"""

from .apply_patch import ApplyPatchTool
from .errors import PatchError, PatchInvalid, PatchMismatch, PatchNotWritten
from .patcher import Patcher

__all__ = [
    "ApplyPatchTool",
    "PatchError",
    "PatchInvalid",
    "PatchMismatch",
    "PatchNotWritten",
    "Patcher",
]
