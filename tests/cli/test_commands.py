"""The commands, from their words to what they write."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .running import Bench


def ids(bench: Bench) -> list[str]:
    return [path.stem[-36:] for path in bench.rollouts()]


def objects(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def records(path: Path, kind: str) -> list[Any]:
    lines = objects(path.read_text())
    return [line["payload"] for line in lines if line["type"] == kind]


def test_exec_shows_the_turn_and_how_to_go_on(bench: Bench) -> None:
    """The conversation goes to standard output, notes go to standard error."""
    ran = bench.talk("hello")

    (thread_id,) = ids(bench)
    assert ran.code == 0
    assert ran.out == "thinking: Easy.\n\nYou said hello.\n"
    usage, hint = ran.err.splitlines()
    assert usage.startswith("tokens: ")
    assert hint == f"resume with: treadle exec resume {thread_id}"


def test_exec_without_a_key_says_that_the_model_is_scripted(bench: Bench) -> None:
    """In one line, with the way to a real one."""
    ran = bench.run("exec", "--sandbox", "danger-full-access", "run: echo $((40 + 2))")

    assert ran.code == 0
    # A login shell may have something of its own to say in between.
    assert "$ echo $((40 + 2))\n  42\n" in ran.out
    assert "\n  exit 0, " in ran.out
    first = ran.err.splitlines()[0]
    assert first.startswith("treadle: no API key: ")
    assert "OPENAI_API_KEY" in first


@pytest.mark.parametrize("flag", ["--json", "--experimental-json"])
def test_exec_json_prints_thread_events_and_nothing_else(bench: Bench, flag: str) -> None:
    """And the same ones on resume, with the same id and the usage of the whole thread."""
    first = objects(bench.talk(flag, "hello").out)
    (thread_id,) = ids(bench)
    again = objects(bench.talk(flag, "resume", thread_id, "again").out)

    kinds = ["thread.started", "turn.started", "item.completed", "item.completed", "turn.completed"]
    assert [event["type"] for event in first] == kinds
    assert [event["type"] for event in again] == kinds
    assert first[0] == again[0] == {"type": "thread.started", "thread_id": thread_id}
    assert first[2]["item"] == {"id": "item_0", "type": "reasoning", "text": "Easy."}
    assert again[3]["item"] == {"id": "item_1", "type": "agent_message", "text": "You said again."}
    before, after = (events[-1]["usage"]["input_tokens"] for events in (first, again))
    assert after > before


def test_a_failed_turn_ends_with_exit_code_1(bench: Bench) -> None:
    """For a person with an error, for a program with a failed turn."""
    person = bench.talk("fail")
    program = bench.talk("--json", "fail")

    assert (person.code, person.out) == (1, "")
    assert person.err.startswith("error: no such thing\n")
    assert program.code == 1
    assert objects(program.out)[-2:] == [
        {"type": "error", "message": "no such thing"},
        {"type": "turn.failed", "error": {"message": "no such thing"}},
    ]


@pytest.mark.parametrize("words", [(), ("-",)])
def test_exec_reads_the_prompt_from_standard_input(bench: Bench, words: tuple[str, ...]) -> None:
    """To its end, when there is none or a dash."""
    ran = bench.run("exec", *words, "--scenario", str(bench.scenario), stdin="grüß\ndich".encode())

    assert ran.out.endswith("You said grüß\ndich.\n")


def test_a_prompt_goes_before_standard_input(bench: Bench) -> None:
    """Which is left alone then: it may be a pipe that nobody closes."""
    ran = bench.run("exec", "arg", "--scenario", str(bench.scenario), stdin=b"input")

    assert ran.out.endswith("You said arg.\n")


def test_a_prompt_behind_two_dashes_is_never_a_command(bench: Bench) -> None:
    """Nor an option."""
    for prompt in ("resume", "--json"):
        ran = bench.run("exec", "--scenario", str(bench.scenario), "--", prompt)
        assert ran.out.endswith(f"You said {prompt}.\n")


def test_a_thread_is_resumed_by_id_name_path_and_as_the_last(bench: Bench) -> None:
    """Always into the same rollout, and with options on both sides of the command."""
    bench.talk("one")
    (rollout,) = bench.rollouts()
    (thread_id,) = ids(bench)
    names = {"id": thread_id, "thread_name": "mine", "updated_at": "2026-11-20T00:00:00Z"}
    (bench.home / "session_index.jsonl").write_text(json.dumps(names) + "\n")

    for words in (
        ("resume", thread_id.upper(), "next"),
        ("--ephemeral", "resume", "mine", "aside"),
        ("resume", "mine", "next"),
        ("resume", "--durability", "fsync", str(rollout), "next"),
        ("resume", "--last", "next"),
    ):
        assert bench.talk(*words).code == 0

    assert bench.rollouts() == [rollout]
    shown = bench.run("threads", "show", "mine").out
    assert shown.startswith(f"thread {thread_id} (mine)\n")
    assert shown.count("You said next.") == 4
    assert "user #5\n  next\n" in shown
    assert "aside" not in shown


def test_the_last_thread_is_one_of_this_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless any folder is asked for."""
    bench.talk("one")
    other = bench.cwd / "other"
    other.mkdir()
    monkeypatch.chdir(other)

    nothing = bench.talk("resume", "--last", "two")
    here = bench.talk("--cd", str(bench.cwd), "resume", "--last", "two")
    anywhere = bench.talk("resume", "--last", "--all", "three")

    assert (nothing.code, here.code, anywhere.code) == (2, 0, 0)
    assert len(bench.rollouts()) == 1


def test_settings_come_from_options_then_overrides_then_the_file(bench: Bench) -> None:
    """And the approval policy is always never: nobody is there to ask."""
    bench.home.mkdir()
    (bench.home / "config.toml").write_text(
        'model = "filed"\nsandbox_mode = "workspace-write"\napproval_policy = "untrusted"\n'
        "[sandbox_workspace_write]\nnetwork_access = true\n"
    )

    bench.talk("x")
    bench.talk("x", "-c", "model=over", "-c", "sandbox_workspace_write.exclude_slash_tmp=true")
    bench.talk(
        "x", "-m", "opted", "-c", 'model="over"', "-s", "danger-full-access", "-c",
        "model_reasoning_effort=high", "-c", "approval_policy=on-request",
    )  # fmt: skip

    contexts = [records(path, "turn_context")[0] for path in bench.rollouts()]
    assert [context["model"] for context in contexts] == ["filed", "over", "opted"]
    assert {context["approval_policy"] for context in contexts} == {"never"}
    policies = [context["sandbox_policy"] for context in contexts]
    assert [policy["type"] for policy in policies] == [
        "workspace-write",
        "workspace-write",
        "danger-full-access",
    ]
    assert [policy.get("network_access") for policy in policies] == [True, True, None]
    assert policies[1]["exclude_slash_tmp"] is True
    assert contexts[2]["effort"] == "high"


def test_a_schema_and_images_go_with_the_turn(bench: Bench) -> None:
    """An image that is not there is told to the model, and is no error."""
    (bench.cwd / "schema.json").write_text('{"type": "object"}')

    ran = bench.talk("--output-schema", "schema.json", "-i", "a.png,b.png", "--image=c.png", "x")

    assert ran.code == 0
    (rollout,) = bench.rollouts()
    (context,) = records(rollout, "turn_context")
    assert context["final_output_json_schema"] == {"type": "object"}
    (said,) = [m for m in records(rollout, "event_msg") if m["type"] == "user_message"]
    assert said["local_images"] == [str(bench.cwd / name) for name in ("a.png", "b.png", "c.png")]


def test_the_last_message_goes_into_a_file(bench: Bench) -> None:
    """If it can be written; the turn is done in any case."""
    done = bench.talk("hello", "-o", "last.txt")
    cannot = bench.talk("hello", "-o", "gone/last.txt")
    failed = bench.talk("fail", "-o", "none.txt")

    assert (done.code, cannot.code, failed.code) == (0, 1, 1)
    assert (bench.cwd / "last.txt").read_text() == "You said hello."
    assert (bench.cwd / "none.txt").read_text() == ""
    assert cannot.err.splitlines()[-1] == (
        "treadle: cannot write 'gone/last.txt': No such file or directory"
    )


def test_an_ephemeral_thread_leaves_nothing(bench: Bench) -> None:
    """And is not said to be resumable."""
    ran = bench.talk("hello", "--ephemeral")

    assert ran.code == 0
    assert "resume" not in ran.err
    assert bench.rollouts() == []


def test_threads_are_listed_with_those_that_changed_last_first(bench: Bench) -> None:
    """Page by page, for a person and for a program."""
    for prompt in ("first", "second thing\nto do", "third"):
        bench.talk(prompt)
    first, second, third = ids(bench)
    (bench.home / "session_index.jsonl").write_text(json.dumps({"id": third, "thread_name": "x"}))
    for seconds, path in zip((30, 20, 10), bench.rollouts(), strict=True):
        os.utime(path, (path.stat().st_mtime - seconds * 86400,) * 2)

    table = bench.run("threads")
    page = bench.run("threads", "--limit", "2")
    lines = objects(bench.run("threads", "--json", "--limit", "2").out)
    rest = objects(bench.run("threads", "--json", "--cursor", lines[-1]["next_cursor"]).out)

    heading, *rows = table.out.splitlines()
    assert heading.split() == ["THREAD", "CHANGED", "FOLDER", "WHAT"]
    assert [row.split()[0] for row in rows] == [third, second, first]
    assert rows[0].endswith(" x")
    assert " 20 days ago " in rows[1]
    assert rows[1].endswith(" second thing to do")
    assert len(page.out.splitlines()) == 3
    assert page.err == f"more: treadle threads --cursor '{lines[-1]['next_cursor']}'\n"
    assert [line.get("id") for line in lines] == [third, second, None]
    assert lines[0]["name"] == "x"
    assert lines[1]["preview"] == "second thing\nto do"
    assert lines[1]["source"] == "exec"
    assert lines[1]["cwd"] == str(bench.cwd)
    assert [line["id"] for line in rest] == [first]


def test_an_empty_list_says_so(bench: Bench) -> None:
    """On standard error, so that a program sees nothing."""
    ran = bench.run("threads")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"no threads in {str(bench.home)!r}\n"
    assert bench.run("threads", "--json").out == ""


def test_a_fork_takes_what_comes_before_a_message(bench: Bench) -> None:
    """Numbered as the transcript does; all without a number.  The parent stays as it is."""
    bench.talk("one")
    (parent,) = ids(bench)
    bench.talk("resume", parent, "two")
    before = bench.rollouts()[0].read_bytes()

    whole = bench.run("threads", "fork", parent)
    part = bench.run("threads", "fork", parent, "--before", "2")

    assert (whole.code, part.code) == (0, 0)
    for ran, texts in ((whole, ["one", "two"]), (part, ["one"])):
        fork, path = ran.out.rstrip("\n").split("\t")
        assert Path(path).exists()
        shown = bench.run("threads", "show", fork).out
        assert f"forked from {parent}\n" in shown
        assert [text for text in ("one", "two") if f"You said {text}." in shown] == texts
        assert bench.talk("resume", fork, "three").code == 0
    assert bench.rollouts()[0].read_bytes() == before


def test_a_damaged_line_is_told_and_the_rest_is_shown(bench: Bench) -> None:
    """A torn end, too."""
    bench.talk("one")
    (rollout,) = bench.rollouts()
    lines = rollout.read_bytes().splitlines(keepends=True)
    lines.insert(2, b"rubbish\n")
    rollout.write_bytes(b"".join(lines) + b'{"torn')

    ran = bench.run("threads", "show", str(rollout))

    assert ran.code == 0
    assert "You said one." in ran.out
    assert "warning: line 3 was left out: " in ran.err
    assert "warning: the last line was not written to its end" in ran.err


def test_help_and_version_are_shown(bench: Bench) -> None:
    """For the program and for each command."""
    for words, text in (
        (["--help"], "exec"),
        (["exec", "--help"], "--output-schema"),
        (["exec", "resume", "-h"], "--last"),
        (["threads", "fork", "--help"], "--before"),
        ([], "threads"),
    ):
        ran = bench.run(*words)
        assert ran.code == 0
        assert text in ran.out
        assert "Usage: treadle" in ran.out
    assert bench.run("--version").out.strip()
