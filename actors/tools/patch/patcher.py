"""Applies patches for one thread: verify, ask, write, tell."""

import logging
import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import trio

from actors.safety import ApprovalCache, Forbidden, Requirement
from messages.content import InputText
from messages.events import ApplyPatchStatus, TurnDiff
from messages.ids import TurnId
from messages.items import Message

from ..command_answer import command_answer, wants_json
from ..errors import ToolError
from ..tool import ToolCall, ToolContext, ToolOutput
from .disk import Disk
from .errors import PatchError, PatchInvalid, PatchNotWritten
from .interception import find_patch
from .parser import parse_patch
from .permission import PatchPermission, patch_needs
from .plan import PatchPlan
from .planning import plan_patch
from .report import PatchReport
from .turn_diff import TurnChanges
from .writing import write_steps

__all__ = ["Patcher"]

_logger = logging.getLogger(__name__)

_FAILED: Final = "apply_patch verification failed: {}"
_EMPTY: Final = "patch rejected: empty patch"
_DECLINED: Final = "patch rejected by user"


@attrs.frozen
class _Verified:
    """A patch that fits, and what it needs before it is written."""

    plan: PatchPlan
    requirement: Requirement


@attrs.define(eq=False)
class Patcher:
    """
    Applies the patches of one thread, one at a time.

    A patch that fits tells one `PatchApplyBegin`, before anybody is asked, and one
    `PatchApplyEnd`, however it ends; one that does not fit tells nothing.  A patch waits
    for the one before it, also while a person is asked about that.

    Source:
        Codex, ``handlers/apply_patch.rs``, ``safety.rs`` and ``turn_diff_tracker.rs``.
        There a process of its own writes, hunk by hunk, and what policy refuses looks
        as if a person had, or is not told to clients at all (L40, L41).
    """

    _approvals: ApprovalCache = attrs.field(kw_only=True, alias="approvals")
    _environ: Mapping[str, str] = attrs.field(kw_only=True, alias="environ", repr=False)
    # Folders of rules, which a patch must not change unasked.
    _guarded: tuple[str, ...] = attrs.field(kw_only=True, default=(), alias="guarded")
    _disk: Disk = attrs.field(kw_only=True, factory=Disk, alias="disk", repr=False)
    # Two patches for one file would each be verified against what the other replaces.
    _turn_of: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)
    _turn: tuple[TurnId, TurnChanges] | None = attrs.field(default=None, init=False)

    async def apply(
        self, text: str, *, cwd: str, call: ToolCall, context: ToolContext
    ) -> ToolOutput:
        """
        Apply a patch, when policy or a person allows it.

        Args:
            cwd: What its paths are relative to; may be relative to the turn's own.

        Raises:
            ToolError: It is no patch, or does not fit; nothing was told or changed.

        Cancellation:
            Before writing: nothing is changed, and the end says so.  Once writing began it
            runs to its end, a matter of milliseconds, and the end says what it did.
        """
        folder = posixpath.join(context.cwd, cwd)
        async with self._turn_of:
            verified = await self._verify(text, folder, context)
            return await self._carry_out(verified, call, context)

    async def intercept(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        call: ToolCall,
        tool_name: str,
        context: ToolContext,
    ) -> ToolOutput | None:
        """
        Apply the patch that a command would apply; None when the command is another.

        The model is told to use the tool.  No timeout of the command counts: a patch is
        written in milliseconds or not at all (L40).

        Raises:
            ToolError: As `apply`; also when the command is a bare patch.

        Cancellation:
            As `apply`.
        """
        try:
            found = find_patch(argv)
        except PatchInvalid as error:
            raise ToolError(_FAILED.format(error)) from error
        if found is None:
            return None
        folder = posixpath.join(context.cwd, cwd, found.folder)
        async with self._turn_of:
            verified = await self._verify(found.text, folder, context)
            _warn(tool_name, context)
            return await self._carry_out(verified, call, context)

    def turn_diff(self, turn_id: TurnId) -> str | None:
        """Return what patches of this turn changed so far; None when nothing differs."""
        if self._turn is None or self._turn[0] != turn_id:
            return None
        return self._turn[1].diff

    async def _verify(self, text: str, cwd: str, context: ToolContext) -> _Verified:
        """Read the patch and the files, and decide what it needs; in an OS thread."""
        approval, policy = context.approval_policy, context.sandbox_policy
        turn_cwd = context.cwd

        def verify() -> _Verified | None:
            hunks = parse_patch(text)
            if not hunks:
                return None
            plan = plan_patch(hunks, cwd, self._disk)
            requirement = patch_needs(
                plan,
                approval=approval,
                policy=policy,
                cwd=turn_cwd,
                environ=self._environ,
                guarded=self._guarded,
            )
            return _Verified(plan, requirement)

        try:
            verified = await trio.to_thread.run_sync(verify)
        except PatchError as error:
            raise ToolError(_FAILED.format(error)) from error
        if verified is None:
            raise ToolError(_EMPTY)
        return verified

    async def _carry_out(
        self, verified: _Verified, call: ToolCall, context: ToolContext
    ) -> ToolOutput:
        plan, requirement = verified.plan, verified.requirement
        if isinstance(requirement, Forbidden):
            with PatchReport(context, call.call_id, plan, auto_approved=False) as report:
                return _refused(report, requirement.reason, ApplyPatchStatus.FAILED)
        permission = PatchPermission(self._approvals, context, plan, requirement)
        granted = permission.granted_already
        with PatchReport(context, call.call_id, plan, auto_approved=granted) as report:
            if not granted and not await permission.ask(call.call_id):
                return _refused(report, _DECLINED, ApplyPatchStatus.DECLINED)
            output = await self._write(report, call)
        diff = self.turn_diff(context.turn_id)
        if output.success and diff is not None:
            context.emit(TurnDiff(unified_diff=diff))
        return output

    async def _write(self, report: PatchReport, call: ToolCall) -> ToolOutput:
        plan, context = report.plan, report.context
        turn = (context.turn_id, context.cwd)
        token = context.world.new_id()

        def write() -> tuple[str, ...]:
            notes = write_steps(plan.steps, self._disk, token)
            try:
                self._changes(*turn).add(plan, self._disk)
            except Exception:
                # The files are written, and that is what the end must say.
                _logger.exception("the diff of turn %r misses patch %r", turn[0], report.call_id)
            return notes

        started = trio.current_time()
        try:
            # Not to be abandoned: a cancellation waits until the end is known.
            notes = await trio.to_thread.run_sync(write)
        except PatchNotWritten as error:
            text, exit_code = error.text, 1
            report.fail(text)
        else:
            text, exit_code = plan.summary + "".join(f"{note}\n" for note in notes), 0
            report.complete(text)
        answer = command_answer(
            text,
            exit_code=exit_code,
            duration=trio.current_time() - started,
            policy=context.truncation_policy,
            as_json=wants_json(call, context.model_info),
        )
        return ToolOutput(output=answer, success=exit_code == 0)

    def _changes(self, turn_id: TurnId, cwd: str) -> TurnChanges:
        if self._turn is None or self._turn[0] != turn_id:
            self._turn = (turn_id, TurnChanges.around(cwd))
        return self._turn[1]


def _refused(report: PatchReport, text: str, status: ApplyPatchStatus) -> ToolOutput:
    report.fail(text, status)
    return ToolOutput(output=text, success=False)


def _warn(tool_name: str, context: ToolContext) -> None:
    text = (
        f"Warning: apply_patch was requested via {tool_name}. Use the apply_patch tool instead "
        "of exec_command."
    )
    context.add_input(Message(role="user", content=(InputText(text=text),)))
