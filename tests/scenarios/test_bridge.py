"""The bridge: a request comes over HTTP as it was meant, and so do answers and errors."""

from pathlib import Path

import attrs
import pytest
import trio

from actors.models import (
    Completed,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    ModelError,
    ModelProvider,
    ModelRequest,
    ProviderInfo,
    ResponseEvent,
    ResponsesProvider,
    ScriptedProvider,
    load_scenario,
)
from actors.models.scenario import ERROR_NAMES
from tests.models.asking import ask, called, request_of

from .bridge import Bridge, open_bridge

ERRORS = [
    *sorted(ERROR_NAMES.keys() - {"connection"}),
    *("rate_limit, delay: 0.5", "internal, delay: 2", "'503', message: down"),
]


def scenario(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text.replace("'503'", "503"))
    return path


async def both(path: Path, request: ModelRequest) -> tuple[object, object, Bridge]:
    """What the scripted model answers, and what comes over HTTP, errors too."""
    async with open_bridge(path) as bridge:
        info = ProviderInfo(id="mock", name="Mock", base_url=bridge.base_url)
        async with ResponsesProvider(info=info) as provider:
            scripted = await heard(ScriptedProvider(load_scenario(path)), request)
            return scripted, await heard(provider, request), bridge


async def heard(provider: ModelProvider, request: ModelRequest) -> object:
    """The events without what differs, or the error in words."""
    events: list[ResponseEvent] = []
    try:
        with trio.fail_after(10):
            async with provider.stream(request) as stream:
                async for event in stream:
                    events.append(without_ids(event))
    except ModelError as error:
        return events, type(error), words(error), error.delay, error.retryable
    return events


def words(error: ModelError) -> str:
    """The text, without the address that only HTTP has, and the delay that it puts into words."""
    return str(error).partition(", url")[0].partition("; try again")[0]


def without_ids(event: ResponseEvent) -> ResponseEvent:
    match event:
        case ItemAdded(item=item) | ItemDone(item=item):
            changes = {"call_id": "call"} if hasattr(item, "call_id") else {}
            return type(event)(attrs.evolve(item, id=None, **changes))
        case Completed(usage=usage):
            return Completed("", usage)
        case _:
            return event


async def test_bridge_says_every_kind_of_step(tmp_path: Path) -> None:
    """The client hears what the scripted model says."""
    path = scenario(
        tmp_path,
        """
delta_chars: 3
reply:
  - usage: {input_tokens: 9, cached_input_tokens: 2, output_tokens: 5, total_tokens: 20}
    steps:
      - {think: [abcd, e], raw: xyz, encrypted: opaque}
      - {say: "häl\\n\\u2028lo"}
      - {call: shell, arguments: {b: 1, a: [x]}}
      - {call: patch, input: text}
""",
    )

    scripted, http, _ = await both(path, request_of("hi"))

    assert http == scripted


async def test_bridge_reads_the_request_as_it_was_meant(tmp_path: Path) -> None:
    """With its history, tools and marks; the turn has no place on the wire."""
    path = scenario(tmp_path, "reply: [{steps: [{say: '{user} {output}'}]}]")
    request = request_of(
        "hi",
        *called("out"),
        tools=({"type": "function", "name": "x", "parameters": {}},),
        parallel_tool_calls=True,
        output_schema={"type": "object"},
        subagent="review",
    )

    scripted, http, bridge = await both(path, request)

    assert http == scripted
    assert bridge.requests == [attrs.evolve(request, turn_id="http0")]


@pytest.mark.parametrize("error", ERRORS)
async def test_bridge_refuses_so_that_the_client_comes_to_the_same_error(
    tmp_path: Path, error: str
) -> None:
    """Before the stream begins, with the delay that the server asks for."""
    path = scenario(tmp_path, f"reply: [{{steps: [{{error: {error}}}]}}]")

    scripted, http, _ = await both(path, request_of("hi"))

    assert http == scripted


@pytest.mark.parametrize(
    "step",
    [
        "cut: true",
        *(
            f"error: {name}"
            for name in (
                "context_window",
                "invalid_request",
                "overloaded",
                "quota",
                "stream",
                "stream, delay: 0.5",
                "usage_not_included",
            )
        ),
    ],
)
async def test_bridge_breaks_off_so_that_the_client_comes_to_the_same_error(
    tmp_path: Path, step: str
) -> None:
    """Within the stream, after what was said before."""
    path = scenario(tmp_path, f"reply: [{{steps: [{{say: hello}}, {{{step}}}]}}]")

    scripted, http, _ = await both(path, request_of("hi"))

    assert http == scripted


async def test_bridge_refuses_a_request_that_no_reply_fits(tmp_path: Path) -> None:
    """In the words of the scripted model."""
    path = scenario(tmp_path, "reply: [{when: {user: no}, steps: [{say: x}]}]")

    async with open_bridge(path) as bridge:
        info = ProviderInfo(id="mock", name="Mock", base_url=bridge.base_url)
        async with ResponsesProvider(info=info) as provider:
            with pytest.raises(InvalidRequest, match="has no reply left"):
                await ask(provider, request_of("hi"))
