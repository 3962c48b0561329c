"""The scripted model."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.models import (
    SCRIPTED_PROVIDER,
    Completed,
    ConnectionFailed,
    ContextWindowExceeded,
    Created,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    ModelError,
    ModelProvider,
    QuotaExceeded,
    RateLimited,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ScriptedProvider,
    ServerOverloaded,
    StreamDisconnected,
    TextDelta,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
    find_model_info,
    parse_scenario,
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
    WebSearchCall,
)
from tests.models.asking import ask, called, request_of, said


def playing(text: str, **changes: Any) -> ScriptedProvider:
    info = attrs.evolve(SCRIPTED_PROVIDER, **changes)
    return ScriptedProvider(parse_scenario(text, syntax="yaml"), info)


def text_of(events: Any) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextDelta))


def calls_of(events: Any) -> list[FunctionCall]:
    done = (event.item for event in events if isinstance(event, ItemDone))
    return [item for item in done if isinstance(item, FunctionCall)]


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


def shell_output(output: str, exit_code: int) -> str:
    return json.dumps({"output": output, "metadata": {"exit_code": exit_code}})


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


ERRORS: list[tuple[str, ModelError]] = [
    ("{error: connection}", ConnectionFailed("connection refused")),
    ("{error: connection, message: m}", ConnectionFailed("m")),
    ("{error: context_window}", ContextWindowExceeded()),
    ("{error: internal, delay: 2}", InternalServerError(2.0)),
    ("{error: invalid_image}", InvalidImage()),
    ("{error: invalid_request, message: m}", InvalidRequest("m")),
    ("{error: invalid_request, message: 'not {user}'}", InvalidRequest("not hi")),
    ("{error: overloaded}", ServerOverloaded()),
    ("{error: quota}", QuotaExceeded()),
    ("{error: rate_limit, delay: 3}", RateLimited(None, 3.0)),
    ("{error: stream, message: m, delay: 1}", StreamDisconnected("m", 1.0)),
    ("{error: usage_limit}", UsageLimitReached("You've hit your usage limit. Try again later.")),
    ("{error: usage_limit, message: m}", UsageLimitReached("m")),
    ("{error: usage_not_included}", UsageNotIncluded()),
    ("{error: 401, message: m}", UnexpectedStatus(401, '{"error":{"message":"m"}}')),
    ("{error: 404}", UnexpectedStatus(404)),
    ("{error: 429, delay: 1.5}", RateLimited(None, 1.5)),
    ("{error: 503, delay: 4}", UnexpectedStatus(503, delay=4.0)),
    ("{cut: true}", StreamDisconnected("stream closed before response.completed")),
]


@pytest.mark.parametrize(("step", "expected"), ERRORS)
async def test_errors_of_the_script_are_those_of_a_server(step: str, expected: ModelError) -> None:
    """First or later in the reply; what was said before stands."""
    provider = playing(f"reply: [{{steps: [{step}]}}, {{steps: [{{say: x}}, {step}]}}]")
    events: list[ResponseEvent] = []

    with pytest.raises(ModelError) as first:
        await ask(provider, request_of("hi"))
    with pytest.raises(ModelError) as second:
        async with provider.stream(request_of("hi")) as stream:
            async for event in stream:
                events.append(event)

    for caught in (first, second):
        assert type(caught.value) is type(expected)
        assert vars(caught.value) == vars(expected)
    assert text_of(events) == "x"


async def test_error_before_a_stream_comes_on_entering() -> None:
    """As from a server that refuses."""
    provider = playing("reply: [{steps: [{error: 500}]}, {steps: [{error: stream}]}]")

    with pytest.raises(InternalServerError):
        async with provider.stream(request_of("hi")):
            pytest.fail("it must not come so far")
    async with provider.stream(request_of("hi")) as events:
        assert await anext(events) == Created()
        with pytest.raises(StreamDisconnected):
            await anext(events)
        assert [event async for event in events] == []


async def test_retry_goes_on_with_the_next_reply() -> None:
    """A failed reply was played."""
    provider = playing("reply: [{steps: [{error: 503}]}, {steps: [{say: there}]}]")

    with pytest.raises(UnexpectedStatus):
        await ask(provider, request_of("hi"))

    assert text_of(await ask(provider, request_of("hi"))) == "there"


async def test_pace_waits_before_each_piece(autojump_clock: MockClock) -> None:
    """On the clock of trio."""
    provider = playing("{pace: 0.5, delta_chars: 2, reply: [{steps: [{say: abcde}]}]}")
    seen: list[tuple[float, str]] = []

    async with provider.stream(request_of("hi")) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                seen.append((trio.current_time(), event.delta))

    assert seen == [(0.5, "ab"), (1.0, "cd"), (1.5, "e")]


async def test_stall_is_silence_and_then_goes_on(autojump_clock: MockClock) -> None:
    """As long as patience lasts."""
    provider = playing("reply: [{steps: [{stall: 299}, {say: late}]}]")

    assert text_of(await ask(provider, request_of("hi"))) == "late"
    assert trio.current_time() == 299


@pytest.mark.parametrize("stall", ["300", "forever"])
async def test_stall_beyond_patience_is_an_idle_timeout(
    autojump_clock: MockClock, stall: str
) -> None:
    """After the provider's longest silence, and then the stream has ended."""
    provider = playing(f"reply: [{{steps: [{{say: a}}, {{stall: {stall}}}, {{say: b}}]}}]")
    events: list[ResponseEvent] = []

    async with provider.stream(request_of("hi")) as stream:
        with pytest.raises(StreamDisconnected, match="idle timeout waiting for SSE"):
            async for event in stream:
                events.append(event)
        assert [event async for event in stream] == []

    assert text_of(events) == "a"
    assert trio.current_time() == 300


async def test_stall_can_be_cancelled(autojump_clock: MockClock) -> None:
    """At any moment."""
    provider = playing("reply: [{steps: [{stall: forever}]}]")

    with trio.move_on_after(7) as scope:
        await ask(provider, request_of("hi"))

    assert scope.cancelled_caught
    assert trio.current_time() == 7


async def test_usage_is_estimated_when_the_script_does_not_tell() -> None:
    """Four characters to a token, reasoning within the output."""
    provider = playing("reply: [{steps: [{think: abcd}, {say: abcdefgh}]}]")
    items = [
        said("x" * 40),
        ReasoningItem(encrypted_content="x" * 8),
        *called("x" * 10),
        CustomToolCall(call_id="c", name="n", input="xx"),
        WebSearchCall(),
    ]

    events = await ask(provider, request_of(*items, instructions="12345678"))

    # 8 + 40 + 8 + 2 + 10 + 2 characters asked
    assert events[-1] == Completed(
        "resp_turn_6",
        TokenUsage(input_tokens=18, output_tokens=3, reasoning_output_tokens=1, total_tokens=21),
    )


@given(st.text(max_size=80), st.lists(st.text(max_size=20), max_size=3))
def test_built_in_scenario_answers_anything_the_same_way_twice(
    text: str, earlier: list[str]
) -> None:
    """Deterministic, whatever is said."""
    request = request_of(*earlier, text)

    first = trio.run(ask, ScriptedProvider(), request)
    second = trio.run(ask, ScriptedProvider(), request)

    assert first == second
    assert isinstance(first[-1], Completed)


async def test_built_in_scenario_says_what_it_is_and_repeats_what_it_heard() -> None:
    """And how to get a real one."""
    answer = text_of(await ask(ScriptedProvider(), request_of("What is {user}?")))

    assert answer.startswith("You said: What is {user}?\n\nI am the scripted model")
    assert "OPENAI_API_KEY" in answer


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("run: ls -l", "ls -l"),
        ("Please\n  RUN:  echo 'a b' | wc  \nthanks", "echo 'a b' | wc"),
        ("could you run `pytest -q`, please?", "pytest -q"),
        ("Run `a\nb`", "a\nb"),
    ],
)
async def test_built_in_scenario_runs_a_command_that_is_asked_for(text: str, command: str) -> None:
    """Through the shell tool, exactly as written."""
    events = await ask(ScriptedProvider(), request_of(text))

    (call,) = calls_of(events)
    assert call.name == "shell"
    assert json.loads(call.arguments) == {"command": ["bash", "-lc", command]}


@pytest.mark.parametrize(
    "text", ["run", "run:", "run: ", "run ``", "I will run: maybe not", "rerun `x`"]
)
async def test_built_in_scenario_runs_nothing_by_accident(text: str) -> None:
    """Only what is plainly asked for."""
    assert calls_of(await ask(ScriptedProvider(), request_of(text))) == []


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (
            shell_output("7 files\n", 0),
            "The command ended with exit code 0 and printed:\n\n7 files\n",
        ),
        ("something", "The command ended with exit code unknown and printed:\n\nsomething"),
        ("exec command rejected by user", "You did not allow that command, so I leave it at that."),
    ],
)
async def test_built_in_scenario_reports_the_output(output: str, text: str) -> None:
    """And calls nothing more."""
    events = await ask(ScriptedProvider(), request_of("run: x", *called(output)))

    assert text_of(events) == text
    assert calls_of(events) == []


async def test_built_in_scenario_sums_up_when_it_is_to_compact() -> None:
    """The user's words, a line each."""
    request = request_of("one\ntwo", "y" * 300, "compact this", subagent="compact")

    assert text_of(await ask(ScriptedProvider(), request)) == (
        f"So far the user asked for this:\n- one two\n- {'y' * 200}..."
    )


async def test_provider_fits_the_interface() -> None:
    """And has nothing to close."""
    provider: ModelProvider = ScriptedProvider()

    assert provider.info.id == "scripted"
    assert provider.info.default_model == "scripted"
    assert provider.model_info("gpt-5") == find_model_info("gpt-5")
    await provider.aclose()


async def test_long_reply_lets_other_tasks_run() -> None:
    """It plays without waiting, but not without checkpoints."""
    provider = playing(f"{{delta_chars: 1, reply: [{{steps: [{{say: {'x' * 1000}}}]}}]}}")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await ask(provider, request_of("hi"))
        seen = turns
        nursery.cancel_scope.cancel()

    assert seen >= 1000 // 64
