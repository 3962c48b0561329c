"""What a model provider is: the request, the events of its answer, and the interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol, TypeAlias

import attrs

from messages.events import RateLimitSnapshot, TokenUsage
from messages.items import ResponseItem
from messages.settings import ReasoningEffort, ReasoningSummary, Verbosity
from messages.value import Json

from .catalog import DEFAULT_MODEL, ModelInfo

__all__ = [
    "MAX_RETRIES",
    "Completed",
    "Created",
    "ItemAdded",
    "ItemDone",
    "ModelProvider",
    "ModelRequest",
    "ProviderInfo",
    "RateLimits",
    "ReasoningContentDelta",
    "ReasoningSummaryDelta",
    "ReasoningSummaryPartAdded",
    "ResponseEvent",
    "ServerReasoningIncluded",
    "TextDelta",
    "TurnState",
    "WireApi",
]

MAX_RETRIES = 100
"""More retries than these are never made, whatever a configuration asks for."""


@attrs.define(eq=False)
class TurnState:
    """
    What the server wants to see again in later requests of the same turn.

    The turn makes one and hands it to each of its requests.  A provider sets it
    from its first response and never changes it afterwards.

    Attributes:
        value: Opaque; None until a server sent one.
    """

    value: str | None = None


@attrs.frozen(kw_only=True)
class ModelRequest:
    """
    One question to a model, complete in itself.

    Attributes:
        model: As the user named it; never checked against a list.
        instructions: Base instructions; may be empty.
        input: The history as the model is to see it, oldest first.
        tools: Specifications in wire form; may be empty.
        parallel_tool_calls: Whether the model may call several tools at once.
        effort: None for the model's own default.
        verbosity: None for the model's own default.
        output_schema: JSON schema that the answer must fit; None for free text.
        prompt_cache_key: The thread's id.
        turn_id: The turn's id; may be empty outside of turns.
        subagent: What kind of sub-agent asks, such as ``review`` or ``compact``.
        model_info: What the model can do, for who knows better than the provider.
        turn_state: Shared by the requests of one turn.
    """

    model: str
    instructions: str
    input: tuple[ResponseItem, ...]
    tools: tuple[Json, ...] = ()
    parallel_tool_calls: bool = False
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    output_schema: Json = None
    prompt_cache_key: str = ""
    turn_id: str = ""
    subagent: str | None = None
    model_info: ModelInfo | None = None
    turn_state: TurnState = attrs.field(factory=TurnState, eq=False, repr=False)


@attrs.frozen
class Created:
    """The model began to answer."""


@attrs.frozen
class ItemAdded:
    """An item appeared; what it will hold comes in deltas and with `ItemDone`."""

    item: ResponseItem


@attrs.frozen
class ItemDone:
    """An item is finished; this is the one to record."""

    item: ResponseItem


@attrs.frozen
class TextDelta:
    """The next piece of the message that was added last."""

    delta: str


@attrs.frozen
class ReasoningSummaryDelta:
    """The next piece of a part of the reasoning summary; parts count from 0."""

    delta: str
    summary_index: int


@attrs.frozen
class ReasoningContentDelta:
    """The next piece of a part of the raw reasoning; parts count from 0."""

    delta: str
    content_index: int


@attrs.frozen
class ReasoningSummaryPartAdded:
    """The reasoning summary goes on with this part, counted from 0."""

    summary_index: int


@attrs.frozen
class RateLimits:
    """How much of the user's limits is used, as the response's headers told it."""

    snapshot: RateLimitSnapshot


@attrs.frozen
class ServerReasoningIncluded:
    """Whether the server's token counts already include earlier reasoning."""

    included: bool


@attrs.frozen
class Completed:
    """
    The model has answered; always the last event.

    Attributes:
        response_id: The server's name for the response; may be empty.
        usage: None when the server did not count.
    """

    response_id: str
    usage: TokenUsage | None


ResponseEvent: TypeAlias = (
    Created
    | ItemAdded
    | ItemDone
    | TextDelta
    | ReasoningSummaryDelta
    | ReasoningContentDelta
    | ReasoningSummaryPartAdded
    | RateLimits
    | ServerReasoningIncluded
    | Completed
)


class WireApi(Enum):
    """The protocol an endpoint speaks; there is only this one."""

    RESPONSES = "responses"


def _capped(retries: int) -> int:
    return min(retries, MAX_RETRIES)


def _without_slash(url: str | None) -> str | None:
    return None if url is None else url.rstrip("/")


def _no_names() -> Mapping[str, str]:
    return {}


_non_negative = attrs.validators.ge(0)
_http_url = attrs.validators.optional(attrs.validators.matches_re(r"https?://[^/\s]+\S*"))


@attrs.frozen(kw_only=True)
class ProviderInfo:
    """
    Where models are and how to talk to them: one ``[model_providers.<id>]``.

    Attributes:
        id: Its key in the configuration, for example ``openai``.
        name: For people.
        base_url: With http or https, without the ``/responses``.
        env_key: Environment variable that holds the key; None when none is needed.
        env_key_instructions: How to get such a key, for people.
        experimental_bearer_token: The key itself; `env_key` goes before it.
        query_params: Appended to every URL.
        http_headers: Sent with every request.
        env_http_headers:
            Header to the environment variable that holds its value; left out
            when that variable is missing or blank.
        request_max_retries:
            How often a request that got no stream is made again; at most 100.
        stream_max_retries:
            How often a request whose stream broke off is made again; at most 100.
        stream_idle_timeout_ms: Longest silence between two events.
        requires_openai_auth: Whether it wants the user's OpenAI key.
        default_model: Asked when nobody chose a model.

    Source:
        Codex, ``ModelProviderInfo``; keys, defaults and caps are the same.  The
        two retry numbers bound one common count of attempts (see `retry_delay`);
        Codex multiplies them.
    """

    id: str
    name: str
    base_url: str | None = attrs.field(default=None, converter=_without_slash, validator=_http_url)
    env_key: str | None = None
    env_key_instructions: str | None = None
    experimental_bearer_token: str | None = attrs.field(default=None, repr=False)
    wire_api: WireApi = WireApi.RESPONSES
    query_params: Mapping[str, str] = attrs.field(factory=_no_names, repr=False)
    http_headers: Mapping[str, str] = attrs.field(factory=_no_names, repr=False)
    env_http_headers: Mapping[str, str] = attrs.field(factory=_no_names)
    request_max_retries: int = attrs.field(default=4, converter=_capped, validator=_non_negative)
    stream_max_retries: int = attrs.field(default=5, converter=_capped, validator=_non_negative)
    stream_idle_timeout_ms: int = attrs.field(default=300_000, validator=attrs.validators.ge(1))
    requires_openai_auth: bool = False
    default_model: str = DEFAULT_MODEL

    @property
    def stream_idle_timeout(self) -> float:
        """Longest silence between two events, in seconds."""
        return self.stream_idle_timeout_ms / 1000


class ModelProvider(Protocol):
    """
    A place that answers model requests.

    Shared by all threads of a supervisor; any number of streams may be open at
    once.  Implementations keep no conversation: everything is in the request.
    """

    @property
    def info(self) -> ProviderInfo:
        """Who it is and how patient one should be with it."""
        ...

    def model_info(self, model: str) -> ModelInfo:
        """Say what *model* can do; an unknown name gets cautious values, never an error."""
        ...

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[ResponseEvent]]:
        """
        Ask once, and give the events of the answer as they come.

        Entering sends the request; leaving ends it, whether it was read to its
        end or not.  `Completed` is the last event; an answer that ends without
        it raises.  Nothing is tried twice and nobody waits here: see `retry_delay`.

        Raises:
            ModelError: On entering or while reading; says whether trying again
                makes sense.

        Cancellation:
            At any await.  The request is dropped and its connection closed.
        """
        ...

    async def aclose(self) -> None:
        """Drop what is open and let go of all resources; streams in use break off."""
        ...
