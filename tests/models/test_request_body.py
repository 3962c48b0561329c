"""The body and the headers of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.models import (
    InvalidRequest,
    MissingKey,
    ProviderInfo,
    TurnState,
    find_model_info,
    read_key,
)
from actors.models.request_body import encode_body, provider_headers, request_headers
from messages.content import InputImage, InputText, OutputText
from messages.items import (
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    GhostCommit,
    GhostSnapshot,
    Message,
    ReasoningItem,
    ReasoningText,
    SummaryText,
    Text,
    UnknownItem,
    WebSearchCall,
)
from messages.settings import ReasoningEffort, ReasoningSummary, Verbosity
from tests.models.asking import request_of


def body_of(*items: Any, **changes: Any) -> dict[str, Any]:
    request = request_of(*items, **changes)
    decoded = json.loads(encode_body(request, find_model_info(request.model)))
    assert isinstance(decoded, dict)
    return decoded


def test_body_has_the_members_of_codex_in_their_order() -> None:
    """Whole, for a model that reasons."""
    body = body_of(
        "hi",
        model="gpt-5.2",
        tools=({"type": "function", "name": "shell"},),
        parallel_tool_calls=True,
        output_schema={"type": "object"},
    )

    assert list(body.items()) == [
        ("model", "gpt-5.2"),
        ("instructions", "be good"),
        (
            "input",
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                }
            ],
        ),
        ("tools", [{"type": "function", "name": "shell"}]),
        ("tool_choice", "auto"),
        ("parallel_tool_calls", True),
        ("reasoning", {"effort": "medium", "summary": "auto"}),
        ("store", False),
        ("stream", True),
        ("include", ["reasoning.encrypted_content"]),
        ("prompt_cache_key", "thread"),
        (
            "text",
            {
                "verbosity": "low",
                "format": {
                    "type": "json_schema",
                    "strict": True,
                    "schema": {"type": "object"},
                    "name": "codex_output_schema",
                },
            },
        ),
    ]


def test_body_for_a_model_that_does_not_reason_says_so() -> None:
    """Null, nothing to include, and no text settings."""
    body = body_of("hi", model="other", verbosity=Verbosity.HIGH)

    assert body["reasoning"] is None
    assert body["include"] == []
    assert "text" not in body


@pytest.mark.parametrize(
    ("changes", "reasoning"),
    [
        ({"effort": ReasoningEffort("high")}, {"effort": "high", "summary": "auto"}),
        ({"summary": ReasoningSummary.NONE}, {"effort": "medium"}),
        ({"summary": ReasoningSummary.DETAILED}, {"effort": "medium", "summary": "detailed"}),
    ],
)
def test_effort_and_summary_of_the_request_win(
    changes: dict[str, Any], reasoning: dict[str, str]
) -> None:
    """The model's own are only defaults."""
    assert body_of("hi", **changes)["reasoning"] == reasoning


def test_verbosity_of_the_request_wins() -> None:
    """Where the model can do that at all."""
    assert body_of("hi", model="gpt-5", verbosity=Verbosity.HIGH)["text"] == {"verbosity": "high"}
    assert "text" not in body_of("hi", model="gpt-5")


def test_empty_instructions_are_left_out() -> None:
    """As Codex does."""
    assert "instructions" not in body_of("hi", instructions="")


def test_items_go_without_ids_and_reasoning_goes_back_encrypted() -> None:
    """So that a server without memory can go on."""
    body = body_of(
        Message(id="m", role="assistant", content=(OutputText(text="x"),)),
        ReasoningItem(id="r", summary=(SummaryText(text="s"),), encrypted_content="secret"),
        ReasoningItem(id="r", content=(ReasoningText(text="raw"),)),
        ReasoningItem(id="r", content=(Text(text="old"),)),
        FunctionCall(id="f", name="shell", arguments="{}", call_id="c"),
        FunctionCallOutput(id="o", call_id="c", output="done"),
        CustomToolCallOutput(call_id="d", output=(InputText(text="t"), InputImage(image_url="u"))),
        WebSearchCall(id="w", status="completed"),
    )

    assert body["input"] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "x"}],
        },
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": None,
            "encrypted_content": "secret",
        },
        {
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "raw"}],
            "encrypted_content": None,
        },
        {"type": "reasoning", "summary": [], "encrypted_content": None},
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        {
            "type": "custom_tool_call_output",
            "call_id": "d",
            "output": [
                {"type": "input_text", "text": "t"},
                {"type": "input_image", "image_url": "u"},
            ],
        },
        {"type": "web_search_call", "status": "completed"},
    ]


def test_what_no_server_understands_is_left_out() -> None:
    """Ghost snapshots are for undo; unknown kinds may be anything."""
    ghost = GhostSnapshot(ghost_commit=GhostCommit(id="abc"))

    assert body_of(ghost, UnknownItem(tag="new", raw={"type": "new"}))["input"] == []


@pytest.mark.parametrize(
    "changes",
    [{"instructions": "\ud800"}, {"output_schema": {1: 2}}, {"tools": (object(),)}],
)
def test_what_json_has_no_form_for_is_an_invalid_request(changes: dict[str, Any]) -> None:
    """Never a crash; and nothing is sent."""
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        body_of("hi", **changes)
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        body_of("half \udc00")


PLAIN = ProviderInfo(id="p", name="P")
KEYED = ProviderInfo(id="p", name="P", env_key="P_KEY", env_key_instructions="Ask P.")
TOKEN = ProviderInfo(id="p", name="P", experimental_bearer_token="token")
BOTH = ProviderInfo(id="p", name="P", env_key="P_KEY", experimental_bearer_token="token")
OPENAI = ProviderInfo(id="o", name="O", requires_openai_auth=True)


@pytest.mark.parametrize(
    ("info", "environ", "key"),
    [
        (PLAIN, {"OPENAI_API_KEY": "k"}, None),
        (KEYED, {"P_KEY": " k\n"}, "k"),
        (TOKEN, {}, "token"),
        (BOTH, {"P_KEY": "k"}, "k"),
        (OPENAI, {"OPENAI_API_KEY": "o"}, "o"),
        (OPENAI, {"OPENAI_API_KEY": "o", "CODEX_API_KEY": "c"}, "c"),
        (OPENAI, {"OPENAI_API_KEY": "o", "CODEX_API_KEY": " "}, "o"),
    ],
)
def test_key_is_the_providers_own_before_any_other(
    info: ProviderInfo, environ: dict[str, str], key: str | None
) -> None:
    """And the user's OpenAI key goes only where it is asked for."""
    assert read_key(info, environ) == key


@pytest.mark.parametrize(
    ("info", "environ", "text"),
    [
        (KEYED, {}, "Missing environment variable: `P_KEY`. Ask P."),
        (BOTH, {"P_KEY": " "}, "Missing environment variable: `P_KEY`."),
        (OPENAI, {}, "Missing environment variable: `OPENAI_API_KEY`."),
    ],
)
def test_missing_key_is_named(info: ProviderInfo, environ: dict[str, str], text: str) -> None:
    """A blank one is missing too."""
    with pytest.raises(MissingKey) as caught:
        read_key(info, environ)

    assert str(caught.value) == text


def test_provider_headers_hold_the_key_and_what_is_configured() -> None:
    """Headers from the environment are left out when they are blank."""
    info = ProviderInfo(
        id="p",
        name="P",
        experimental_bearer_token="token",
        http_headers={"X-Own": "1"},
        env_http_headers={"X-Set": "SET", "X-Blank": "BLANK", "X-Missing": "MISSING"},
    )

    headers = provider_headers(info, {"SET": "yes", "BLANK": " "}, originator="me", version="1.2")

    assert headers == {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "me/1.2",
        "originator": "me",
        "X-Own": "1",
        "X-Set": "yes",
        "Authorization": "Bearer token",
    }


def test_configured_headers_replace_ours_however_they_are_spelt() -> None:
    """A gateway may want a key of its own kind."""
    info = ProviderInfo(
        id="p",
        name="P",
        experimental_bearer_token="token",
        http_headers={"authorization": "Basic x", "USER-AGENT": "y"},
    )

    headers = provider_headers(info, {}, originator="me", version="1")

    assert headers == {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "originator": "me",
        "authorization": "Basic x",
        "USER-AGENT": "y",
    }


def test_request_headers_name_thread_and_sub_agent_and_replay_the_turn_state() -> None:
    """Each only when there is something to say."""
    full = request_of("hi", subagent="review", turn_state=TurnState("opaque"))
    empty = request_of("hi", prompt_cache_key="")

    assert request_headers(full) == {
        "session_id": "thread",
        "x-openai-subagent": "review",
        "x-codex-turn-state": "opaque",
    }
    assert request_headers(empty) == {}
    assert "prompt_cache_key" not in body_of("hi", prompt_cache_key="")


def test_provider_never_shows_its_secrets() -> None:
    """Neither in logs nor in tracebacks."""
    info = ProviderInfo(
        id="p",
        name="P",
        experimental_bearer_token="SECRET",
        http_headers={"k": "SECRET"},
        query_params={"key": "SECRET"},
    )

    assert "SECRET" not in repr(info)
