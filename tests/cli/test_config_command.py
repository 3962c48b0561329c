"""Showing the configuration."""

import json
import os
import pty
import re
from typing import Any

import pytest

from actors.cli.pieces import visible

from .running import Bench

FILE = """
model = "gpt-5.2"
profile = "work"
[profiles.work]
model_reasoning_effort = "high"
[model_providers.acme]
base_url = "https://me:hush@acme.test/v1"
http_headers = { X-Key = "hush" }
[mcp_servers.docs]
command = "docs"
args = ["--token", "hush"]
env = { A = "hush" }
[shell_environment_policy]
set = { B = "hush" }
"""


def configured(bench: Bench, text: str = FILE) -> None:
    bench.home.mkdir()
    (bench.home / "config.toml").write_text(text)


def rows(text: str) -> dict[str, tuple[str, str]]:
    """The table as key, value and origin."""
    split = [re.split(r" {2,}", line) for line in text.splitlines()]
    assert split[0] == ["KEY", "VALUE", "FROM"]
    return {key: (value, origin) for key, value, origin in split[1:]}


def test_each_key_is_shown_with_its_value_and_its_origin(bench: Bench) -> None:
    """The file, the profile in it, the command line, or the house."""
    configured(bench)
    path = str(bench.home / "config.toml")

    ran = bench.run("config", "-c", "features.collab=true")

    shown = rows(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert shown["model"] == ("gpt-5.2", path)
    assert shown["model_reasoning_effort"] == ("high", f"{path} [profiles.work]")
    assert shown["features.collab"] == ("true", "--config")
    assert shown["approval_policy"] == ("on-request", "default")
    assert shown["personality"] == ("-", "default")
    assert shown["project_root_markers"] == ('[".git"]', "default")
    assert list(shown) == sorted(shown)


def test_options_count_as_they_do_for_a_turn(bench: Bench) -> None:
    """Profile, folder, home."""
    configured(bench, '[profiles.a]\nmodel = "a"\n')
    other = bench.home / "other"
    (other / ".codex").mkdir(parents=True)
    (other / ".codex" / "config.toml").write_text('review_model = "r"')
    with (bench.home / "config.toml").open("a") as file:
        file.write(f'[projects."{other}"]\ntrust_level = "trusted"\n')

    shown = rows(bench.run("config", "-p", "a", "-C", str(other)).out)
    elsewhere = rows(bench.run("config", "--home", str(bench.cwd)).out)

    assert shown["model"][0] == "a"
    assert shown["profile"] == ("a", "--config")
    assert shown["review_model"] == ("r", str(other / ".codex" / "config.toml"))
    assert elsewhere["model"] == ("-", "default")


def test_json_has_a_line_for_each_key(bench: Bench) -> None:
    """And one for what was found in files."""
    configured(bench)
    (bench.cwd / "AGENTS.md").write_text("be nice")

    ran = bench.run("config", "--json")

    *lines, found = map(json.loads, ran.out.splitlines())
    by_key: dict[str, Any] = {line["key"]: line for line in lines}
    path = str(bench.home / "config.toml")
    assert by_key["model"] == {
        "key": "model",
        "value": "gpt-5.2",
        "origin": {"kind": "user", "source": path, "profile": None},
    }
    assert by_key["model_reasoning_effort"]["origin"]["profile"] == "work"
    assert by_key["agents.max_threads"] == {"key": "agents.max_threads", "value": 6, "origin": None}
    assert found["instruction_files"] == [str(bench.cwd / "AGENTS.md")]
    assert str(bench.home / "skills") in found["skill_roots"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_no_secret_is_shown(bench: Bench, words: list[str]) -> None:
    """In neither form; that there is one can be seen."""
    configured(bench)

    ran = bench.run("config", *words, "-c", "model_providers.b.experimental_bearer_token=hush")

    assert ran.code == 0
    assert "hush" not in ran.out + ran.err
    assert ran.out.count("********") == 6


def test_what_is_odd_is_told_beside_the_table(bench: Bench) -> None:
    """On standard error, a line each; the instructions' files, too."""
    configured(bench, "modle = 1\ncolour = 1\n")
    (bench.home / "AGENTS.md").write_text("be nice")

    ran = bench.run("config")

    path = bench.home / "config.toml"
    assert ran.code == 0
    assert ran.err.splitlines() == [
        f"instructions: {bench.home / 'AGENTS.md'}",
        f"treadle: warning: {path}: modle: nothing reads this key; did you mean 'model'?",
        f"treadle: warning: {path}: colour: nothing reads this key; "
        "'treadle config' lists the keys that count",
    ]


def test_a_turn_tells_it_as_well(bench: Bench) -> None:
    """Before it begins."""
    configured(bench, "modle = 1\n")

    ran = bench.talk("hello")

    assert ran.code == 0
    assert ran.err.startswith("treadle: warning: ")
    assert "'model'" in ran.err.splitlines()[0]


def test_a_turn_takes_the_profile_and_the_project_s_settings(bench: Bench) -> None:
    """As they are shown."""
    configured(bench, '[profiles.a]\nmodel = "of-the-profile"\n')

    ran = bench.run("exec", "-p", "a", "--json", "hello", "--scenario", str(bench.scenario))

    (rollout,) = bench.rollouts()
    assert ran.code == 0
    assert '"model":"of-the-profile"' in rollout.read_text()


def test_instructions_of_files_reach_the_model(bench: Bench) -> None:
    """Those of the home and of the folder."""
    configured(bench, "")
    (bench.home / "AGENTS.md").write_text("mine")
    (bench.cwd / "AGENTS.md").write_text("theirs")

    bench.talk("hello")

    (rollout,) = bench.rollouts()
    assert "mine\\n\\n--- project-doc ---\\n\\ntheirs" in rollout.read_text()


@pytest.mark.slow
def test_a_narrow_terminal_gets_a_narrow_table(bench: Bench) -> None:
    """Values are cut before keys and origins are."""
    configured(bench, f'model = "{"m" * 200}"')
    main, other = pty.openpty()
    environ = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "xterm"}
    with bench.process("config", environ=environ, stdout=other) as process:
        os.close(other)
        data = b""
        while True:
            try:
                part = os.read(main, 1 << 16)
            except OSError:
                break
            data += part
        code = process.wait()
    os.close(main)

    lines = data.decode().replace("\r", "").splitlines()
    (model,) = [line for line in map(visible, lines) if line.startswith("model ")]
    assert code == 0
    assert max(map(len, map(visible, lines))) == 100
    assert re.fullmatch(r"model +m+\.\.\. +\.\.\..*home/config\.toml", model)


@pytest.mark.slow
def test_a_new_user_sees_the_defaults(bench: Bench) -> None:
    """In a process of its own, without a home."""
    with bench.process("config") as process:
        out, err = process.communicate(timeout=20)

    assert process.returncode == 0
    assert err == b""
    assert {origin for _, origin in rows(out.decode()).values()} == {"default"}
    assert not bench.home.exists()
