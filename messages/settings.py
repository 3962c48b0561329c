"""Settings of threads and turns: policies, modes and the value sets of the protocol."""

from enum import Enum
from typing import NewType, TypeAlias

import attrs

from .ids import ThreadId
from .value import Json, Unknown, Value

__all__ = [
    "KEEP",
    "AskForApproval",
    "CollaborationMode",
    "CollaborationSettings",
    "DangerFullAccess",
    "DynamicToolSpec",
    "ExternalSandbox",
    "FullReadAccess",
    "GitInfo",
    "Keep",
    "ModeKind",
    "NetworkAccess",
    "Personality",
    "ReadOnly",
    "ReadOnlyAccess",
    "ReasoningEffort",
    "ReasoningSummary",
    "RestrictedReadAccess",
    "SandboxPolicy",
    "SessionSource",
    "SourceKind",
    "SubAgentKind",
    "SubAgentOther",
    "SubAgentSource",
    "SubAgentThreadSpawn",
    "SubAgentWrapper",
    "TruncationMode",
    "TruncationPolicy",
    "UnknownSandbox",
    "Verbosity",
    "WorkspaceWrite",
]


class Keep(Enum):
    """Says "leave as it is" where None already means "clear it"."""

    KEEP = "keep"


KEEP = Keep.KEEP


class AskForApproval(Enum):
    """When a person is asked before something runs."""

    UNTRUSTED = "untrusted"
    ON_FAILURE = "on-failure"
    ON_REQUEST = "on-request"
    NEVER = "never"


class NetworkAccess(Enum):
    """Whether an outer sandbox lets commands reach the network."""

    RESTRICTED = "restricted"
    ENABLED = "enabled"


@attrs.frozen(kw_only=True)
class FullReadAccess(Value):
    """Everything may be read."""


@attrs.frozen(kw_only=True)
class RestrictedReadAccess(Value):
    """Only the named roots may be read, and the platform's own unless excluded."""

    include_platform_defaults: bool = True
    readable_roots: tuple[str, ...] = ()


ReadOnlyAccess: TypeAlias = FullReadAccess | RestrictedReadAccess


@attrs.frozen(kw_only=True)
class DangerFullAccess(Value):
    """No sandbox at all."""


@attrs.frozen(kw_only=True)
class ReadOnly(Value):
    """Commands may read (everything, unless access says less) and write nothing."""

    access: ReadOnlyAccess | None = None


@attrs.frozen(kw_only=True)
class ExternalSandbox(Value):
    """Somebody else already put us into a sandbox."""

    network_access: NetworkAccess = NetworkAccess.RESTRICTED


@attrs.frozen(kw_only=True)
class WorkspaceWrite(Value):
    """Commands may write below the working directory and the named roots."""

    writable_roots: tuple[str, ...] = ()
    read_only_access: ReadOnlyAccess | None = None
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


@attrs.frozen(kw_only=True)
class UnknownSandbox(Unknown):
    """A sandbox policy that this version does not know; nothing runs under it."""


SandboxPolicy: TypeAlias = (
    DangerFullAccess | ReadOnly | ExternalSandbox | WorkspaceWrite | UnknownSandbox
)

ReasoningEffort = NewType("ReasoningEffort", str)
"""How long the model thinks: none, minimal, low, medium, high, xhigh, or a newer word."""


class ReasoningSummary(Enum):
    """How much of its reasoning the model sums up for the reader."""

    AUTO = "auto"
    CONCISE = "concise"
    DETAILED = "detailed"
    NONE = "none"


class Verbosity(Enum):
    """How much the model writes."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Personality(Enum):
    """The tone of the model's answers."""

    NONE = "none"
    FRIENDLY = "friendly"
    PRAGMATIC = "pragmatic"


class ModeKind(Enum):
    """Which collaboration mode a thread is in."""

    PLAN = "plan"
    DEFAULT = "default"


@attrs.frozen(kw_only=True)
class CollaborationSettings(Value):
    """What a collaboration mode fixes; None means the model's own default or nothing."""

    model: str
    reasoning_effort: ReasoningEffort | None = None
    developer_instructions: str | None = None


@attrs.frozen(kw_only=True)
class CollaborationMode(Value):
    """How the model and the user work together."""

    mode: ModeKind
    settings: CollaborationSettings


class TruncationMode(Enum):
    """What a truncation limit counts; a token is taken for four bytes."""

    BYTES = "bytes"
    TOKENS = "tokens"


@attrs.frozen(kw_only=True)
class TruncationPolicy(Value):
    """How long a tool output may be in the history, in bytes or tokens."""

    mode: TruncationMode
    limit: int = attrs.field(validator=attrs.validators.ge(0))


class SourceKind(Enum):
    """Which kind of program started a thread."""

    CLI = "cli"
    VSCODE = "vscode"
    EXEC = "exec"
    MCP = "mcp"
    UNKNOWN = "unknown"


class SubAgentKind(Enum):
    """Sub-threads that the runtime starts for its own work."""

    REVIEW = "review"
    COMPACT = "compact"
    MEMORY_CONSOLIDATION = "memory_consolidation"


@attrs.frozen(kw_only=True)
class SubAgentThreadSpawn(Value):
    """A sub-thread that a model asked for."""

    parent_thread_id: ThreadId
    depth: int


@attrs.frozen(kw_only=True)
class SubAgentOther:
    """A sub-thread with a label of its own."""

    other: str


SubAgentSource: TypeAlias = SubAgentKind | SubAgentThreadSpawn | SubAgentOther


@attrs.frozen(kw_only=True)
class SubAgentWrapper:
    """A thread that belongs to another thread."""

    subagent: SubAgentSource


SessionSource: TypeAlias = SourceKind | SubAgentWrapper


@attrs.frozen(kw_only=True)
class GitInfo(Value):
    """Where the working tree stood; each member None when it could not be told."""

    commit_hash: str | None = None
    branch: str | None = None
    repository_url: str | None = None


@attrs.frozen(kw_only=True)
class DynamicToolSpec(Value):
    """A tool that the client offers and runs itself; input_schema is a JSON schema."""

    name: str
    description: str
    input_schema: Json
