"""The scenario that comes with the program."""

from __future__ import annotations

import json

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.models import Completed, ScriptedProvider
from tests.models.asking import ask, called, request_of

from .scripted_stage import calls_of, shell_output, text_of


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
