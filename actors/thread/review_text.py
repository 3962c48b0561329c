"""What a reviewer is told, and what becomes of its words."""

from typing import Final, assert_never

import attrs

from messages.codec import decode
from messages.content import InputText, OutputText
from messages.errors import DecodeError
from messages.events import (
    BaseBranchTarget,
    CommitTarget,
    CustomTarget,
    ReviewFinding,
    ReviewOutput,
    ReviewTarget,
    UncommittedChangesTarget,
)
from messages.items import Message

__all__ = [
    "INTERRUPTED_REVIEW",
    "REVIEW_INSTRUCTIONS",
    "parse_review",
    "render_review",
    "review_messages",
    "review_prompt",
]

REVIEW_INSTRUCTIONS: Final = """\
You review a change to a program that somebody else wrote. Read the change and as much of the \
code around it as you need; run commands that only read. Change nothing.

Report what the author would want to repair once they know of it: wrong results, crashes, lost \
data, security holes, races, broken promises to callers, and clear slowness. Report only what \
this change brings in, what you can point at in the code, and what happens in real use. Leave \
out taste, style and guesses. Nothing to report is a fine result.

For each finding give the place as precisely as you can, say under which input or order of \
events it happens and what then goes wrong, in a few plain sentences, without praise or blame. \
Priorities: 0 stops everything, 1 must be repaired soon, 2 should be repaired, 3 is nice to have.

Your last message is only a JSON object, without a code fence, of this form:

{"findings": [{"title": "at most 80 characters", "body": "Markdown", "confidence_score": 0.0,
  "priority": 0, "code_location": {"absolute_file_path": "/...", "line_range":
  {"start": 1, "end": 1}}}],
 "overall_correctness": "patch is correct" or "patch is incorrect",
 "overall_explanation": "one to three sentences", "overall_confidence_score": 0.0}"""

INTERRUPTED_REVIEW: Final = (
    "Review was interrupted. Please re-run /review and wait for it to complete."
)

_NOTHING_SAID: Final = "Reviewer failed to output a response."


def review_prompt(target: ReviewTarget) -> str:
    """Say what is to be reviewed, as the reviewer's first input."""
    match target:
        case UncommittedChangesTarget():
            what = (
                "the changes in the working tree that are not committed: staged, unstaged and "
                "untracked files (git status, git diff, git diff --staged)"
            )
        case BaseBranchTarget(branch=branch):
            what = (
                f"what the current branch adds to {branch!r}: find the merge base with "
                f"`git merge-base HEAD {branch}` and look at the diff from there to HEAD"
            )
        case CommitTarget(sha=sha, title=title):
            named = f" ({title})" if title else ""
            what = f"the commit {sha}{named}: see `git show {sha}`"
        case CustomTarget(instructions=instructions):
            return instructions.strip()
        case _:
            assert_never(target)
    return f"Review {what}. Report your findings as you were told."


def parse_review(text: str | None) -> ReviewOutput | None:
    """
    Read the reviewer's last message; None when it said nothing.

    What is no JSON of the form that was asked for becomes the explanation as it is.

    Source:
        Codex, ``parse_review_output_event``: the whole text, else from the first brace
        to the last.
    """
    if not text:
        return None
    inner = text[text.find("{") : text.rfind("}") + 1]
    for candidate in (text, inner):
        try:
            output: ReviewOutput = decode(candidate.encode(), ReviewOutput)
        except (DecodeError, UnicodeEncodeError):
            continue
        # Told again in our own words: with what it left out, without what it invented.
        return attrs.evolve(output, extra=None)
    return ReviewOutput(overall_explanation=text)


def render_review(output: ReviewOutput | None) -> str:
    """Put a review into words for people: the explanation, then the findings."""
    if output is None:
        return _NOTHING_SAID
    parts = [output.overall_explanation.strip()] if output.overall_explanation.strip() else []
    if output.findings:
        several = len(output.findings) > 1
        head = "Full review comments:" if several else "Review comment:"
        parts.append("\n\n".join([head, *map(_render_finding, output.findings)]))
    return "\n\n".join(parts) or _NOTHING_SAID


def review_messages(text: str, *, interrupted: bool = False) -> tuple[Message, Message]:
    """Build the two messages by which the model of the reviewed thread learns of a review."""
    state = "was stopped by the user" if interrupted else "has ended"
    told = (
        "<user_action>\n"
        f"  <context>The user asked for a review of code, which {state}.</context>\n"
        "  <action>review</action>\n"
        f"  <results>\n{text}\n  </results>\n"
        "</user_action>"
    )
    return (
        Message(role="user", id="review_rollout_user", content=(InputText(text=told),)),
        Message(role="assistant", id="review_rollout_assistant", content=(OutputText(text=text),)),
    )


def _render_finding(finding: ReviewFinding) -> str:
    place = finding.code_location
    lines = f"{place.line_range.start}-{place.line_range.end}"
    head = f"- {finding.title} — {place.absolute_file_path}:{lines}"
    return "\n".join([head, *(f"  {line}" for line in finding.body.splitlines())])
