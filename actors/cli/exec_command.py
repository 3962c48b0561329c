"""The command that runs one turn: ``treadle exec``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from actors.rollout import Durability
from actors.supervisor import NewThread, Supervisor, open_supervisor

from .agents import refuse_for_agents
from .errors import FAILED, OutputUnusable
from .handover import HANDOVER, once_free
from .lookup import find_latest, find_to_resume
from .notes import show_notes
from .output import Output
from .preparation import Prepared, prepare, read_schema, user_input
from .prompt import read_prompt
from .requests import ExecRequest, Latest
from .screen import open_screen
from .stopping import Stopper
from .tellers import JsonTeller, PersonTeller, Teller
from .turn_run import Outcome, TurnRun

__all__ = ["run_exec"]

_LAST_WORDS = 0.5
"""Seconds for output that nobody reads, when a signal said to end."""


async def run_exec(request: ExecRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Run one turn and show it.

    Returns:
        The exit code: 0 for a turn that came to its end, 1 for one that failed,
        128 and its number for what a signal ended.

    Raises:
        CliError, ConfigError, ScenarioError, RolloutError, ThreadError: Something is
            not as it should be; `explaining.explained` says what the user hears.
        OutputFailed: Standard output takes no more.
    """
    stopper = Stopper()
    code = FAILED
    async with trio.open_nursery() as nursery:
        await nursery.start(stopper.listen)
        nursery.start_soon(_end_with_output, output, stopper)
        with stopper.scope:
            code = await _run(request, environ, output, stopper)
            await output.flush()
        nursery.cancel_scope.cancel()
    if stopper.exit_code is not None:
        output.patience = _LAST_WORDS
        return stopper.exit_code
    return code


async def _end_with_output(output: Output, stopper: Stopper) -> None:
    await output.failed.wait()
    stopper.end()


async def _run(
    request: ExecRequest, environ: Mapping[str, str], output: Output, stopper: Stopper
) -> int:
    options = request.options
    # Before anything that can go wrong: Node, for one, crashes when a program that it
    # has started ends before it has taken the whole prompt.
    prompt = await read_prompt(request.prompt)
    prepared = await trio.to_thread.run_sync(partial(prepare, options, environ))
    provider = prepared.provider
    try:
        schema = await trio.to_thread.run_sync(read_schema, options.output_schema)
        path = await _rollout_path(request, prepared)
        teller = _teller(prepared, output, is_driven=options.json)
        async with open_supervisor(
            home=prepared.home,
            provider=provider,
            durability=Durability(options.durability),
            catalog=prepared.catalog,
        ) as supervisor:
            new = await _open_thread(supervisor, prepared, path, is_driven=options.json)
            if not options.json:
                show_notes(output, prepared.warnings, prepared.notice)
            run = TurnRun(new, teller, stopper, output)
            created = supervisor.subscribe_thread_created()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(teller.keep_alive)
                nursery.start_soon(refuse_for_agents, supervisor, created)
                await run.run(user_input(prompt, options.image), schema)
                nursery.cancel_scope.cancel()
        await _write_last_message(options.output_last_message, run.last_message)
        teller.finish(await _hint(new))
        return 0 if run.outcome is Outcome.COMPLETED else FAILED
    finally:
        with trio.move_on_after(_LAST_WORDS, shield=True):
            await provider.aclose()


async def _rollout_path(request: ExecRequest, prepared: Prepared) -> Path | None:
    match request.resume:
        case None:
            return None
        case Latest(anywhere=anywhere):
            cwd = None if anywhere else Path(prepared.thread_config.cwd)
            return await find_latest(prepared.home, cwd)
        case wanted:
            return await find_to_resume(prepared.home, wanted)


def _teller(prepared: Prepared, output: Output, *, is_driven: bool) -> Teller:
    if is_driven:
        return JsonTeller(output, prepared.notes)
    return PersonTeller(open_screen(output, prepared.color))


async def _open_thread(
    supervisor: Supervisor, prepared: Prepared, path: Path | None, *, is_driven: bool
) -> NewThread:
    if path is None:
        return await supervisor.start_thread(prepared.thread_config)
    resume = partial(supervisor.resume_thread_from_rollout, prepared.thread_config, path)
    # A person has seen the process before end, or wants to hear that it has not.
    return await once_free(resume, HANDOVER if is_driven else 0.0)


async def _write_last_message(path: str | None, message: str | None) -> None:
    if path is None:
        return
    try:
        await trio.Path(path).write_text(message or "", encoding="utf-8", errors="replace")
    except (OSError, ValueError) as exc:  # a path with a null character is a ValueError
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise OutputUnusable(path, reason or str(exc)) from exc


async def _hint(new: NewThread) -> str | None:
    path = new.thread.rollout_path
    if path is None:
        return None
    try:
        recorded = (await trio.Path(path).stat()).st_size
    except OSError:
        return None
    return f"resume with: treadle exec resume {new.thread_id}" if recorded else None
