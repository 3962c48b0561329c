"""Scenario files: everything they may say, and how mistakes are named."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.models import Scenario, ScenarioError, builtin_scenario, load_scenario, parse_scenario
from actors.models.scenario import (
    ERROR_NAMES,
    Call,
    CustomCall,
    Cut,
    Fail,
    LastItem,
    Reply,
    Say,
    Stall,
    Think,
    When,
)
from actors.models.scenario_reader import read_scenario
from messages.events import TokenUsage

TOML = r"""
name = "all of it"
pace = 0.5
delta_chars = 3

[[reply]]
when = { user = "hi", output = "done", exit_code = -1, last = "output", model = "m", subagent = "review" }
times = "always"
pace = 0
delta_chars = 100
usage = { input_tokens = 5, cached_input_tokens = 1, output_tokens = 4, reasoning_output_tokens = 2 }
steps = [
    { say = "hello" },
    { think = "one part" },
    { think = ["two", "parts"], raw = "raw", encrypted = "opaque" },
    { call = "shell", arguments = { command = ["ls"], n = [1, 2.5, true] } },
    { call = "shell", arguments = "{broken", call_id = "mine" },
    { call = "plain" },
    { call = "patch", input = "text" },
    { stall = 1.5 },
    { stall = "forever" },
    { error = 429, message = "slow", delay = 2 },
    { error = "stream", message = "cut", delay = 0.5 },
    { error = "quota" },
    { cut = true },
]

[[reply]]
times = 3
usage = { total_tokens = 9 }
[[reply.steps]]
say = ""
"""

YAML = r"""
name: all of it
pace: 0.5
delta_chars: 3
reply:
  - when: {user: hi, output: done, exit_code: -1, last: output, model: m, subagent: review}
    times: always
    pace: 0
    delta_chars: 100
    usage: {input_tokens: 5, cached_input_tokens: 1, output_tokens: 4, reasoning_output_tokens: 2}
    steps:
      - say: hello
      - think: one part
      - {think: [two, parts], raw: raw, encrypted: opaque}
      - {call: shell, arguments: {command: [ls], n: [1, 2.5, true]}}
      - {call: shell, arguments: "{broken", call_id: mine}
      - call: plain
      - {call: patch, input: text}
      - stall: 1.5
      - stall: forever
      - {error: 429, message: slow, delay: 2}
      - {error: stream, message: cut, delay: 0.5}
      - error: quota
      - cut: true
  - times: 3
    usage: {total_tokens: 9}
    steps: [{say: ""}]
"""

WHOLE = Scenario(
    name="all of it",
    replies=(
        Reply(
            when=When(
                user="hi",
                output="done",
                exit_code=-1,
                last=LastItem.OUTPUT,
                model="m",
                subagent="review",
            ),
            times=None,
            pace=0.0,
            delta_chars=100,
            usage=TokenUsage(
                input_tokens=5,
                cached_input_tokens=1,
                output_tokens=4,
                reasoning_output_tokens=2,
                total_tokens=9,
            ),
            steps=(
                Say("hello"),
                Think(summary=("one part",)),
                Think(summary=("two", "parts"), raw="raw", encrypted="opaque"),
                Call(tool="shell", arguments={"command": ["ls"], "n": [1, 2.5, True]}),
                Call(tool="shell", arguments="{broken", call_id="mine"),
                Call(tool="plain", arguments={}),
                CustomCall(tool="patch", input="text"),
                Stall(1.5),
                Stall(math.inf),
                Fail(error=429, message="slow", delay=2.0),
                Fail(error="stream", message="cut", delay=0.5),
                Fail(error="quota"),
                Cut(),
            ),
        ),
        Reply(
            times=3,
            pace=0.5,
            delta_chars=3,
            usage=TokenUsage(total_tokens=9),
            steps=(Say(""),),
        ),
    ),
)


@pytest.mark.parametrize(("text", "syntax"), [(TOML, "toml"), (YAML, "yaml"), (YAML, "yml")])
def test_both_syntaxes_say_everything(text: str, syntax: str) -> None:
    """And the same."""
    assert parse_scenario(text, syntax=syntax) == WHOLE


def test_expressions_are_compiled() -> None:
    """Once, when the file is read."""
    text = r"""
[[reply]]
when = { user_matches = '(?i)run (?P<what>\S+)', output_matches = '^ok' }
steps = [{ say = "{what}" }]
"""

    (reply,) = parse_scenario(text, syntax="toml").replies

    assert reply.when.user_matches is not None
    assert reply.when.user_matches.pattern == r"(?i)run (?P<what>\S+)"
    assert reply.when.output_matches is not None


def test_scalars_of_yaml_are_those_of_its_version_1_2() -> None:
    """Norway stays a country, and a date stays text."""
    text = """
reply:
  - steps:
    - {call: t, arguments: {a: no, b: yes, c: 2026-11-20, d: 1:30, e: ~, f: 0x10, g: 12, h: 1e3}}
"""

    (reply,) = parse_scenario(text, syntax="yaml").replies

    assert reply.steps == (
        Call(
            tool="t",
            arguments={
                "a": "no",
                "b": "yes",
                "c": "2026-11-20",
                "d": "1:30",
                "e": None,
                "f": "0x10",
                "g": 12,
                "h": 1000.0,
            },
        ),
    )


def test_name_is_the_files_when_it_has_none(tmp_path: Path) -> None:
    """So that errors while playing can be placed."""
    path = tmp_path / "mine.toml"
    path.write_text('reply = [{ steps = [{ say = "hällo" }] }]', encoding="utf-8")

    assert load_scenario(path) == Scenario(name=str(path), replies=(Reply(steps=(Say("hällo"),)),))


def complaint(raw: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(raw, "f.toml")
    return str(caught.value)


def with_reply(**reply: Any) -> Any:
    return {"reply": [{"steps": [{"say": "x"}], **reply}]}


def with_step(**step: Any) -> Any:
    return {"reply": [{"steps": [{"say": "x"}, step]}]}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ([], "scenario f.toml: it is no table; write keys and values"),
        ({}, "scenario f.toml: reply is missing; write at least one reply"),
        ({"reply": []}, "scenario f.toml: reply is no list with something in it; write at least one reply"),
        ({"reply": [5]}, "scenario f.toml: reply 1: it is no table; write keys and values"),
        ({"replies": []}, "scenario f.toml: it has a key 'replies'; known here: name, pace, delta_chars, reply"),
        ({"name": 5, **with_reply()}, "scenario f.toml: name is no text; write a text"),
        ({"pace": -1, **with_reply()}, "scenario f.toml: pace is no number of seconds; write a number from 0 up to 60"),
        ({"pace": 61, **with_reply()}, "scenario f.toml: pace is no number of seconds; write a number from 0 up to 60"),
        ({"delta_chars": 0, **with_reply()}, "scenario f.toml: delta_chars is 0; write a number from 1"),
        ({"reply": [{}]}, "scenario f.toml: reply 1: steps is missing; write at least one step"),
        (with_reply(step=1), "scenario f.toml: reply 1: it has a key 'step'; known here: when, times, pace, delta_chars, usage, steps"),
        (with_reply(times=0), "scenario f.toml: reply 1: times is 0; write a number from 1"),
        (with_reply(times="never"), 'scenario f.toml: reply 1: times is neither a number nor "always"; write 1 or "always"'),
        (with_reply(times=True), "scenario f.toml: reply 1: times is no whole number; write one"),
        (with_reply(usage={"tokens": 1}), "scenario f.toml: reply 1, usage: it has a key 'tokens'; known here: input_tokens, cached_input_tokens, output_tokens, reasoning_output_tokens, total_tokens"),
        (with_reply(usage={"input_tokens": -1}), "scenario f.toml: reply 1, usage: input_tokens is -1; write a number from 0"),
        (with_reply(when={"last": "model"}), "scenario f.toml: reply 1, when: last is 'model'; write \"user\" or \"output\""),
        (with_reply(when={"exit_code": "0"}), "scenario f.toml: reply 1, when: exit_code is no whole number; write one"),
        (with_reply(when={"user": 5}), "scenario f.toml: reply 1, when: user is no text; write a text"),
        (with_reply(when=5), "scenario f.toml: reply 1, when: it is no table; write keys and values"),
        (with_reply(when={"user_matches": "("}), "scenario f.toml: reply 1, when: user_matches is no regular expression: missing ), unterminated subpattern at position 0; correct it"),
        (with_step(), "scenario f.toml: reply 1, step 2: it has no kind; write exactly one of say, think, call, stall, error, cut"),
        (with_step(say="a", cut=True), "scenario f.toml: reply 1, step 2: it has several kinds (say, cut); write exactly one of say, think, call, stall, error, cut"),
        (with_step(say=5), "scenario f.toml: reply 1, step 2: say is no text; write a text"),
        (with_step(say="a", pace=1), "scenario f.toml: reply 1, step 2: it has a key 'pace'; known here: say"),
        (with_step(think=[]), "scenario f.toml: reply 1, step 2: think is neither a text nor a list of texts; write a text"),
        (with_step(think=["a", 1]), "scenario f.toml: reply 1, step 2: think is neither a text nor a list of texts; write a text"),
        (with_step(call=""), "scenario f.toml: reply 1, step 2: call is empty; name a tool"),
        (with_step(call="t", arguments=[]), "scenario f.toml: reply 1, step 2: arguments is neither a table nor a text; write a table"),
        (with_step(call="t", arguments={}, input="x"), "scenario f.toml: reply 1, step 2: it has both arguments and input; keep one of them"),
        (with_step(stall=-1), "scenario f.toml: reply 1, step 2: stall is no number of seconds; write a number from 0"),
        (with_step(stall="long"), "scenario f.toml: reply 1, step 2: stall is no number of seconds; write a number from 0"),
        (with_step(error=200), "scenario f.toml: reply 1, step 2: error is no HTTP status of a failure; write a number from 300 to 599"),
        (with_step(error=True), "scenario f.toml: reply 1, step 2: error is no HTTP status of a failure; write a number from 300 to 599"),
        (with_step(error="boom"), f"scenario f.toml: reply 1, step 2: error is 'boom'; write a status or {', '.join(ERROR_NAMES)}"),
        (with_step(error="quota", message="m"), "scenario f.toml: reply 1, step 2: it has a key 'message'; known here: error"),
        (with_step(error="internal", message="m"), "scenario f.toml: reply 1, step 2: it has a key 'message'; known here: error, delay"),
        (with_step(cut=False), "scenario f.toml: reply 1, step 2: cut is not true; write true, or leave the step out"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_place_and_way_out(raw: Any, text: str) -> None:
    """File, reply, step, what is wrong, what would be right."""
    assert complaint(raw) == text


@pytest.mark.parametrize(
    ("text", "syntax", "problem"),
    [
        ("a = ", "toml", "it is no TOML: Invalid value (at end of document); correct that place"),
        ("a = 1979-05-27", "toml", "a: a date is no value here; put it into quotes"),
        ("a = nan", "toml", "a: a number does not fit into 64 bits; use a smaller one"),
        ("a = [[0x" + "f" * 5000 + "]]", "toml", "a[0][0]: a number does not fit into 64 bits; use a smaller one"),
        ("a = " + "9" * 5000, "toml", "it is no TOML"),
        ("a = " + "[" * 70 + "]" * 70, "toml", "it is nested more than 64 deep; make it flatter"),
        ("a = " + "[" * 5000 + "]" * 5000, "toml", "it is nested too deep; make it flatter"),
        ("[" * 700, "yaml", "it is nested too deep; make it flatter"),
        ("&a [*a]", "yaml", "it is nested more than 64 deep; make it flatter"),
        ("? [a]\n: b", "yaml", "it is no YAML"),
        ("1: a", "yaml", "key 1 is no text; put it into quotes"),
        ("a: b: c", "yaml", "it is no YAML: mapping values are not allowed here"),
        ("a: !!python/name:os.system x", "yaml", "it is no YAML"),
        ("a: !!timestamp soon", "yaml", "it is no YAML"),
        ("a: !!int ''", "yaml", "it is no YAML"),
        ("a: !!bool maybe", "yaml", "it is no YAML"),
        ("a: !!binary aGk=", "yaml", "a: a bytes is no value here; put it into quotes"),
        ("a: !!set {b}", "yaml", "a: a set is no value here; put it into quotes"),
        ('a: "\\ud800"', "yaml", "half a surrogate pair"),
        ("a: .inf", "yaml", "it has a key 'a'"),
        ("\x00", "yaml", "it is no YAML"),
        ("", "yaml", "it is no table"),
        ("", "toml", "reply is missing"),
        ("", "json", "its syntax 'json' is not known; name the file .toml, .yaml or .yml"),
    ],
)  # fmt: skip
def test_files_that_are_no_plain_data_are_refused(text: str, syntax: str, problem: str) -> None:
    """Whatever the parsers make of them."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, syntax=syntax, source="f")

    assert str(caught.value).startswith("scenario f: ")
    assert problem in str(caught.value)


def test_aliases_that_unfold_to_millions_are_refused() -> None:
    """A few lines of YAML do not fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(ScenarioError, match="more than 100000 values"):
        parse_scenario("\n".join(lines), syntax="yaml")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "it cannot be read: No such file or directory"), (b"\xff", "it is no UTF-8 text")],
)
def test_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """With its path."""
    path = tmp_path / "s.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    assert f"scenario {path}: {problem}" in str(caught.value)


def test_folder_and_senseless_paths_are_named(tmp_path: Path) -> None:
    """As files that cannot be read."""
    for path in (tmp_path, "nul\0l.toml"):
        with pytest.raises(ScenarioError, match="it cannot be read"):
            load_scenario(path)


@given(st.text(max_size=60), st.sampled_from(["toml", "yaml"]))
@example("&a [&a x]", "yaml")
@example("a: !!float x", "yaml")
@example("a: !!omap [1]", "yaml")
@example("a: !!pairs [1]", "yaml")
@example("<<: 5", "yaml")
@example("%YAML 9", "yaml")
@example("--- a\n--- b", "yaml")
@example("a=1e400", "toml")
def test_any_text_is_a_scenario_or_a_scenario_error(text: str, syntax: str) -> None:
    """Nothing else ever comes out."""
    try:
        assert isinstance(parse_scenario(text, syntax=syntax), Scenario)
    except ScenarioError as error:
        assert str(error)


PIECES = ("name", "reply", "steps", "say", "think", "call", "arguments", "stall", "error", "when",
          "times", "user_matches", "usage", "delay", "always", "forever", "quota", "(", "[[a]]")  # fmt: skip
rubbish = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 600) | st.sampled_from(PIECES),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(PIECES), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(rubbish, rubbish, rubbish)
def test_any_data_is_a_scenario_or_a_scenario_error(whole: Any, reply: Any, step: Any) -> None:
    """At each level of the file."""
    for raw in (whole, {"reply": [reply]}, {"reply": [{"steps": [step]}]}, {"reply": [{"steps": [{"say": "x"}], "when": step, "usage": reply}]}):  # fmt: skip
        try:
            assert isinstance(read_scenario(raw, "f"), Scenario)
        except ScenarioError as error:
            assert str(error)


def test_error_survives_pickle_and_copy() -> None:
    """With all its fields."""
    error = ScenarioError("s", "p", "q", "w")

    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(other) == "scenario s: p: q; w"
        assert vars(other) == vars(error)


def test_built_in_scenario_is_one() -> None:
    """It is written in the same words as any other."""
    scenario = builtin_scenario()

    assert scenario.name == "built-in"
    assert all(reply.times is None for reply in scenario.replies)
