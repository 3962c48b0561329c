"""Events that answer a client's questions, and reviews."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from ..value import Json, Value

__all__ = [
    "BaseBranchTarget",
    "CodeLocation",
    "CommitTarget",
    "CustomPrompt",
    "CustomTarget",
    "EnteredReviewMode",
    "ExitedReviewMode",
    "GetHistoryEntryResponse",
    "HistoryEntry",
    "LineRange",
    "ListCustomPromptsResponse",
    "ListRemoteSkillsResponse",
    "ListSkillsResponse",
    "McpListToolsResponse",
    "RemoteSkill",
    "RemoteSkillDownloaded",
    "ReviewFinding",
    "ReviewOutput",
    "ReviewTarget",
    "SkillError",
    "SkillMetadata",
    "SkillsListEntry",
    "UncommittedChangesTarget",
]


@attrs.frozen(kw_only=True)
class HistoryEntry(Value):
    """One line of the prompt history; ts in seconds since the Unix epoch."""

    conversation_id: str
    ts: int
    text: str


@attrs.frozen(kw_only=True)
class GetHistoryEntryResponse(Value):
    """One line of the prompt history, or None when there is no such line."""

    offset: int
    log_id: int
    entry: HistoryEntry | None = None


@attrs.frozen(kw_only=True)
class McpListToolsResponse(Value):
    """Everything the MCP servers offer, by qualified name."""

    tools: Mapping[str, Json]
    resources: Mapping[str, Json]
    resource_templates: Mapping[str, Json]
    auth_statuses: Mapping[str, str]


@attrs.frozen(kw_only=True)
class CustomPrompt(Value):
    """A prompt that the user keeps as a file."""

    name: str
    path: str
    content: str
    description: str | None = None
    argument_hint: str | None = None


@attrs.frozen(kw_only=True)
class ListCustomPromptsResponse(Value):
    """The user's own prompts."""

    custom_prompts: tuple[CustomPrompt, ...]


@attrs.frozen(kw_only=True)
class SkillMetadata(Value):
    """A skill as listed; interface and dependencies as its file gives them."""

    name: str
    description: str
    path: str
    scope: str
    enabled: bool
    short_description: str | None = None
    interface: Json = None
    dependencies: Json = None


@attrs.frozen(kw_only=True)
class SkillError(Value):
    """A skill file that could not be read."""

    path: str
    message: str


@attrs.frozen(kw_only=True)
class SkillsListEntry(Value):
    """The skills of one working directory."""

    cwd: str
    skills: tuple[SkillMetadata, ...]
    errors: tuple[SkillError, ...]


@attrs.frozen(kw_only=True)
class ListSkillsResponse(Value):
    """The skills of each working directory asked for."""

    skills: tuple[SkillsListEntry, ...]


@attrs.frozen(kw_only=True)
class RemoteSkill(Value):
    """A skill that can be downloaded."""

    id: str
    name: str
    description: str


@attrs.frozen(kw_only=True)
class ListRemoteSkillsResponse(Value):
    """Skills that can be downloaded."""

    skills: tuple[RemoteSkill, ...]


@attrs.frozen(kw_only=True)
class RemoteSkillDownloaded(Value):
    """A skill was downloaded."""

    id: str
    name: str
    path: str


@attrs.frozen(kw_only=True)
class UncommittedChangesTarget(Value):
    """Review what is not committed."""


@attrs.frozen(kw_only=True)
class BaseBranchTarget(Value):
    """Review against a branch."""

    branch: str


@attrs.frozen(kw_only=True)
class CommitTarget(Value):
    """Review one commit."""

    sha: str
    title: str | None = None


@attrs.frozen(kw_only=True)
class CustomTarget(Value):
    """Review as these instructions say."""

    instructions: str


ReviewTarget: TypeAlias = UncommittedChangesTarget | BaseBranchTarget | CommitTarget | CustomTarget


@attrs.frozen(kw_only=True)
class EnteredReviewMode(Value):
    """A review began."""

    target: ReviewTarget
    user_facing_hint: str | None = None


@attrs.frozen(kw_only=True)
class LineRange(Value):
    """Lines of a file, from 1, end included."""

    start: int
    end: int


@attrs.frozen(kw_only=True)
class CodeLocation(Value):
    """Where a finding is."""

    absolute_file_path: str
    line_range: LineRange


@attrs.frozen(kw_only=True)
class ReviewFinding(Value):
    """One thing that a review found."""

    title: str
    body: str
    confidence_score: float
    priority: int
    code_location: CodeLocation


@attrs.frozen(kw_only=True)
class ReviewOutput(Value):
    """What a review says."""

    findings: tuple[ReviewFinding, ...] = ()
    overall_correctness: str = ""
    overall_explanation: str = ""
    overall_confidence_score: float = 0.0


@attrs.frozen(kw_only=True)
class ExitedReviewMode(Value):
    """A review ended; None when it gave no result."""

    review_output: ReviewOutput | None = None
