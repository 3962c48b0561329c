"""What items of tools are made of."""

from enum import Enum
from typing import TypeAlias

import attrs

from ..value import Json
from .value import RpcValue

__all__ = [
    "AddPatchChangeKind",
    "CollabAgentState",
    "CollabAgentStatus",
    "CollabAgentTool",
    "CollabAgentToolCallStatus",
    "DeletePatchChangeKind",
    "DynamicToolCallOutputContentItem",
    "DynamicToolCallStatus",
    "FileUpdateChange",
    "InputImageDynamicToolCallOutputContentItem",
    "InputTextDynamicToolCallOutputContentItem",
    "McpToolCallError",
    "McpToolCallResult",
    "McpToolCallStatus",
    "PatchApplyStatus",
    "PatchChangeKind",
    "UpdatePatchChangeKind",
]


@attrs.frozen(kw_only=True)
class AddPatchChangeKind(RpcValue):
    """The file is new."""


@attrs.frozen(kw_only=True)
class DeletePatchChangeKind(RpcValue):
    """The file goes away."""


@attrs.frozen(kw_only=True)
class UpdatePatchChangeKind(RpcValue):
    """The file changes, and moves when there is a move_path."""

    move_path: str | None = None


PatchChangeKind: TypeAlias = AddPatchChangeKind | DeletePatchChangeKind | UpdatePatchChangeKind


@attrs.frozen(kw_only=True)
class FileUpdateChange(RpcValue):
    """
    What happens to one file.

    Attributes:
        diff: The whole content of a new or deleted file; a unified diff of a changed one.
    """

    path: str
    kind: PatchChangeKind
    diff: str


class PatchApplyStatus(Enum):
    """How far a change of files is."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"
    DECLINED = "declined"


class McpToolCallStatus(Enum):
    """How far a call to an MCP server is."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class McpToolCallResult(RpcValue):
    """What an MCP tool answered."""

    content: tuple[Json, ...] = ()
    structured_content: Json = None
    meta: Json = None


@attrs.frozen(kw_only=True)
class McpToolCallError(RpcValue):
    """Why an MCP tool did not answer."""

    message: str


class DynamicToolCallStatus(Enum):
    """How far a call to a client's tool is."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class InputTextDynamicToolCallOutputContentItem(RpcValue):
    """Text that a client's tool gives the model."""

    text: str


@attrs.frozen(kw_only=True)
class InputImageDynamicToolCallOutputContentItem(RpcValue):
    """An image that a client's tool gives the model, by URL."""

    image_url: str


DynamicToolCallOutputContentItem: TypeAlias = (
    InputTextDynamicToolCallOutputContentItem | InputImageDynamicToolCallOutputContentItem
)


class CollabAgentTool(Enum):
    """What was done with agents."""

    SPAWN_AGENT = "spawnAgent"
    SEND_INPUT = "sendInput"
    RESUME_AGENT = "resumeAgent"
    WAIT = "wait"
    CLOSE_AGENT = "closeAgent"


class CollabAgentToolCallStatus(Enum):
    """How far a call about agents is."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"


class CollabAgentStatus(Enum):
    """How far an agent is."""

    PENDING_INIT = "pendingInit"
    RUNNING = "running"
    COMPLETED = "completed"
    ERRORED = "errored"
    SHUTDOWN = "shutdown"
    NOT_FOUND = "notFound"


@attrs.frozen(kw_only=True)
class CollabAgentState(RpcValue):
    """How far an agent is; message is its last word, or its error."""

    status: CollabAgentStatus
    message: str | None = None
