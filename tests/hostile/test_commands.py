"""Commands that flood, fork, hide, hang and cannot be started, in a whole thread."""

import os
import re
import signal
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.tools.capture import OUTPUT_LIMIT_BYTES
from messages.events import (
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandStatus,
    TerminalInteraction,
)
from messages.items import FunctionCall
from tests.waiting import PATIENCE

from ..thread.stage import read
from ..tools.processes import children
from .arena import SOON, Arena, call, exec_command, open_arena, session_of, shell
from .moments import DEAF

MOST_FOR_THE_MODEL = 60_000
"""Bytes; what a model reads of one output is cut to its limit, with words around."""

FORKS = "for i in $(seq 200); do sleep 60 & done"
GRANDCHILD = "(setsid nohup sleep 60 &)"


async def answers(arena: Arena, **calls: FunctionCall) -> dict[str, str]:
    """Run each call in a turn of its own."""
    return {name: await arena.answer(item) for name, item in calls.items()}


# Output -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("start", [shell, exec_command])
async def test_flood_is_cut_for_the_model_for_clients_and_for_the_file(
    tmp_path: Path, start
) -> None:
    """50 MB are counted, and of the rest the beginning and the end are kept."""
    async with open_arena(tmp_path, processes=True, resumes=True) as arena:
        answer = await arena.answer(start("yes | head -c 50000000"))

        assert len(answer.encode()) < MOST_FOR_THE_MODEL
        assert re.search(r"Exit code: 0|exited with code 0", answer)
        assert re.search(r"Total output lines: \d{5}", answer)
        assert "truncated" in answer
        [end] = arena.of(ExecCommandEnd)[1:]
        assert len(end.aggregated_output) < OUTPUT_LIMIT_BYTES + 100
        assert "bytes omitted" in end.aggregated_output
        assert len(arena.of(ExecCommandOutputDelta)) <= 10_000
        assert len(read(arena.thread.rollout_path)) < 100_000


@pytest.mark.parametrize("start", [shell, exec_command])
async def test_binary_output_becomes_text_that_can_be_written(tmp_path: Path, start) -> None:
    """Random bytes, terminal commands and NUL do no harm to the file or the next request."""
    async with open_arena(tmp_path, processes=True) as arena:
        answer = await arena.answer(start("head -c 200000 /dev/urandom; printf '\\0\\033c\\x9b'"))

        assert len(answer.encode()) < MOST_FOR_THE_MODEL
        assert answer.encode().endswith(b"\0\x1bc\xef\xbf\xbd")


@pytest.mark.parametrize("start", [shell, exec_command])
async def test_text_whose_characters_come_in_halves_is_put_together(tmp_path: Path, start) -> None:
    """What is no UTF-8 stays visible as a gap."""
    script = r"""
    printf '<\xff\xc3'; sleep 0.02; printf '\xa9\xe2\x82'; sleep 0.02; printf '\xac\xf0\x9f>'
    """
    async with open_arena(tmp_path, processes=True) as arena:
        assert (await arena.answer(start(script))).endswith(
            "<\N{REPLACEMENT CHARACTER}é€\N{REPLACEMENT CHARACTER}>"
        )


@pytest.mark.slow
async def test_output_without_end_stops_with_the_command(tmp_path: Path) -> None:
    """At its time limit; as a session it is ended by the interrupt."""
    async with open_arena(tmp_path, processes=True) as arena:
        endless = await arena.answer(shell("cat /dev/zero", timeout_ms=100))
        session = await arena.answer(exec_command("yes", yield_time_ms=250))
        await arena.start_calls(shell("sleep 60"))
        await arena.wait_for(ExecCommandBegin, 4)
        await arena.interrupt()
        with trio.fail_after(SOON):
            await arena.wait_for(ExecCommandEnd, 4)

        assert "command timed out after" in endless
        assert "Process running with session ID" in session


# Processes ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "says"),
    [
        (f"{FORKS}; echo started", "started"),
        (f"{FORKS}; wait", "timed out"),
        (f"{GRANDCHILD}; echo started", "started"),
        (f"{GRANDCHILD} >/dev/null 2>&1 </dev/null; echo started", "started"),
        ("(setsid sh -c 'trap \"\" TERM HUP; sleep 60 & sleep 60' &) ; echo started", "started"),
        (
            "grow() { [ $1 = 0 ] || { grow $(($1-1)) & grow $(($1-1)) & }; sleep 60; }; grow 6",
            "timed out",
        ),
        ("trap '' TERM; while :; do setsid sleep 60 & done 2>/dev/null", "timed out"),
        (DEAF, "up"),
        ("kill -STOP $$", "timed out"),
        ("exec >&- 2>&-; sleep 60", "timed out"),
    ],
)
async def test_shell_command_leaves_no_process(tmp_path: Path, script: str, says: str) -> None:
    """Hundreds of children, also while they grow in number, in sessions of their own, or deaf."""
    async with open_arena(tmp_path, processes=True) as arena:
        timeout = 4000 if says == "started" else 200
        assert says in await arena.answer(shell(script, timeout_ms=timeout))


@pytest.mark.slow
@pytest.mark.parametrize("script", [f"{FORKS}; echo started", f"{GRANDCHILD}; echo started"])
async def test_exec_command_that_ends_leaves_no_process(tmp_path: Path, script: str) -> None:
    """What it started ends with it."""
    async with open_arena(tmp_path, processes=True) as arena:
        answer = await arena.answer(exec_command(script))

        assert "exited with code 0" in answer
        assert answer.endswith("started\n")


@pytest.mark.slow
async def test_sessions_end_with_an_interrupt_of_a_later_turn_deaf_or_not(tmp_path: Path) -> None:
    """Each with its one end, under the turn that began it."""
    async with open_arena(tmp_path, processes=True) as arena:
        for name, script in {"deaf": DEAF, "forks": f"{FORKS}; wait", "plain": "sleep 60"}.items():
            assert "running" in await arena.answer(exec_command(script, name, yield_time_ms=250))
        begun = {msg.call_id: msg.turn_id for msg in arena.of(ExecCommandBegin)[1:]}
        await arena.start_calls(shell("sleep 60", "last"))
        await arena.wait_for(ExecCommandBegin, 5)

        [stopped] = await arena.interrupt()
        with trio.fail_after(PATIENCE):
            await arena.wait_for(ExecCommandEnd, 5)

        assert "aborted by user" in stopped
        ends = {msg.call_id: msg for msg in arena.of(ExecCommandEnd)[1:]}
        assert {name: ends[name].turn_id for name in begun} == begun
        assert {end.status for end in ends.values()} == {ExecCommandStatus.FAILED}


async def test_command_that_kills_what_watches_over_it_costs_only_itself(tmp_path: Path) -> None:
    """The keeper's command ends with it."""
    async with open_arena(tmp_path, processes=True) as arena:
        answer = await arena.answer(shell("sleep 60 & sleep 0.05; kill -9 $PPID; sleep 60"))

        assert "Exit code: 137" in answer
        assert "there" in await arena.answer(shell("echo there"))


async def test_command_that_kills_what_starts_commands_costs_nothing(tmp_path: Path) -> None:
    """There is another at the next command."""
    async with open_arena(tmp_path, processes=True) as arena:
        [launcher] = children(os.getpid())
        assert "still" in await arena.answer(shell(f"kill -9 {launcher}; sleep 0.05; echo still"))

        assert "there" in await arena.answer(shell("echo there"))

        assert launcher not in children(os.getpid())
        arena.quiet = None


async def test_end_by_a_signal_is_told_as_shells_do(tmp_path: Path) -> None:
    """As 128 and its number."""
    async with open_arena(tmp_path, processes=True) as arena:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            assert f"Exit code: {128 + number}" in await arena.answer(shell(f"kill -{number} $$"))


async def test_standard_input_is_at_its_end(tmp_path: Path) -> None:
    """Nothing waits for a person who is not there."""
    async with open_arena(tmp_path, processes=True) as arena:
        told = await answers(
            arena, shell=shell("cat; read x; echo $?"), session=exec_command("cat; read x; echo $?")
        )

        assert all(text.endswith("\n1\n") for text in told.values()), told


# What cannot be started -----------------------------------------------------------

NO_FILE = "execution error: working directory '/no/where' does not exist"
NO_FOLDER = "execution error: working directory '/dev/null' is not a directory"
TOO_LONG = "Argument list too long"
FORBIDDEN = "cannot run: a word or variable has a forbidden character"

CANNOT_START = {
    "no folder": (shell("ls", workdir="/no/where"), NO_FILE),
    "no folder, session": (exec_command("ls", workdir="/no/where"), NO_FILE),
    "a file for a folder": (shell("ls", workdir="/dev/null"), NO_FOLDER),
    "a file for a folder, session": (exec_command("ls", workdir="/dev/null"), NO_FOLDER),
    "NUL in a word": (call("shell", {"command": ["echo", "a\0b"]}), FORBIDDEN),
    "NUL in a script": (exec_command("echo a\0b"), FORBIDDEN),
    "NUL in a folder": (shell("ls", workdir="a\0b"), FORBIDDEN),
    "NUL in a shell": (exec_command("ls", shell="/bin/s\0h"), FORBIDDEN),
    "a long word": (call("shell", {"command": ["echo", "x" * 1_000_000]}), TOO_LONG),
    "a long script": (exec_command(f"echo {'x' * 1_000_000}"), TOO_LONG),
    "long words": (call("shell", {"command": ["echo", *["x" * 100_000] * 30]}), TOO_LONG),
    "no words": (call("shell", {"command": []}), "command is empty"),
    "an empty word": (call("shell", {"command": [""]}), "command not found: ''"),
    "no such program": (call("shell", {"command": ["/no/where"]}), "not found: '/no/where'"),
    "no such shell": (exec_command("ls", shell="/no/where"), "not found: '/no/where'"),
    "a folder for a program": (call("shell", {"command": ["/etc"]}), "no permission to run '/etc'"),
    "a device for a program": (call("shell", {"command": ["/dev/zero"]}), "no permission to run"),
    "no such session": (call("write_stdin", {"session_id": 77}), "Unknown process id 77"),
}


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    """And each that was announced to clients has its end, as failed."""
    async with open_arena(tmp_path, processes=True, resumes=True) as arena:
        for name, (item, says) in CANNOT_START.items():
            answer = await arena.answer(item)
            assert says in answer, name
            assert len(answer) < 200, name

        ends = arena.of(ExecCommandEnd)[1:]
        assert len(ends) == len(arena.of(ExecCommandBegin)) - 1 == len(CANNOT_START) - 2
        assert {(end.status, end.exit_code) for end in ends} == {(ExecCommandStatus.FAILED, -1)}


async def test_empty_script_does_nothing_and_succeeds(tmp_path: Path) -> None:
    """As in a shell."""
    async with open_arena(tmp_path, processes=True) as arena:
        assert "exited with code 0" in await arena.answer(exec_command(""))


# Typing -------------------------------------------------------------------------


@pytest.mark.slow
async def test_typing_into_a_process_that_never_reads_ends_when_it_is_interrupted(
    tmp_path: Path,
) -> None:
    """10 MB do not fit into any terminal; the process goes with the interrupt."""
    async with open_arena(tmp_path, processes=True) as arena:
        started = await arena.answer(
            exec_command("stty raw -echo; sleep 60", "s", tty=True, yield_time_ms=250)
        )
        typed = {"session_id": session_of(started), "chars": "x" * 10_000_000}
        await arena.start_calls(call("write_stdin", typed))
        await wait_all_tasks_blocked(0.05)

        [stopped] = await arena.interrupt()
        await arena.wait_for(ExecCommandEnd, 2)

        assert "aborted by user" in stopped
        assert len(arena.of(TerminalInteraction)) == 1


@pytest.mark.slow
async def test_control_characters_reach_the_process_as_from_a_keyboard(tmp_path: Path) -> None:
    """The one for an interrupt interrupts, the one for the end of input ends it, NUL is read."""
    async with open_arena(tmp_path, processes=True) as arena:
        reading = exec_command("stty -echo; cat -v", "a", tty=True, yield_time_ms=250)
        first = session_of(await arena.answer(reading))
        second = session_of(await arena.answer(reading))

        typed = await arena.answer(type_into(first, "\0\x01\x1b[2J\n\x04"))
        stopped = await arena.answer(type_into(second, "\x03"))

        assert typed.endswith("^@^A^[[2J\r\n")
        assert "exited with code 0" in typed
        assert "exited with code 130" in stopped
        assert "Unknown process id" in await arena.answer(type_into(first, "x"))


def type_into(session: int, chars: str) -> FunctionCall:
    return call("write_stdin", {"session_id": session, "chars": chars, "yield_time_ms": 3000}, "w")
