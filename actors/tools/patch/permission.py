"""Whether a patch may be written, and what of it a person allowed for the session."""

from collections.abc import Collection, Mapping
from typing import Final, assert_never

import attrs

from actors.safety import (
    ApprovalCache,
    Ask,
    PatchKey,
    Requirement,
    Skip,
    patch_requirement,
)
from messages.events import ApplyPatchApprovalRequest
from messages.ids import CallId
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecision, ReviewDecisionKind
from messages.settings import AskForApproval, SandboxPolicy

from ..tool import ToolContext
from .plan import PatchPlan

__all__ = ["PatchPermission", "patch_needs"]

_MOST_REDIRECTS: Final = 5
"""Links to name in the reason; the changes themselves are all shown."""


def patch_needs(
    plan: PatchPlan,
    *,
    approval: AskForApproval,
    policy: SandboxPolicy,
    cwd: str,
    environ: Mapping[str, str],
    guarded: Collection[str] = (),
) -> Requirement:
    """
    Decide whether a patch is written, asked for or forbidden; blocks.

    Both the paths that the patch names and the places they lead to count: a link is no
    way out, and one that is turned around while we look at it is none either, since only
    the places are written.

    Args:
        cwd: The turn's, which the policy is about, wherever the patch itself begins.
    """
    return patch_requirement(
        dict.fromkeys((*plan.paths, *plan.places)),
        approval=approval,
        policy=policy,
        cwd=cwd,
        environ=environ,
        guarded=guarded,
    )


@attrs.define(eq=False)
class PatchPermission:
    """
    One patch's way to a yes or no.

    Attributes:
        keys:
            What an approval for the session is good for: each path, and where it led,
            so that a link that leads elsewhere later is asked for again.
    """

    approvals: ApprovalCache
    context: ToolContext
    plan: PatchPlan
    requirement: Skip | Ask
    keys: tuple[PatchKey, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        places = dict.fromkeys((*self.plan.paths, *self.plan.places))
        self.keys = tuple(PatchKey(place) for place in places)

    @property
    def granted_already(self) -> bool:
        """Whether nobody needs to be asked."""
        if isinstance(self.requirement, Skip):
            return True
        self._enter()
        return self.approvals.allows(*self.keys)

    async def ask(self, call_id: CallId) -> bool:
        """
        Ask a person; False when the answer is no.

        Cancellation:
            The question is withdrawn.
        """
        decision = await self.context.ask_patch_approval(
            ApplyPatchApprovalRequest(
                call_id=call_id,
                turn_id=self.context.turn_id,
                changes=self.plan.changes,
                reason=self._reason(),
            )
        )
        return self._granted(decision)

    def _granted(self, decision: ReviewDecision) -> bool:
        match decision:
            case ReviewDecisionKind.APPROVED | ApprovedExecpolicyAmendment():
                return True  # rules are for commands; as the answer to a patch, a plain yes
            case ReviewDecisionKind.APPROVED_FOR_SESSION:
                self._enter()
                self.approvals.allow(*self.keys)
                return True
            case ReviewDecisionKind.DENIED | ReviewDecisionKind.ABORT:
                return False
            case _:
                assert_never(decision)

    def _enter(self) -> None:
        self.approvals.enter(self.context.approval_policy, self.context.sandbox_policy)

    def _reason(self) -> str | None:
        """Give the reason for asking, and where links really lead."""
        reason = self.requirement.reason if isinstance(self.requirement, Ask) else None
        redirects = [f"{path} leads to {place}" for path, place in self.plan.redirects.items()]
        hidden = len(redirects) - _MOST_REDIRECTS
        shown = redirects[:_MOST_REDIRECTS]
        if hidden > 0:
            shown.append(f"and {hidden} more links")
        return "; ".join(filter(None, [reason, *shown])) or None
