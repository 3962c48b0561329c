"""Requests that list what there is: models, modes, features, apps, MCP servers."""

from collections.abc import Mapping
from enum import Enum

import attrs

from ..settings import ModeKind, ReasoningEffort
from ..value import Json
from .checks import natural
from .value import RpcParams, RpcValue

__all__ = [
    "AppsListParams",
    "AppsListResponse",
    "CollaborationModeListParams",
    "CollaborationModeListResponse",
    "CollaborationModeMask",
    "ExperimentalFeature",
    "ExperimentalFeatureListParams",
    "ExperimentalFeatureListResponse",
    "ExperimentalFeatureStage",
    "FeedbackUploadParams",
    "FeedbackUploadResponse",
    "InputModality",
    "ListMcpServerStatusParams",
    "ListMcpServerStatusResponse",
    "McpAuthStatus",
    "McpServerOauthLoginParams",
    "McpServerOauthLoginResponse",
    "McpServerRefreshResponse",
    "McpServerStatus",
    "McpServerStatusDetail",
    "MockExperimentalMethodParams",
    "MockExperimentalMethodResponse",
    "Model",
    "ModelListParams",
    "ModelListResponse",
    "ReasoningEffortOption",
]


@attrs.frozen(kw_only=True)
class ModelListParams(RpcParams):
    """List models; those that are not for everybody only when asked for."""

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    include_hidden: bool | None = None


class InputModality(Enum):
    """What a model can take in."""

    TEXT = "text"
    IMAGE = "image"


@attrs.frozen(kw_only=True)
class ReasoningEffortOption(RpcValue):
    """One effort that a model knows."""

    reasoning_effort: ReasoningEffort
    description: str


@attrs.frozen(kw_only=True)
class Model(RpcValue):
    """
    One model.

    Attributes:
        upgrade: The model that replaces it; None for none.
        hidden: Whether it is left out of pickers.
    """

    id: str
    model: str
    display_name: str
    description: str
    supported_reasoning_efforts: tuple[ReasoningEffortOption, ...]
    default_reasoning_effort: ReasoningEffort
    is_default: bool
    hidden: bool = False
    upgrade: str | None = None
    input_modalities: tuple[InputModality, ...] = (InputModality.TEXT, InputModality.IMAGE)
    supports_personality: bool = False


@attrs.frozen(kw_only=True)
class ModelListResponse(RpcValue):
    """A page of models; None at the end."""

    data: tuple[Model, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class CollaborationModeListParams(RpcParams):
    """List collaboration modes."""


@attrs.frozen(kw_only=True)
class CollaborationModeMask(RpcValue):
    """A collaboration mode as a preset; what is None stays as it is."""

    name: str
    mode: ModeKind | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    developer_instructions: str | None = None


@attrs.frozen(kw_only=True)
class CollaborationModeListResponse(RpcValue):
    """All collaboration modes."""

    data: tuple[CollaborationModeMask, ...]


@attrs.frozen(kw_only=True)
class ExperimentalFeatureListParams(RpcParams):
    """List features that can be switched."""

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)


class ExperimentalFeatureStage(Enum):
    """How far a feature is."""

    BETA = "beta"
    UNDER_DEVELOPMENT = "underDevelopment"
    STABLE = "stable"
    DEPRECATED = "deprecated"
    REMOVED = "removed"


@attrs.frozen(kw_only=True)
class ExperimentalFeature(RpcValue):
    """One feature; the texts are there for those in beta."""

    name: str
    stage: ExperimentalFeatureStage
    enabled: bool
    default_enabled: bool
    display_name: str | None = None
    description: str | None = None
    announcement: str | None = None


@attrs.frozen(kw_only=True)
class ExperimentalFeatureListResponse(RpcValue):
    """A page of features; None at the end."""

    data: tuple[ExperimentalFeature, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class AppsListParams(RpcParams):
    """List apps."""

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    thread_id: str | None = None
    force_refetch: bool = False


@attrs.frozen(kw_only=True)
class AppsListResponse(RpcValue):
    """A page of apps; None at the end."""

    data: tuple[Json, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class McpServerRefreshResponse(RpcValue):
    """MCP servers are looked at again with the next turn of each thread."""


class McpServerStatusDetail(Enum):
    """How much is told of an MCP server."""

    FULL = "full"
    TOOLS_AND_AUTH_ONLY = "toolsAndAuthOnly"


@attrs.frozen(kw_only=True)
class ListMcpServerStatusParams(RpcParams):
    """
    List MCP servers.

    Attributes:
        detail: None for everything.
        thread_id: Those that this thread uses; None for those of the configuration.
        server_name: This one only; None for all.
    """

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    detail: McpServerStatusDetail | None = None
    thread_id: str | None = None
    server_name: str | None = None


class McpAuthStatus(Enum):
    """How one is known to an MCP server."""

    UNSUPPORTED = "unsupported"
    NOT_LOGGED_IN = "notLoggedIn"
    BEARER_TOKEN = "bearerToken"  # noqa: S105 -- the word, not a token
    O_AUTH = "oAuth"


@attrs.frozen(kw_only=True)
class McpServerStatus(RpcValue):
    """One MCP server; tools by name, all parts as the MCP has them."""

    name: str
    tools: Mapping[str, Json]
    resources: tuple[Json, ...]
    resource_templates: tuple[Json, ...]
    auth_status: McpAuthStatus


@attrs.frozen(kw_only=True)
class ListMcpServerStatusResponse(RpcValue):
    """A page of MCP servers; None at the end."""

    data: tuple[McpServerStatus, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class McpServerOauthLoginParams(RpcParams):
    """Log in at an MCP server; the timeout is in seconds."""

    name: str
    scopes: tuple[str, ...] | None = None
    timeout_secs: int | None = attrs.field(default=None, validator=natural)


@attrs.frozen(kw_only=True)
class McpServerOauthLoginResponse(RpcValue):
    """Where the user is to go."""

    authorization_url: str


@attrs.frozen(kw_only=True)
class MockExperimentalMethodParams(RpcParams):
    """Do nothing; for tests of the gate."""

    value: str | None = None


@attrs.frozen(kw_only=True)
class MockExperimentalMethodResponse(RpcValue):
    """The same value."""

    echoed: str | None = None


@attrs.frozen(kw_only=True)
class FeedbackUploadParams(RpcParams):
    """Tell the makers something."""

    classification: str
    include_logs: bool = False
    reason: str | None = None
    thread_id: str | None = None


@attrs.frozen(kw_only=True)
class FeedbackUploadResponse(RpcValue):
    """The thread that it was about."""

    thread_id: str
