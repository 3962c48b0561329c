"""What clients see of one patch."""

from types import TracebackType
from typing import Final, Self

import attrs

from messages.events import ApplyPatchStatus, PatchApplyBegin, PatchApplyEnd
from messages.ids import CallId

from ..tool import ToolContext
from .plan import PatchPlan

__all__ = ["PatchReport"]

_ABORTED: Final = "patch aborted by user; no file was changed"


@attrs.define(eq=False)
class PatchReport:
    """
    Tells clients about one patch; a block whose begin and end are those of the patch.

    Promise: whoever enters it has told a begin, and whoever leaves it, in whichever
    way, one end.  A block left without an end tells that nothing was changed, so nothing
    may be between writing and `end`.

    Attributes:
        auto_approved: Whether nobody is asked.
    """

    context: ToolContext
    call_id: CallId
    plan: PatchPlan
    auto_approved: bool
    _ended: bool = attrs.field(default=False, init=False)

    def __enter__(self) -> Self:
        self.context.emit(
            PatchApplyBegin(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                auto_approved=self.auto_approved,
                changes=self.plan.changes,
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._ended:
            crash = isinstance(error, Exception)
            self.fail(f"execution error: {type(error).__name__}" if crash else _ABORTED)

    def complete(self, stdout: str) -> None:
        """Tell that all files are written."""
        self._end(ApplyPatchStatus.COMPLETED, stdout=stdout, stderr="")

    def fail(self, text: str, status: ApplyPatchStatus = ApplyPatchStatus.FAILED) -> None:
        """Tell that it was not applied, and why."""
        self._end(status, stdout="", stderr=text)

    def _end(self, status: ApplyPatchStatus, *, stdout: str, stderr: str) -> None:
        assert not self._ended, "a patch has one end"
        self._ended = True
        self.context.emit(
            PatchApplyEnd(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                stdout=stdout,
                stderr=stderr,
                success=status is ApplyPatchStatus.COMPLETED,
                status=status,
                changes=self.plan.changes,
            )
        )
