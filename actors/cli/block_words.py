"""What is told in one piece: plans, images, reviews, what was typed into a process."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from messages.events import (
    BaseBranchTarget,
    CommitTarget,
    EnteredReviewMode,
    EventMsg,
    ExitedReviewMode,
    PlanStep,
    PlanUpdate,
    ReviewFinding,
    ReviewOutput,
    ReviewTarget,
    StepStatus,
    TerminalInteraction,
    UncommittedChangesTarget,
    ViewImageToolCall,
    WebSearchEnd,
)

from .pieces import Look, shortened

__all__ = ["Block", "block", "plan_lines", "review_lines", "typed_line"]

_LINE_LIMIT: Final = 200

_BOXES: Final[Mapping[StepStatus, str]] = {
    StepStatus.PENDING: "[ ]",
    StepStatus.IN_PROGRESS: "[>]",
    StepStatus.COMPLETED: "[x]",
}


@attrs.frozen
class Block:
    """
    A heading with lines below.

    Attributes:
        body: Empty for none.
        look: Of the heading.
        body_look: Of the lines.
    """

    heading: str
    body: str = ""
    look: Look = Look.HEAD
    body_look: Look = Look.PLAIN


def block(msg: EventMsg) -> Block | None:
    """Say what an event tells in one piece; None for any other event."""
    match msg:
        case PlanUpdate(plan=steps, explanation=explanation):
            return Block("plan", plan_lines(steps, explanation))
        case ViewImageToolCall(path=path):
            return Block(f"image: {shortened(path, _LINE_LIMIT)}", look=Look.COMMAND)
        case WebSearchEnd(query=query):
            words = f"web search: {shortened(query, _LINE_LIMIT)}" if query else "web search"
            return Block(words, look=Look.COMMAND)
        case TerminalInteraction(stdin=stdin, process_id=process_id) if stdin:
            return Block(typed_line(process_id, stdin), look=Look.COMMAND)
        case EnteredReviewMode(target=target, user_facing_hint=hint):
            return Block(f"review of {hint or _target(target)}")
        case ExitedReviewMode(review_output=None):
            return Block("review ended without a result")
        case ExitedReviewMode(review_output=ReviewOutput() as output):
            return Block("review", review_lines(output))
        case _:
            return None


def plan_lines(steps: Sequence[PlanStep], explanation: str | None) -> str:
    """Write a plan with a box before each step; its explanation comes first."""
    lines = [f"{_BOXES[entry.status]} {shortened(entry.step, _LINE_LIMIT)}" for entry in steps]
    words = (explanation or "").strip()
    return "\n".join([words, *lines] if words else lines)


def typed_line(process_id: str, stdin: str) -> str:
    """Say what was typed into a process; what acts on a terminal is spelled out."""
    return f"typed into process {process_id}: {shortened(repr(stdin), _LINE_LIMIT)}"


def review_lines(output: ReviewOutput) -> str:
    """Write what a review found, the findings after the whole."""
    whole = [output.overall_correctness, output.overall_explanation]
    parts = ["\n".join(text.strip() for text in whole if text.strip())]
    parts += map(_finding, output.findings)
    return "\n\n".join(part for part in parts if part)


def _finding(finding: ReviewFinding) -> str:
    where = finding.code_location
    lines = f"{where.line_range.start}-{where.line_range.end}"
    return (
        f"{finding.title.strip()} ({where.absolute_file_path}:{lines})\n{finding.body.strip()}"
    ).strip()


def _target(target: ReviewTarget) -> str:
    match target:
        case UncommittedChangesTarget():
            return "what is not committed"
        case BaseBranchTarget(branch=branch):
            return f"changes against {branch}"
        case CommitTarget(sha=sha, title=title):
            return f"commit {sha}" + (f": {title}" if title else "")
        case _:
            return shortened(target.instructions, _LINE_LIMIT)
