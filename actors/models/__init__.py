"""
Models: the interface of a provider, its errors, and the two providers of the house.

Nothing heavy is imported here: the HTTP client and the parsers of scenarios
are loaded when they are first needed.
"""

from .auth import AuthManager, stored_auth_mode
from .auth_credentials import Account, AuthMode, Credentials, CredentialsSource, CredentialStore
from .auth_errors import (
    CredentialsError,
    CredentialStoreUnsupported,
    RefreshFailure,
    RefreshTokenFailed,
    TokenRefreshFailed,
)
from .builtin_scenario import builtin_scenario
from .catalog import (
    DEFAULT_MODEL,
    SCRIPTED_MODEL,
    InputModality,
    ModelInfo,
    PatchForm,
    find_model_info,
)
from .errors import (
    ConnectionFailed,
    ContextWindowExceeded,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    MissingKey,
    ModelError,
    QuotaExceeded,
    RateLimited,
    ResponseStreamFailed,
    ServerOverloaded,
    StreamDisconnected,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
)
from .instructions import BASE_INSTRUCTIONS
from .live_catalog import ModelCatalog, ModelCatalogStatistics
from .model_list import EffortChoice, ListedModel, ModelPreset, Visibility
from .model_wire import read_models
from .models_fetch import FetchedModels, ModelsFetch, http_models_fetch
from .models_refresh import AccountSource, RefreshStrategy
from .overrides import ModelOverrides
from .provider import (
    MAX_RETRIES,
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ModelProvider,
    ModelRequest,
    ProviderInfo,
    RateLimits,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ServerReasoningIncluded,
    TextDelta,
    TurnState,
    WireApi,
)
from .request_body import read_key
from .responses import CHATGPT_BASE_URL, OPENAI_BASE_URL, ResponsesProvider, service_url
from .retries import retry_delay
from .scenario import Scenario, ScenarioError
from .scenario_file import load_scenario, parse_scenario
from .scripted import SCRIPTED_PROVIDER, ScriptedProvider

__all__ = [
    "BASE_INSTRUCTIONS",
    "CHATGPT_BASE_URL",
    "DEFAULT_MODEL",
    "MAX_RETRIES",
    "OPENAI_BASE_URL",
    "SCRIPTED_MODEL",
    "SCRIPTED_PROVIDER",
    "Account",
    "AccountSource",
    "AuthManager",
    "AuthMode",
    "Completed",
    "ConnectionFailed",
    "ContextWindowExceeded",
    "Created",
    "CredentialStore",
    "CredentialStoreUnsupported",
    "Credentials",
    "CredentialsError",
    "CredentialsSource",
    "EffortChoice",
    "FetchedModels",
    "InputModality",
    "InternalServerError",
    "InvalidImage",
    "InvalidRequest",
    "ItemAdded",
    "ItemDone",
    "ListedModel",
    "MissingKey",
    "ModelCatalog",
    "ModelCatalogStatistics",
    "ModelError",
    "ModelInfo",
    "ModelOverrides",
    "ModelPreset",
    "ModelProvider",
    "ModelRequest",
    "ModelsFetch",
    "PatchForm",
    "ProviderInfo",
    "QuotaExceeded",
    "RateLimited",
    "RateLimits",
    "ReasoningContentDelta",
    "ReasoningSummaryDelta",
    "ReasoningSummaryPartAdded",
    "RefreshFailure",
    "RefreshStrategy",
    "RefreshTokenFailed",
    "ResponseEvent",
    "ResponseStreamFailed",
    "ResponsesProvider",
    "Scenario",
    "ScenarioError",
    "ScriptedProvider",
    "ServerOverloaded",
    "ServerReasoningIncluded",
    "StreamDisconnected",
    "TextDelta",
    "TokenRefreshFailed",
    "TurnState",
    "UnexpectedStatus",
    "UsageLimitReached",
    "UsageNotIncluded",
    "Visibility",
    "WireApi",
    "builtin_scenario",
    "find_model_info",
    "http_models_fetch",
    "load_scenario",
    "parse_scenario",
    "read_key",
    "read_models",
    "retry_delay",
    "service_url",
    "stored_auth_mode",
]
