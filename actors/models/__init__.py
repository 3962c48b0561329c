"""
Models: the interface of a provider, its errors, and the two providers of the house.

Nothing heavy is imported here: the HTTP client and the parsers of scenarios
are loaded when they are first needed.
"""

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
from .responses import OPENAI_BASE_URL, ResponsesProvider
from .retries import retry_delay
from .scenario import Scenario, ScenarioError
from .scenario_file import load_scenario, parse_scenario
from .scripted import SCRIPTED_PROVIDER, ScriptedProvider

__all__ = [
    "BASE_INSTRUCTIONS",
    "DEFAULT_MODEL",
    "MAX_RETRIES",
    "OPENAI_BASE_URL",
    "SCRIPTED_MODEL",
    "SCRIPTED_PROVIDER",
    "Completed",
    "ConnectionFailed",
    "ContextWindowExceeded",
    "Created",
    "InputModality",
    "InternalServerError",
    "InvalidImage",
    "InvalidRequest",
    "ItemAdded",
    "ItemDone",
    "MissingKey",
    "ModelError",
    "ModelInfo",
    "ModelProvider",
    "ModelRequest",
    "PatchForm",
    "ProviderInfo",
    "QuotaExceeded",
    "RateLimited",
    "RateLimits",
    "ReasoningContentDelta",
    "ReasoningSummaryDelta",
    "ReasoningSummaryPartAdded",
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
    "TurnState",
    "UnexpectedStatus",
    "UsageLimitReached",
    "UsageNotIncluded",
    "WireApi",
    "builtin_scenario",
    "find_model_info",
    "load_scenario",
    "parse_scenario",
    "read_key",
    "retry_delay",
]
