"""Settings as clients see them; where they look like the core's, the core's values are used."""

from enum import Enum
from typing import TypeAlias

import attrs

from ..settings import NetworkAccess, SubAgentSource
from ..value import Json
from .checks import absolute_paths
from .value import RpcParams, RpcValue

__all__ = [
    "ApprovalsReviewer",
    "DangerFullAccessSandboxPolicy",
    "DynamicToolSpec",
    "ExternalSandboxSandboxPolicy",
    "FullAccessReadOnlyAccess",
    "GitInfo",
    "MultiAgentMode",
    "ReadOnlyAccess",
    "ReadOnlySandboxPolicy",
    "RestrictedReadOnlyAccess",
    "SandboxMode",
    "SandboxPolicy",
    "SessionSource",
    "SessionSourceKind",
    "SortDirection",
    "SubAgentSessionSource",
    "WorkspaceWriteSandboxPolicy",
]


class SandboxMode(Enum):
    """A sandbox by its name alone; the rest comes from the configuration."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    DANGER_FULL_ACCESS = "danger-full-access"


class ApprovalsReviewer(Enum):
    """Who answers when something needs approval."""

    USER = "user"
    AUTO_REVIEW = "auto_review"
    GUARDIAN_SUBAGENT = "guardian_subagent"


class MultiAgentMode(Enum):
    """When a model starts agents of its own."""

    EXPLICIT_REQUEST_ONLY = "explicitRequestOnly"
    PROACTIVE = "proactive"


class SortDirection(Enum):
    """Oldest first, or newest first."""

    ASC = "asc"
    DESC = "desc"


@attrs.frozen(kw_only=True)
class FullAccessReadOnlyAccess(RpcValue):
    """Everything may be read."""


@attrs.frozen(kw_only=True)
class RestrictedReadOnlyAccess(RpcValue):
    """Only the named roots may be read, and the platform's own unless excluded."""

    include_platform_defaults: bool = True
    readable_roots: tuple[str, ...] = attrs.field(default=(), validator=absolute_paths)


ReadOnlyAccess: TypeAlias = FullAccessReadOnlyAccess | RestrictedReadOnlyAccess


@attrs.frozen(kw_only=True)
class DangerFullAccessSandboxPolicy(RpcValue):
    """No sandbox at all."""


@attrs.frozen(kw_only=True)
class ReadOnlySandboxPolicy(RpcValue):
    """Commands may read what access says, and write nothing."""

    access: ReadOnlyAccess = attrs.field(factory=FullAccessReadOnlyAccess)
    network_access: bool = False


@attrs.frozen(kw_only=True)
class ExternalSandboxSandboxPolicy(RpcValue):
    """Somebody else already put us into a sandbox."""

    network_access: NetworkAccess = NetworkAccess.RESTRICTED


@attrs.frozen(kw_only=True)
class WorkspaceWriteSandboxPolicy(RpcValue):
    """Commands may write below the working directory and the named roots."""

    writable_roots: tuple[str, ...] = attrs.field(default=(), validator=absolute_paths)
    read_only_access: ReadOnlyAccess = attrs.field(factory=FullAccessReadOnlyAccess)
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


SandboxPolicy: TypeAlias = (
    DangerFullAccessSandboxPolicy
    | ReadOnlySandboxPolicy
    | ExternalSandboxSandboxPolicy
    | WorkspaceWriteSandboxPolicy
)


class SessionSourceKind(Enum):
    """Which kind of program started a thread; the app-server's own say ``vscode``."""

    CLI = "cli"
    VSCODE = "vscode"
    EXEC = "exec"
    APP_SERVER = "appServer"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class SubAgentSessionSource(RpcValue):
    """A thread that belongs to another thread."""

    sub_agent: SubAgentSource


SessionSource: TypeAlias = SessionSourceKind | SubAgentSessionSource


@attrs.frozen(kw_only=True)
class GitInfo(RpcValue):
    """Where the working tree stood; each member None when it could not be told."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = None


@attrs.frozen(kw_only=True)
class DynamicToolSpec(RpcParams):
    """A tool that the client offers and runs itself; input_schema is a JSON schema."""

    name: str
    description: str
    input_schema: Json
