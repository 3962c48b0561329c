"""Options, keys and variables of Codex, and what they do here."""

import os
import re
from typing import Any

import pytest

from actors.cli.codex_options import feature_words, set_apart
from actors.cli.options import ExecOptions, SettingsOptions
from actors.cli.output import Output
from actors.cli.preparation import prepare
from actors.cli.screen import Color, PlainScreen, open_screen
from actors.models import ResponsesProvider

from .running import Bench
from .test_bad_input import NOBODY, refused
from .test_commands import objects, records


def context(bench: Bench) -> Any:
    """The settings of the last turn of the newest thread."""
    return records(bench.rollouts()[-1], "turn_context")[-1]


@pytest.mark.parametrize(
    ("words", "sandbox"),
    [
        ("", "read-only"),
        ("--full-auto", "workspace-write"),
        ("--full-auto --sandbox workspace-write", "workspace-write"),
        ("--yolo", "danger-full-access"),
        ("--dangerously-bypass-approvals-and-sandbox", "danger-full-access"),
        ("--yolo -c sandbox_mode=read-only", "danger-full-access"),
        ("--skip-git-repo-check -s read-only", "read-only"),
    ],
)
def test_a_sandbox_has_several_names(bench: Bench, words: str, sandbox: str) -> None:
    """Options go before the configuration; nobody is asked in any of them."""
    assert bench.talk("hello", *words.split()).code == 0

    assert context(bench)["sandbox_policy"]["type"] == sandbox
    assert context(bench)["approval_policy"] == "never"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exec --full-auto -s read-only x", ("--sandbox", "--full-auto", "different")),
        ("exec --full-auto --yolo x", ("--full-auto", "--dangerously", "different")),
        ("exec --color blue x", ("--color", "blue", "always", "never", "auto")),
        ("exec --enable colour x", ("features.colour", "collab")),
        ("exec --disable a.b.c x", ("features.a", "collab")),
        ("exec --enable a=b x", ("features.a", "collab")),
        ("exec --add-dir", ("--add-dir",)),
    ],
)
def test_what_contradicts_itself_or_is_unknown_is_told(
    bench: Bench, line: str, words: tuple[str, ...]
) -> None:
    """In one line, with the way out."""
    refused(bench.run(*line.split()), *words)
    assert bench.rollouts() == []


def test_folders_to_write_into_are_added_to_those_of_the_configuration(bench: Bench) -> None:
    """Each once, from the folder of the turn; they say nothing where nothing is written."""
    (bench.cwd / "in").mkdir()
    roots = 'sandbox_workspace_write.writable_roots=["/a"]'

    written = bench.talk(
        "x", "--full-auto", "--add-dir", "../b", "-C", "in", "-c", roots, "--add-dir", "/a"
    )
    policy = context(bench)["sandbox_policy"]
    reading = bench.talk("x", "--add-dir", "/a")
    anywhere = bench.talk("x", "--add-dir", "/a", "--yolo")

    assert policy["writable_roots"] == ["/a", str(bench.cwd / "b")]
    assert "--add-dir" not in written.err + anywhere.err
    assert reading.err.splitlines()[0].startswith("treadle: warning: --add-dir: nothing may be")


def test_features_are_switched_on_and_off(bench: Bench) -> None:
    """Behind all of ``--config``, and off behind on; also for the command that shows them."""
    words = ("-c", "features.collab=false", "--enable", "collab", "--disable", "unified_exec")

    shown = objects(bench.run("config", "--json", *words).out)

    values = {line["key"]: line["value"] for line in shown if "key" in line}
    assert (values["features.collab"], values["features.unified_exec"]) == (True, False)
    both = SettingsOptions(enable=("a",), disable=("a",))
    assert feature_words(both) == ("features.a=true", "features.a=false")


@pytest.mark.parametrize(
    ("word", "is_kept", "is_told"),
    [
        ("model=x", True, False),
        ("web_search=live", False, True),
        ('web_search="disabled"', False, False),
        ("tools.web_search=true", False, True),
        ("features.web_search_request=true", False, True),
        ("features.web_search_request=false", False, False),
        ("features.collab=false", True, False),
        ("mcp_servers.a.name=x", False, True),
        ("mcp_servers.a.command=x", True, False),
        ("agents.worker.description=x", False, True),
        ("agents.max_threads=2", True, False),
        (" hide_agent_reasoning = true", False, True),
        ("colour=x", True, False),
        ("", True, False),
        ("=", True, False),
    ],
)
def test_keys_that_only_codex_reads_are_set_apart(word: str, is_kept: bool, is_told: bool) -> None:
    """All others are left to the configuration, also those that make no sense."""
    words, notes = set_apart((word, "model=y", word))

    assert words == ((word, "model=y", word) if is_kept else ("model=y",))
    assert len(notes) == is_told
    for note in notes:
        assert word.partition("=")[0].strip() in note


def test_what_means_nothing_here_is_told(bench: Bench) -> None:
    """A person in front of the turn, a program in the stream behind the thread's id."""
    words = (
        *("-c", "web_search=live", "--thread-source", "mine", "--cyber-access-program", "standard"),
        *("-c", "web_search=cached"),
    )

    person = bench.talk("hello", *words)
    program = bench.talk("hello", "--json", *words)

    said = [line for line in person.err.splitlines() if line.startswith("treadle: warning: ")]
    assert [line.split()[2] for line in said] == [
        "--thread-source",
        "--cyber-access-program",
        "--config",
    ]
    first, *notes = objects(program.out)[:4]
    assert first["type"] == "thread.started"
    assert notes == [
        {
            "type": "item.completed",
            "item": {"id": f"item_{n}", "type": "error", "message": line[len(PREFIX) :]},
        }
        for n, line in enumerate(said)
    ]
    assert program.err == ""
    assert objects(program.out)[5]["item"]["id"] == "item_3"


PREFIX = "treadle: warning: "


def test_a_program_is_told_that_the_model_is_scripted(bench: Bench) -> None:
    """It would take its words for those of a real one."""
    lines = objects(bench.run("exec", "--json", "hello").out)

    assert lines[1]["item"]["type"] == "error"
    assert lines[1]["item"]["message"].startswith("no API key: playing the scripted model")


def test_the_program_behind_a_turn_is_named_in_the_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable that Codex has for that."""
    bench.talk("one")
    monkeypatch.setenv("CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "codex_sdk_ts")
    bench.talk("two")
    monkeypatch.setenv("CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "a\nb")
    strange = bench.run("exec", "three")

    names = [records(path, "session_meta")[0]["originator"] for path in bench.rollouts()]
    assert names == ["treadle_exec", "codex_sdk_ts"]
    refused(strange, "CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "ASCII", r"'a\nb'")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"resume {NOBODY} x", 1),
        ("resume --last x", 1),
        ("-c model=1 x", 1),
        ("--output-schema gone.json x", 1),
        ("--cd gone x", 1),
        ("--color blue x", 1),
        ("", 1),
        ("--bogus x", 2),
        ("one two", 2),
        ("resume", 2),
    ],
)
def test_a_program_gets_the_exit_codes_of_codex(bench: Bench, line: str, code: int) -> None:
    """2 when the words make no sense, 1 for what is found out later; a person gets 2."""
    program = bench.run("exec", "--json", *line.split())
    person = bench.run("exec", *line.split())

    assert (program.code, person.code) == (code, 2)
    assert program.out == ""
    assert program.err == person.err


@pytest.mark.parametrize(
    ("given", "host"), [((), "environment"), (("openai_base_url=http://turn/v1",), "turn")]
)
def test_an_address_for_one_turn_goes_before_that_of_the_environment(
    bench: Bench, given: tuple[str, ...], host: str
) -> None:
    """Which goes before that of the file."""
    bench.home.mkdir()
    (bench.home / "config.toml").write_text('openai_base_url = "http://file/v1"')
    environ = {
        "CODEX_API_KEY": "key",
        "CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "sdk",
        "OPENAI_BASE_URL": "http://environment/v1",
    }

    prepared = prepare(ExecOptions(config=given, home=str(bench.home)), environ)

    assert isinstance(prepared.provider, ResponsesProvider)
    assert prepared.provider.info.base_url == f"http://{host}/v1"


@pytest.mark.slow
def test_a_prompt_is_taken_to_its_end_whatever_is_wrong(bench: Bench) -> None:
    """A program that is still writing would get an error of its own, and some crash then."""
    with bench.process("exec", "--json", "resume", NOBODY) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * (1 << 20))
        process.stdin.close()
        assert process.wait(20) == 1


_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def test_a_pipe_has_styles_if_they_are_wanted(bench: Bench) -> None:
    """And nothing else that a terminal would have: no broken lines, no spinner."""
    prompt = "a long line that no terminal would show in one piece " * 20

    plain = bench.talk(prompt)
    never = bench.talk(prompt, "--color", "never")
    always = bench.talk(prompt, "--color", "always")

    assert never.out == plain.out
    assert "\x1b" not in plain.out + plain.err
    assert "\x1b[" in always.out
    assert _STYLE.sub("", always.out) == plain.out
    assert "\x1b" not in _STYLE.sub("", always.err)


def test_a_terminal_has_no_styles_if_none_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a spinner."""
    monkeypatch.setattr(os, "isatty", lambda _: True)

    assert isinstance(open_screen(Output(), Color.NEVER), PlainScreen)
    assert not isinstance(open_screen(Output(), Color.AUTO), PlainScreen)
