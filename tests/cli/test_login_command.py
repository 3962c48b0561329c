"""Logging in and out."""

import json
import os
import pty
import stat

import pytest

from tests.models.logins import write_login

from .running import Bench

KEY = "sk-test-0123456789"


def kept(bench: Bench) -> object:
    return json.loads((bench.home / "auth.json").read_text())


def test_a_key_is_kept_for_its_user_alone(bench: Bench) -> None:
    """In the form of Codex; it is shown nowhere."""
    ran = bench.run("login", "--with-api-key", stdin=f" {KEY}\n".encode())

    path = bench.home / "auth.json"
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"the key is kept in {path}\n"
    assert isinstance(kept(bench), dict)
    assert KEY in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_key_takes_the_place_of_the_first(bench: Bench) -> None:
    """There is one login."""
    bench.run("login", "--with-api-key", stdin=b"sk-first-0123456789")

    bench.run("login", "--with-api-key", stdin=KEY.encode())

    assert "first" not in (bench.home / "auth.json").read_text()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"two words", "no key"),
        (b"two\nlines", "no key"),
        (b"\xff\xfe", "API key"),
        (b"a\x00b", "no key"),
        (b"x" * (1 << 16), "no key"),
    ],
)
def test_what_is_no_key_is_refused(bench: Bench, data: bytes, words: str) -> None:
    """And changes nothing."""
    bench.run("login", "--with-api-key", stdin=KEY.encode())
    before = kept(bench)

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:  # what is longer than a pipe needs somebody who writes
        os.close(reader)
        os.write(writer, data)
        os._exit(0)
    os.close(writer)
    ran = bench.run("login", "--with-api-key", stdin=reader)
    os.close(reader)
    os.waitpid(pid, 0)

    assert ran.code == 2
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert kept(bench) == before


def test_a_terminal_is_not_waited_for(bench: Bench) -> None:
    """What is typed there would be seen; the way to do it is told."""
    main, other = pty.openpty()

    ran = bench.run("login", "--with-api-key", stdin=other)

    os.close(main)
    os.close(other)
    assert ran.code == 2
    assert "printenv OPENAI_API_KEY | treadle login --with-api-key" in ran.err


def test_logging_out_forgets_the_login(bench: Bench) -> None:
    """Once; the exit code is no failure either way."""
    bench.run("login", "--with-api-key", stdin=KEY.encode())

    first, second = bench.run("logout"), bench.run("logout")

    assert (first.code, first.out) == (0, "logged out\n")
    assert not (bench.home / "auth.json").exists()
    assert (second.code, second.out) == (0, f"nobody was logged in in {bench.home}\n")


def test_a_key_in_the_environment_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user hears of it, as it goes on to be used."""
    monkeypatch.setenv("CODEX_API_KEY", KEY)

    out = bench.run("logout").out
    status = bench.run("login", "status")

    assert "the key in CODEX_API_KEY is in the environment and stays" in out
    assert (status.code, status.out) == (0, "logged in with the API key in CODEX_API_KEY\n")
    assert KEY not in out + status.out


def test_the_status_says_who_is_logged_in(bench: Bench) -> None:
    """A script can tell by the exit code."""
    nobody = bench.run("login", "status")
    bench.run("login", "--with-api-key", stdin=KEY.encode())
    somebody = bench.run("login", "status")

    assert (nobody.code, nobody.out) == (1, f"nobody is logged in in {bench.home}\n")
    path = bench.home / "auth.json"
    assert (somebody.code, somebody.out) == (0, f"logged in with an API key, kept in {path}\n")


def test_a_chatgpt_login_is_told_by_its_person(bench: Bench) -> None:
    """Codex makes it; nothing secret of it is shown."""
    bench.home.mkdir()
    write_login(bench.home)

    ran = bench.run("login", "status")

    assert ran.code == 0
    assert ran.out == "logged in with ChatGPT: ann@example.org, plan plus\n"
    assert "access" not in ran.out


def test_a_login_that_is_damaged_is_told_and_can_be_replaced(bench: Bench) -> None:
    """In one line."""
    bench.home.mkdir()
    (bench.home / "auth.json").write_text("{")

    status = bench.run("login", "status")

    assert status.code == 2
    assert str(bench.home / "auth.json") in status.err
    assert status.err.count("\n") == 1
    assert bench.run("login", "--with-api-key", stdin=KEY.encode()).code == 0
    assert bench.run("login", "status").code == 0


@pytest.mark.parametrize("line", ["login --with-api-key", "login status", "logout"])
def test_another_store_is_out_of_reach(bench: Bench, line: str) -> None:
    """That is told, and not worked around."""
    bench.home.mkdir()
    (bench.home / "config.toml").write_text('cli_auth_credentials_store = "keyring"')

    ran = bench.run(*line.split(), stdin=KEY.encode())

    assert ran.code == 2
    for word in ("config.toml", "cli_auth_credentials_store", "keyring", "'file'"):
        assert word in ran.err
    assert not (bench.home / "auth.json").exists()


def test_a_home_that_cannot_be_made_is_told(bench: Bench) -> None:
    """With its path."""
    (bench.cwd / "file").write_text("")

    ran = bench.run(
        "login", "--with-api-key", "--home", str(bench.cwd / "file" / "home"), stdin=KEY.encode()
    )

    assert ran.code == 2
    assert str(bench.cwd / "file") in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.slow
def test_a_turn_uses_the_login(bench: Bench) -> None:
    """It is no scripted model any more: this one asks a server that is not there."""
    bench.run("login", "--with-api-key", stdin=KEY.encode())
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}

    with bench.process(
        "exec", "-c", "features.shell_tool=false", "hello", environ=environ
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()

    assert "no API key" not in line
    assert "127.0.0.1:9" in line or "econnect" in line, line
    assert KEY not in line
