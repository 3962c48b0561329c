"""
Helpers for tests of programs that embed Treadle; public, deterministic, offline.

`open_test_supervisor` is where to begin.  `ManualModel` and `ManualTool` let a test play
the model and the tools by hand, `FailingDisk` takes the disk away.
"""

from .failing_disk import FailingDisk
from .harness import collect_until, open_test_supervisor
from .manual_model import ManualModel, ManualResponse
from .manual_tool import ManualCall, ManualTool

__all__ = [
    "FailingDisk",
    "ManualCall",
    "ManualModel",
    "ManualResponse",
    "ManualTool",
    "collect_until",
    "open_test_supervisor",
]
