"""Bad input: one clear line on standard error, exit code 2, and nothing is done."""

from pathlib import Path

import pytest

from .running import Bench, Ran

NOBODY = "01a1fad3-e9a3-77df-86ee-000000000000"


def refused(ran: Ran, *words: str) -> None:
    assert ran.code == 2, ran
    assert ran.out == ""
    assert ran.err.startswith("treadle: ")
    assert ran.err.endswith("\n")
    assert ran.err.count("\n") == 1, ran.err
    for word in words:
        assert word in ran.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run", ("unknown command", "run", "exec", "threads", "treadle --help")),
        ("threads list", ("list",)),
        ("exec --bogus x", ("--bogus", "treadle exec --help")),
        ("exec --model", ("--model",)),
        ("exec --jsn x", ("--jsn", "--json")),
        ("exec one two", ("too many arguments: two",)),
        ("exec -s none x", ("none", "read-only", "workspace-write")),
        ("exec --durability maybe x", ("maybe", "fsync")),
        ("exec --json=perhaps x", ("perhaps", "--json")),
        ("exec resume", ("--last",)),
        ("exec resume --all x", ("--all", "--last")),
        ("exec resume --last a b", ("--last",)),
        ("exec resume --last x", ("--last", "--all")),
        ("exec resume --last --all x", ("--last", "home")),
        (f"exec resume {NOBODY} x", (NOBODY, "id", "treadle threads")),
        ("exec resume somebody x", ("somebody", "name")),
        ("exec resume ./gone.jsonl x", ("gone.jsonl", "no rollout")),
        (f"threads show {NOBODY}", (NOBODY,)),
        ("threads show", ("THREAD",)),
        ("threads fork somebody", ("somebody",)),
        ("threads fork x --before 0", ("--before", "0")),
        ("threads fork x --before y", ("--before", "y")),
        ("threads fork x --before none", ("--before", "none")),
        ("threads --limit 0", ("--limit", "from 1")),
        ("threads --limit many", ("--limit", "many")),
        ("threads --cursor here", ("--cursor", "here")),
        ("exec --cd gone x", ("--cd", "gone")),
        ("exec --scenario gone.toml x", ("gone.toml",)),
        ("exec --output-schema gone.json x", ("--output-schema", "gone.json")),
        ("exec -c model x", ("KEY=VALUE", "model")),
        ("exec -c =x x", ("KEY=VALUE",)),
        ("exec -c personality=x x", ("--config", "personality", "friendly")),
        ("exec -c modle=x x", ("--config", "modle", "'model'")),
        ("exec -c colour=x x", ("--config", "colour", "treadle config")),
        ("exec -p nobody x", ("profile", "nobody", "[profiles.nobody]")),
        ("exec -c profile=nobody x", ("--config", "profile", "nobody")),
        ("exec -c projects.x.trust_level=trusted x", ("projects", "config.toml")),
        ("config extra", ("extra",)),
        ("config --cd gone", ("--cd", "gone")),
        ("config -p nobody", ("profile", "nobody")),
        ("config -c model", ("KEY=VALUE",)),
        ("config -c model=1", ("--config", "model", "text")),
        ("models --refresh --offline", ("--refresh", "--offline")),
        ("models -c model_provider=acme", ("acme", "scripted")),
        ("login", ("--with-api-key", "status")),
        ("login now", ("now",)),
        ("login --with-api-key", ("standard input", "empty")),
        ("logout --all", ("--all",)),
        ("exec -c model_providers.a.colour=x x", ("colour", "base_url")),
        ("exec -c model_providers.openai.name=x x", ("openai", "house")),
        ("exec -c sandbox_workspace_write.speed=1 x", ("speed", "writable_roots")),
        ("exec -c model=1 x", ("model", "text")),
        ("exec -c model_provider=acme x", ("acme", "scripted")),
        ("exec -c sandbox_mode=none x", ("sandbox_mode", "read-only")),
        ("exec -c approval_policy=maybe x", ("approval_policy", "never")),
        ("exec -c features.colour=true x", ("--config", "features.colour", "collab")),
        ("exec -c features.collab=yes x", ("--config", "features.collab", "true or false")),
        ("exec -c mcp_servers.a.url=x x", ("--config", "mcp_servers.a.url", "http")),
        ("exec -c mcp_servers.a.enabled=true x", ("mcp_servers.a", "command", "url")),
        ("exec -c agents.max_threads=0 x", ("agents.max_threads", "from 1")),
        ("exec -c model.name=x x", ("--config", "model", "text")),
        ("exec -c model_providers.a.base_url=ftp://x x", ("base_url",)),
        ("exec -c model_providers.a.wire_api=chat x", ("wire_api", "responses")),
    ],
)
def test_a_word_that_makes_no_sense_is_told(bench: Bench, line: str, words: tuple[str]) -> None:
    """Who, what, and the way out."""
    refused(bench.run(*line.split()), *words)
    assert bench.rollouts() == []


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_told(bench: Bench, prompt: str) -> None:
    """As an argument and on standard input."""
    refused(bench.run("exec", prompt), "prompt", "empty")
    refused(bench.run("exec", stdin=prompt.encode()), "standard input", "empty")
    refused(bench.run("exec", "-", stdin=prompt.encode()), "standard input", "empty")


def test_a_prompt_that_is_no_text_is_told(bench: Bench) -> None:
    """Where it goes wrong, too."""
    refused(bench.run("exec", stdin=b"ab\xff"), "standard input", "UTF-8", "byte 2")
    refused(bench.run("exec", "ab\udcff"), "prompt", "UTF-8")


def test_a_home_that_is_a_file_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever its name came from."""
    bench.home.write_text("")

    refused(bench.run("exec", "x"), str(bench.home), "TREADLE_HOME", "folder")
    refused(bench.run("threads", "--home", str(bench.home)), str(bench.home), "--home")
    monkeypatch.delenv("TREADLE_HOME")
    monkeypatch.setenv("CODEX_HOME", str(bench.home))
    refused(bench.run("threads"), str(bench.home), "CODEX_HOME")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model = \nx = 1", ("line 1", "TOML")),
        ("model = 5", ("model", "text")),
        ('model_provider = "acme"', ("model_provider", "acme")),
        ('sandbox_mode = "none"', ("sandbox_mode", "read-only")),
        (
            """
            model_provider = "acme"
            [model_providers.acme]
            base_url = "http://127.0.0.1:1"
            env_key = "ACME_KEY"
            """,
            ("acme", "ACME_KEY"),
        ),
    ],
)
def test_a_bad_configuration_is_told(bench: Bench, text: str, words: tuple[str]) -> None:
    """With the file, and the place in it."""
    bench.home.mkdir()
    (bench.home / "config.toml").write_text(text)

    refused(bench.run("exec", "x"), "config.toml", *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("empty",)),
        ("{}\n", ("session_meta",)),
        ("rubbish\n", ("session_meta",)),
    ],
)
@pytest.mark.parametrize("command", ["exec resume", "threads show", "threads fork"])
def test_a_file_that_is_no_rollout_is_told(
    bench: Bench, command: str, text: str, words: tuple[str]
) -> None:
    """And left as it is."""
    path = bench.cwd / "some.jsonl"
    path.write_text(text)

    ran = bench.run(*command.split(), str(path), *(["x"] if "exec" in command else []))

    refused(ran, "some.jsonl", *words)
    assert path.read_text() == text


def test_a_folder_is_no_rollout(bench: Bench) -> None:
    """Even if it is there."""
    refused(bench.run("threads", "show", f"{bench.cwd}/"), str(bench.cwd))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bad.toml", "[[reply]]\nsteps = 5\n", ("reply 1",)),
        ("bad.yaml", "reply: [", ("bad.yaml",)),
        ("bad.txt", "", ("bad.txt",)),
    ],
)
def test_a_bad_scenario_is_told(bench: Bench, name: str, text: str, words: tuple[str]) -> None:
    """With the place in it."""
    (bench.cwd / name).write_text(text)

    refused(bench.run("exec", "x", "--scenario", name), name, *words)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_schema_that_is_none_is_told(bench: Bench, text: str) -> None:
    """Before the model is asked."""
    Path("schema.json").write_text(text, encoding="latin-1")

    refused(bench.run("exec", "x", "--output-schema", "schema.json"), "schema.json", "JSON")


def test_a_message_past_the_end_cannot_be_forked_from(bench: Bench) -> None:
    """The line says how many there are."""
    bench.talk("hello")
    (rollout,) = bench.rollouts()

    refused(bench.run("threads", "fork", str(rollout), "--before", "2"), "--before 2", "1 message")
    assert bench.rollouts() == [rollout]


def test_an_archived_thread_cannot_be_resumed(bench: Bench) -> None:
    """But read and copied."""
    bench.talk("hello")
    (rollout,) = bench.rollouts()
    archive = bench.home / "archived_sessions"
    archive.mkdir()
    rollout.rename(archive / rollout.name)
    thread_id = rollout.stem[-36:]

    refused(bench.run("exec", "resume", thread_id, "x"), "archived", "fork")
    assert bench.run("threads", "show", thread_id).code == 0
