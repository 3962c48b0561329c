"""Nothing of a command is left, whatever it leaves behind and whenever it is cancelled."""

import attrs
import pytest
import trio
import trio.testing

from actors.tools import open_launcher, run_process
from actors.tools.capture import ProcessOutput
from tests.waiting import PATIENCE

from .processes import MARK, marked_processes

pytestmark = pytest.mark.usefixtures("nothing_left")


# --- what is left behind


async def test_output_is_kept_when_something_left_behind_holds_the_pipe(sh, marked_env):
    """The command's end is the end; the drain is short, and what came is there."""
    began = trio.current_time()
    result = await sh("echo kept; sleep 1000 & exit 0")

    assert (result.exit_code, result.stdout) == (0, b"kept\n")
    assert trio.current_time() - began > 0.15
    assert marked_processes(marked_env[MARK]) == []


async def test_late_output_of_something_left_behind_is_kept(sh):
    """It comes within the drain."""
    result = await sh("(sleep 0.05; echo late) & echo early")

    assert result.stdout == b"early\nlate\n"


@pytest.mark.slow
async def test_endless_output_of_something_left_behind_ends_with_the_drain(sh):
    """Reading as fast as somebody writes must come to an end."""
    with trio.fail_after(PATIENCE):
        result = await sh("yes & exit 0")

    assert result.stdout.startswith(b"y\ny\n")


@pytest.mark.parametrize(
    "leaving",
    [
        "setsid sleep 1000 &",
        "setsid sleep 1000 >/dev/null 2>&1 &",
        "(setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 &) &",
        "sh -c \"trap '' TERM HUP; while :; do sleep 1; done\" >/dev/null 2>&1 &",
        "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" >/dev/null 2>&1 &",
        "(sleep 1000 & kill -STOP $!) >/dev/null 2>&1",
    ],
    ids=["setsid", "quiet", "double-fork", "stubborn", "stubborn-setsid", "stopped"],
)
async def test_nothing_a_command_leaves_behind_survives_it(sh, marked_env, leaving):
    """Whether it left the group, lost its parent, ignores SIGTERM or is stopped."""
    result = await sh(f"{leaving}\necho done")

    assert (result.exit_code, result.stdout) == (0, b"done\n")
    assert marked_processes(marked_env[MARK]) == []


@pytest.mark.slow
async def test_command_that_forks_all_the_time_is_ended(py, marked_env, told):
    """New processes are found as long as there are any, in the group and out of it."""
    with trio.fail_after(60):
        result = await py(
            """
            import os, time
            for number in range(8):
                if not os.fork():
                    if number % 2:
                        os.setsid()
                    while True:  # each generation forks the next and ends
                        if os.fork():
                            os._exit(0)
                        time.sleep(0.001)
            print("forked", flush=True)
            time.sleep(1000)
            """,
            timeout=0.5,
        )

    assert result.timed_out
    assert marked_processes(marked_env[MARK]) == []


# --- cancellation


async def test_cancelled_command_is_gone_when_the_cancellation_goes_on(sh, told, marked_env):
    """With everything it started; its output until then is the caller's to keep."""
    output = ProcessOutput()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: sh("setsid sleep 1000 & sleep 1000 & echo on; wait", output=output)
        )
        await told.wait_for(b"on\n")
        nursery.cancel_scope.cancel()

    assert marked_processes(marked_env[MARK]) == []
    assert output.stdout == b"on\n"


@pytest.mark.slow
async def test_cancelled_command_that_ignores_sigterm_is_killed(sh, told, marked_env):
    """After the quarter of a second that it has for its last words."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sh, "trap '' TERM; echo on; while :; do sleep 1; done")
        await told.wait_for(b"on\n")
        began = trio.current_time()
        nursery.cancel_scope.cancel()

    assert trio.current_time() - began >= 0.25
    assert marked_processes(marked_env[MARK]) == []


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before the n-th step of the task that entered it."""

    scope: trio.CancelScope
    task: trio.lowlevel.Task
    left: int

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if not self.left:
                self.scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
async def test_cancellation_at_any_step_leaves_nothing(marked_env, shared):
    """From before the launcher starts to the last clean-up: done, or gone."""

    async def attempt(step: int) -> bool:
        with trio.CancelScope() as scope:
            canceller = CancelAtStep(scope, trio.lowlevel.current_task(), step)
            trio.lowlevel.add_instrument(canceller)
            try:
                result = await run_process(
                    ["sh", "-c", "echo out; setsid sleep 1000 >/dev/null 2>&1 &"],
                    cwd="/",
                    env=marked_env,
                    timeout=5,
                    on_output=lambda _stream, _piece: None,
                )
            finally:
                trio.lowlevel.remove_instrument(canceller)
            assert result.stdout == b"out\n"
        assert marked_processes(marked_env[MARK]) == []
        return canceller.left <= 0

    step = 1
    if shared:
        async with open_launcher():
            while await attempt(step):
                step += 1
    else:
        while await attempt(step):
            step += 1

    assert step > 5
