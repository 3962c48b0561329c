"""The scripted provider: which reply it plays, and with which words."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from actors.models import (
    Completed,
    Created,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    ModelProvider,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ScriptedProvider,
    StreamDisconnected,
    TextDelta,
    find_model_info,
)
from actors.models.performance import Pause
from messages.content import InputImage, InputText, OutputText
from messages.events import TokenUsage
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    ReasoningItem,
    ReasoningText,
    SummaryText,
)
from tests.models.asking import ask, called, request_of, said

from .scripted_stage import calls_of, playing, shell_output, text_of


async def test_provider_plays_every_kind_of_step() -> None:
    """As a real response: added, pieces, done, and usage at the end."""
    provider = playing("""
delta_chars: 3
reply:
  - usage: {input_tokens: 2, output_tokens: 1}
    steps:
      - {think: [abcd, e], raw: xyz, encrypted: opaque}
      - say: hällo
      - {call: shell, arguments: {b: 1, a: [x]}}
      - {call: patch, input: text, call_id: mine}
""")

    events = await ask(provider, request_of("hi"))

    name = "turn_1"
    call = FunctionCall(
        id=f"fc_{name}_3", name="shell", arguments='{"b":1,"a":["x"]}', call_id=f"call_{name}_3"
    )
    patch = CustomToolCall(
        id=f"ctc_{name}_4", name="patch", input="text", call_id="mine", status="completed"
    )
    assert events == [
        Created(),
        ItemAdded(ReasoningItem(id=f"rs_{name}_1")),
        ReasoningContentDelta("xyz", 0),
        ReasoningSummaryPartAdded(0),
        ReasoningSummaryDelta("abc", 0),
        ReasoningSummaryDelta("d", 0),
        ReasoningSummaryPartAdded(1),
        ReasoningSummaryDelta("e", 1),
        ItemDone(
            ReasoningItem(
                id=f"rs_{name}_1",
                summary=(SummaryText(text="abcd"), SummaryText(text="e")),
                content=(ReasoningText(text="xyz"),),
                encrypted_content="opaque",
            )
        ),
        ItemAdded(Message(id=f"msg_{name}_2", role="assistant", content=())),
        TextDelta("häl"),
        TextDelta("lo"),
        ItemDone(
            Message(id=f"msg_{name}_2", role="assistant", content=(OutputText(text="hällo"),))
        ),
        ItemAdded(attrs.evolve(call, arguments="")),
        ItemDone(call),
        ItemAdded(attrs.evolve(patch, input="", status="in_progress")),
        ItemDone(patch),
        Completed(f"resp_{name}", TokenUsage(input_tokens=2, output_tokens=1, total_tokens=3)),
    ]


async def test_replies_are_played_in_order_as_often_as_they_may() -> None:
    """Once by default, then a number, then without end."""
    provider = playing("""
reply:
  - steps: [{say: one}]
  - {times: 2, steps: [{say: two}]}
  - {times: always, steps: [{say: rest}]}
""")

    said = [text_of(await ask(provider, request_of("hi"))) for _ in range(6)]

    assert said == ["one", "two", "two", "rest", "rest", "rest"]


async def test_each_thread_is_played_from_the_top() -> None:
    """What happens in one does not change another."""
    provider = playing("reply: [{steps: [{say: one}]}, {steps: [{say: two}]}]")

    said = [
        text_of(await ask(provider, request_of("hi", prompt_cache_key=thread)))
        for thread in ("a", "b", "a", "b")
    ]

    assert said == ["one", "one", "two", "two"]


async def test_thread_that_did_not_ask_for_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The memory of a provider has a limit."""
    monkeypatch.setattr("actors.models.scripted._THREAD_LIMIT", 2)
    provider = playing("reply: [{steps: [{say: one}]}, {times: 9, steps: [{say: two}]}]")

    said = [
        text_of(await ask(provider, request_of("hi", prompt_cache_key=thread)))
        for thread in ("a", "b", "a", "c", "a", "b")
    ]

    assert said == ["one", "one", "two", "one", "two", "one"]


async def test_request_without_a_reply_is_an_error_that_says_so() -> None:
    """With what the script would have had to fit."""
    provider = playing("{name: mine, reply: [{when: {user: bye}, steps: [{say: x}]}]}")

    with pytest.raises(InvalidRequest) as caught:
        await ask(provider, request_of("h" * 70, *called("out")))

    assert str(caught.value) == (
        "scenario 'mine' has no reply left for this request (the user said "
        f"'{'h' * 60}...', the last output is 'out'); add one with times = \"always\" at its end"
    )


CONDITIONS = """
reply:
  - {times: always, when: {subagent: compact}, steps: [{say: compact}]}
  - {times: always, when: {model: m, user: ask}, steps: [{say: model}]}
  - {times: always, when: {output: "5", exit_code: 1}, steps: [{say: output 5 of 1}]}
  - {times: always, when: {exit_code: 0}, steps: [{say: code 0}]}
  - {times: always, when: {output_matches: '^a+$', user_matches: '^go'}, steps: [{say: as}]}
  - {times: always, when: {last: output}, steps: [{say: output}]}
  - {times: always, when: {user_matches: '(?i)^HELLO'}, steps: [{say: hello}]}
  - {times: always, when: {last: user}, steps: [{say: user}]}
"""


def session_output(state: str, output: str) -> str:
    head = f"Chunk ID: c0ffee\nWall time: 0.5000 seconds\n{state}"
    return f"{head}\nOriginal token count: 1\nOutput:\n{output}"


@pytest.mark.parametrize(
    ("items", "changes", "reply"),
    [
        (["hi"], {"subagent": "compact"}, "compact"),
        (["ask"], {"model": "m"}, "model"),
        (["ask"], {"model": "n"}, "user"),
        (["hi", *called(shell_output("4 5", 1))], {}, "output 5 of 1"),
        (["hi", *called(shell_output("4 5", 2))], {}, "output"),
        (["hi", *called(shell_output("4 5", 0))], {}, "code 0"),
        (["hi", *called("Exit code: 0\nWall time: 1 seconds\nOutput:\nx")], {}, "code 0"),
        (["hi", *called(session_output("Process exited with code 1", "45"))], {}, "output 5 of 1"),
        (["hi", *called(session_output("Process running with session ID 0", "0"))], {}, "output"),
        (["go on", *called("aaa")], {}, "as"),
        (["go on", *called("aab")], {}, "output"),
        (["no", *called("aaa")], {}, "output"),
        (["hello you", *called("x"), "Hello"], {}, "hello"),
        (["hi", *called("x"), said("done", "assistant"), "more"], {}, "user"),
        ([], {}, "user"),
    ],
)
async def test_conditions_choose_the_reply(
    items: list[Any], changes: dict[str, Any], reply: str
) -> None:
    """All that are given must hold; outputs count since the user's last words."""
    events = await ask(playing(CONDITIONS), request_of(*items, **changes))

    assert text_of(events) == reply


async def test_texts_are_filled_in() -> None:
    """With what was said and printed, and with what the expressions found."""
    provider = playing(r"""
reply:
  - when: {user_matches: '(?P<verb>\w+) (?P<noun>\w+)?', output_matches: '(?P<n>\d+)'}
    steps:
      - think: "{verb}"
        raw: "{noun}"
      - say: "{user}|{output}|{exit_code}|{model}|{n}|{unknown}|{a b}|{}"
      - call: t
        arguments: {"{user}": ["{verb}", {x: "{noun}"}, 5]}
      - {call: t, arguments: "{verb} {"}
      - {call: u, input: "{verb}"}
      - {error: stream, message: "{verb}"}
""")
    request = request_of("eat cake", *called(shell_output("7", 3)), model="m")
    events: list[ResponseEvent] = []

    with pytest.raises(StreamDisconnected) as caught:
        async with provider.stream(request) as stream:
            async for event in stream:
                events.append(event)

    done = [event.item for event in events if isinstance(event, ItemDone)]
    assert text_of(events) == "eat cake|7|3|m|7|{unknown}|{a b}|{}"
    assert done[0] == ReasoningItem(
        id="rs_turn_3_1",
        summary=(SummaryText(text="eat"),),
        content=(ReasoningText(text="cake"),),
    )
    assert [item.arguments for item in done if isinstance(item, FunctionCall)] == [
        '{"{user}":["eat",{"x":"cake"},5]}',
        "eat {",
    ]
    assert [item.input for item in done if isinstance(item, CustomToolCall)] == ["eat"]
    assert caught.value.problem == "eat"


async def test_words_of_the_runtime_are_not_the_users() -> None:
    """Context and records in the user's role are passed over."""
    provider = playing('reply: [{times: always, steps: [{say: "{user}|{history}"}]}]')
    items = [
        said("# AGENTS.md instructions for /x\n..."),
        said("<environment_context>..."),
        said("first\nwords"),
        said("  <Turn_Aborted> ..."),
        Message(
            role="user",
            content=(
                InputText(text="look:"),
                InputText(text="<image name=[Image #1]>"),
                InputImage(image_url="data:"),
                InputText(text="</image>"),
                InputText(text="nice?"),
            ),
        ),
        said("<skill>...</skill>"),
        said("<user_shell_command>ls"),
        said("<user_action>\n..."),
        said("Warning: apply_patch was requested via shell. Use ..."),
        said("Warning: 60 processes are open, and ..."),
        said("do this", "developer"),
    ]

    events = await ask(provider, request_of(*items))

    assert text_of(events) == "look:\nnice?|- first words"


async def test_output_of_a_process_that_runs_tells_its_session() -> None:
    """Its frame stays, so that the next call can name it; that of one that ended is taken off."""
    provider = playing(r"""
reply:
  - when: {output_matches: 'session ID (?P<session>\d+)'}
    steps: [{call: write_stdin, arguments: '{"session_id": {session}}'}]
  - steps: [{say: "{exit_code}: {output}"}]
""")
    running = called(session_output("Process running with session ID 1234", "name?"))
    ended = called(session_output("Process exited with code 7", "Output:\nbye"))

    first = await ask(provider, request_of("x", *running))
    second = await ask(provider, request_of("x", *running, *ended))

    [call] = calls_of(first)
    assert call.arguments == '{"session_id": 1234}'
    assert text_of(second) == "7: Output:\nbye"


async def test_play_gives_what_a_stream_plays(autojump_clock: MockClock) -> None:
    """With the pauses, which a stream takes and does not tell; each counts as one play."""
    provider = playing("{pace: 1, reply: [{times: 2, steps: [{say: hi}, {stall: 5}]}]}")
    request = request_of("x")

    actions = list(provider.play(request))

    assert [action.seconds for action in actions if isinstance(action, Pause)] == [1, 5]
    events = [action for action in actions if not isinstance(action, Pause)]
    assert events == await ask(provider, request)
    with pytest.raises(InvalidRequest):
        provider.play(request)


async def test_output_in_parts_and_of_custom_tools_is_seen() -> None:
    """The text of it."""
    provider = playing('reply: [{times: always, steps: [{say: "{output}"}]}]')
    parts = (InputText(text="a"), InputImage(image_url="data:"), InputText(text="b"))

    first = await ask(provider, request_of("x", FunctionCallOutput(call_id="c", output=parts)))
    second = await ask(provider, request_of("x", CustomToolCallOutput(call_id="c", output="d")))

    assert [text_of(first), text_of(second)] == ["a\nb", "d"]


@pytest.mark.parametrize(
    "output",
    ["{broken", '{"output": 5, "metadata": {}}', '{"output": "x"}', "Exit code: 12345678901", ""],
)
async def test_output_without_a_frame_is_taken_as_it_is(output: str) -> None:
    """And has no exit code."""
    provider = playing('reply: [{steps: [{say: "{output}|{exit_code}"}]}]')

    events = await ask(provider, request_of("x", *called(output)))

    assert text_of(events) == f"{output}|unknown"


async def test_provider_fits_the_interface() -> None:
    """And has nothing to close."""
    provider: ModelProvider = ScriptedProvider()

    assert provider.info.id == "scripted"
    assert provider.info.default_model == "scripted"
    assert provider.model_info("gpt-5") == find_model_info("gpt-5")
    await provider.aclose()
