"""The command as a process: signals, closed pipes, full disks and terminals."""

import errno
import fcntl
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import IO

import pytest

from .running import ROOT, Bench
from .test_commands import objects, records


def read_until(stream: IO[bytes] | None, text: bytes) -> bytes:
    """Read until *text* was written; the pipe's end is a failure."""
    assert stream is not None
    read = b""
    while text not in read:
        part = os.read(stream.fileno(), 4096)
        assert part, read
        read += part
    return read


def ended(process: Popen[bytes], within: float = 20.0) -> tuple[int, str]:
    """Wait for the end; the exit code and the rest of standard error."""
    assert process.stderr is not None
    code = process.wait(within)
    return code, process.stderr.read().decode()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def put_and_taken(pipe: IO[bytes], text: bytes) -> None:
    """Write something into a pipe, and wait until the other end has read it."""
    # With room for one piece, it can be written to when that is gone.
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, resource.getpagesize())
    pipe.write(text)
    pipe.flush()
    select.select([], [pipe], [])


NO_SANDBOX = ("--sandbox", "danger-full-access")
"""So that the command may write, and its process has the same id for everybody."""


def last_record(path: Path) -> str:
    return str(records(path, "event_msg")[-1]["type"])


def test_ctrl_c_interrupts_the_turn_and_its_command(bench: Bench) -> None:
    """The record has its end, no command is left, and the user hears how to go on."""
    bench.expect_sleep()
    with bench.process(*bench.talking("sleep", *NO_SANDBOX)) as process:
        read_until(process.stdout, b"exec sleep 1000\n")
        pid = bench.pid_of_sleep()
        process.send_signal(signal.SIGINT)
        code, err = ended(process)

    (rollout,) = bench.rollouts()
    assert code == 130
    assert "interrupted\n" in err
    assert err.endswith(f"resume with: treadle exec resume {rollout.stem[-36:]}\n")
    assert last_record(rollout) == "turn_aborted"
    assert not is_alive(pid)


def test_ctrl_c_in_json_prints_nothing_more(bench: Bench) -> None:
    """The exit code says it."""
    with bench.process(*bench.talking("sleep", "--json", *NO_SANDBOX)) as process:
        told = read_until(process.stdout, b'"in_progress"}}\n')
        process.send_signal(signal.SIGINT)
        code, err = ended(process)
        assert process.stdout is not None
        told += process.stdout.read()

    assert (code, err) == (130, "")
    *_, begin, end = objects(told.decode())
    assert begin["type"] == "item.started"
    assert (end["type"], end["item"]["status"]) == ("item.completed", "failed")


def test_ctrl_c_while_the_prompt_is_read_ends_at_once(bench: Bench) -> None:
    """There is no turn yet."""
    with bench.process("exec") as process:
        assert process.stdin is not None
        put_and_taken(process.stdin, b"beginning")
        process.send_signal(signal.SIGINT)
        code, _ = ended(process)

    assert code == 130
    assert bench.rollouts() == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["term", "hup"]
)
def test_a_process_that_is_told_to_end_does_so_in_order(
    bench: Bench, number: int, code: int
) -> None:
    """With the turn's end recorded; until then its rollout is its own."""
    with bench.process(*bench.talking("forever")) as process:
        read_until(process.stdout, b"I wait.")
        (rollout,) = bench.rollouts()
        locked = bench.talk("resume", str(rollout), "me too")
        process.send_signal(number)
        assert ended(process)[0] == code

    assert last_record(rollout) == "turn_aborted"
    assert (locked.code, locked.out) == (2, "")
    assert f"process {process.pid}" in locked.err
    assert locked.err.count("\n") == 1
    assert bench.talk("resume", str(rollout), "now").code == 0


def test_signals_end_a_process_whose_output_nobody_takes(bench: Bench) -> None:
    """A stopped terminal does not keep it: the second Ctrl-C ends at once."""
    bench.talk("hello")
    (rollout,) = bench.rollouts()
    rollout.write_bytes(rollout.read_bytes() * 2000)
    for words in (bench.talking("much"), ["threads", "show", str(rollout)]):
        with bench.process(*words) as process:
            read_until(process.stdout, b"e")
            # Two at once are one for the system, and when a first one was heard is
            # not to be seen, because nobody takes the output.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
            code, err = ended(process)
        assert code == 130
        assert "Traceback" not in err


def test_a_closed_pipe_ends_the_turn_quietly(bench: Bench) -> None:
    """As any program in front of ``head`` ends."""
    with bench.process(*bench.talking("much")) as process:
        read_until(process.stdout, b"much more to say")
        assert process.stdout is not None
        process.stdout.close()
        code, err = ended(process)

    assert code == 141
    assert "Traceback" not in err
    assert "treadle:" not in err
    assert last_record(bench.rollouts()[0]) == "turn_aborted"


def test_a_full_disk_under_standard_output_is_told(bench: Bench) -> None:
    """In one line."""
    with Path("/dev/full").open("wb") as full:
        words = bench.talking("hello")
        with bench.process(*words, stdout=full.fileno()) as process:
            code, err = ended(process)

    assert code == 1
    assert err.splitlines()[-1] == (
        "treadle: cannot write to standard output: No space left on device"
    )
    assert "Traceback" not in err


def test_a_full_disk_under_the_rollout_is_told(bench: Bench) -> None:
    """With a warning while it lasts; the turn fails, and there is nothing to resume."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
        try:  # a child takes its limits from us
            process = stack.enter_context(bench.process(*bench.talking("hello")))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        code, err = ended(process)

    assert code == 1
    assert os.strerror(errno.EFBIG) in err
    assert "Traceback" not in err
    assert "resume with" not in err


@contextmanager
def terminal(bench: Bench, *words: str, **environ: str) -> Iterator[tuple[Popen[bytes], int]]:
    """Run a command on a terminal of its own; its other end comes along."""
    master, slave = pty.openpty()
    try:
        with bench.process(
            *words,
            stdout=slave,
            stderr=slave,
            environ={"TERM": "xterm", "COLUMNS": "60", **environ},
        ) as process:
            os.close(slave)
            yield process, master
    finally:
        os.close(master)


def drained(master: int, until: bytes = b"") -> str:
    """Read what a terminal gets, to its end or until a text."""
    read = b""
    while not (until and until in read):
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        read += part
    return read.decode()


def test_a_terminal_gets_styles_wrapped_lines_and_a_spinner(bench: Bench) -> None:
    """And Ctrl-C leaves it in order: the spinner is gone."""
    with terminal(bench, *bench.talking("sleep", *NO_SANDBOX)) as (process, master):
        shown = drained(master, until="⠙".encode())
        process.send_signal(signal.SIGINT)
        shown += drained(master)
        assert process.wait(20) == 130

    assert "\x1b[1;36m$ echo $$ > pid; exec sleep 1000\x1b[0m" in shown
    assert re.search(r"\x1b\[2K\r\x1b\[36m⠙\x1b\[0m \x1b\[2m\$ echo .* \d s\x1b\[0m\r", shown)
    after = shown[shown.rindex("\x1b[2K") :]
    assert after.startswith("\x1b[2K\r")
    assert "interrupted" in after


def test_a_plain_terminal_gets_neither_colours_nor_a_spinner(bench: Bench) -> None:
    """``NO_COLOR`` takes the colours, ``TERM=dumb`` everything."""
    shown: dict[str, str] = {}
    for name, environ in (("color", {"NO_COLOR": "1"}), ("dumb", {"TERM": "dumb"})):
        with terminal(bench, *bench.talking("hello"), **environ) as (process, master):
            shown[name] = drained(master)
            assert process.wait(20) == 0

    assert set(re.findall(r"\x1b\[[\d;]*m", shown["color"])) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m"}
    assert "\x1b" not in shown["dumb"]
    assert "thinking: Easy.\r\n\r\nYou said hello.\r\n" in shown["dumb"]


def test_no_prompt_on_a_terminal_is_told(bench: Bench) -> None:
    """Rather than waited for."""
    master, slave = pty.openpty()
    try:
        ran = bench.run("exec", stdin=slave)
    finally:
        os.close(master)
        os.close(slave)

    assert ran.code == 2
    assert ran.err.startswith("treadle: no prompt: ")


def test_closed_standard_streams_do_no_harm(bench: Bench) -> None:
    """What was meant for them must not get into the next file that is opened."""
    words = [sys.executable, "-m", "actors.cli", *bench.talking("hello")]
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words],
        cwd=bench.cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert ran.returncode == 0
    (rollout,) = bench.rollouts()
    assert objects(rollout.read_text())
