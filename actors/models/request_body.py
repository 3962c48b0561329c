"""The body and the headers of a Responses request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import orjson

from messages.codec import to_json
from messages.errors import EncodeError
from messages.items import GhostSnapshot, ResponseItem, UnknownItem
from messages.settings import ReasoningSummary
from messages.value import Json

from .auth_credentials import Credentials
from .catalog import ModelInfo
from .errors import InvalidRequest, MissingKey
from .provider import ModelRequest, ProviderInfo

__all__ = ["encode_body", "provider_headers", "read_key", "request_headers", "takes_login"]

_KEYS_OF_OPENAI: Final = ("CODEX_API_KEY", "OPENAI_API_KEY")


def encode_body(request: ModelRequest, model: ModelInfo) -> bytes:
    """
    Write a request as JSON, its members in Codex's order.

    Items go without their ids; what no server understands (ghost snapshots,
    kinds this version does not know) is left out.

    Raises:
        InvalidRequest: Something in it cannot be written as JSON.

    Source:
        Codex, ``ResponsesApiRequest``.
    """
    reasoning = _reasoning(request, model)
    body: dict[str, Json] = {"model": request.model}
    if request.instructions:
        body["instructions"] = request.instructions
    try:
        body["input"] = list(_input(request.input))
        body["tools"] = request.tools
        body["tool_choice"] = "auto"
        body["parallel_tool_calls"] = request.parallel_tool_calls
        body["reasoning"] = reasoning
        body["store"] = False
        body["stream"] = True
        body["include"] = [] if reasoning is None else ["reasoning.encrypted_content"]
        if request.prompt_cache_key:
            body["prompt_cache_key"] = request.prompt_cache_key
        if text := _text(request, model):
            body["text"] = text
        return orjson.dumps(body)
    except (EncodeError, TypeError) as exc:  # orjson's own error is a TypeError
        raise InvalidRequest(f"the request cannot be written as JSON: {exc}") from exc


def _input(items: tuple[ResponseItem, ...]) -> Iterator[Json]:
    for item in items:
        if not isinstance(item, GhostSnapshot | UnknownItem):
            yield to_json(item if item.id is None else attrs.evolve(item, id=None))


def _reasoning(request: ModelRequest, model: ModelInfo) -> dict[str, Json] | None:
    if not model.supports_reasoning_summaries:
        return None
    reasoning: dict[str, Json] = {}
    effort = request.effort or model.default_effort
    if effort is not None:
        reasoning["effort"] = effort
    if request.summary is not ReasoningSummary.NONE:
        reasoning["summary"] = request.summary.value
    return reasoning


def _text(request: ModelRequest, model: ModelInfo) -> dict[str, Json]:
    text: dict[str, Json] = {}
    verbosity = request.verbosity or model.default_verbosity
    if model.supports_verbosity and verbosity is not None:
        text["verbosity"] = verbosity.value
    if request.output_schema is not None:
        text["format"] = {
            "type": "json_schema",
            "strict": True,
            "schema": request.output_schema,
            "name": "codex_output_schema",
        }
    return text


def read_key(info: ProviderInfo, environ: Mapping[str, str]) -> str | None:
    """
    Find the key that opens a provider.

    Its own variable goes first, then its own token, then, only if it asks for
    that, the user's OpenAI key from ``CODEX_API_KEY`` or ``OPENAI_API_KEY``.

    Returns:
        None when the provider needs no key.

    Raises:
        MissingKey: It needs one, and there is none.

    Source:
        Codex, ``auth_provider_from_auth``.  Codex sends the user's OpenAI key to
        any provider that has no key of its own; we send it only where
        ``requires_openai_auth`` says so.
    """
    if info.env_key is not None:
        key = environ.get(info.env_key, "").strip()
        if not key:
            raise MissingKey(info.env_key, info.env_key_instructions)
        return key
    if info.experimental_bearer_token is not None:
        return info.experimental_bearer_token
    if not info.requires_openai_auth:
        return None
    for variable in _KEYS_OF_OPENAI:
        if key := environ.get(variable, "").strip():
            return key
    raise MissingKey("OPENAI_API_KEY", info.env_key_instructions)


def takes_login(info: ProviderInfo) -> bool:
    """Tell whether requests are sent with the user's login, there being nothing that goes first."""
    has_own = info.env_key is not None or info.experimental_bearer_token is not None
    return info.requires_openai_auth and not has_own


def provider_headers(
    info: ProviderInfo,
    environ: Mapping[str, str],
    *,
    originator: str,
    version: str,
    credentials: Credentials | None = None,
) -> dict[str, str]:
    """
    Build the headers that all requests to a provider share.

    Args:
        credentials: Of the user's login, where `takes_login`; None for the key that
            `read_key` finds.

    Raises:
        MissingKey: See `read_key`.
    """
    headers = {
        "Accept": "text/event-stream",
        # A compressed stream would come in lumps: compressors hold bytes back.
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": f"{originator}/{version}",
        "originator": originator,
    }
    key = read_key(info, environ) if credentials is None else credentials.token
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    if credentials is not None and credentials.account_id is not None:
        headers["ChatGPT-Account-ID"] = credentials.account_id
    configured = dict(info.http_headers)
    for header, variable in info.env_http_headers.items():
        if value := environ.get(variable, "").strip():
            configured[header] = value
    # What the user configures replaces ours, however it is spelt.
    spelt = {header.lower() for header in configured}
    ours = {header: value for header, value in headers.items() if header.lower() not in spelt}
    return {**ours, **configured}


def request_headers(request: ModelRequest) -> dict[str, str]:
    """Build the headers of one request, beside those of its provider."""
    headers: dict[str, str] = {}
    if request.prompt_cache_key:
        headers["session_id"] = request.prompt_cache_key
    if request.subagent:
        headers["x-openai-subagent"] = request.subagent
    if request.turn_state.value is not None:
        headers["x-codex-turn-state"] = request.turn_state.value
    return headers
