"""The commands about recorded threads: ``treadle threads``, with show and fork."""

from collections.abc import Mapping
from pathlib import Path

import trio

from actors.config import choose_provider, load_config_async
from actors.rollout import (
    Cursor,
    LoadedRollout,
    SessionIndex,
    SortKey,
    list_threads,
    load_rollout_async,
    user_message_positions,
)
from actors.runtime import World
from actors.supervisor import open_supervisor

from .errors import UsageError
from .json_events import encoded_line
from .listing import listed_line, listed_table
from .lookup import find_to_read
from .notes import show_notes
from .output import STDOUT, Output
from .pieces import Look, Piece, Stream, visible
from .preparation import find_home
from .requests import ForkRequest, ListRequest, ShowRequest
from .screen import open_screen
from .transcript import Transcript

__all__ = ["run_fork", "run_list", "run_show"]


async def run_list(request: ListRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    List recorded threads, those that changed last first.

    Raises:
        UsageError: The cursor is none.
        ConfigError, RolloutError: The home cannot be read.
        OutputFailed: Standard output takes no more.
    """
    options = request.options
    home = find_home(options, environ)
    cursor = None if options.cursor is None else Cursor.parse(options.cursor)
    if options.cursor is not None and cursor is None:
        raise UsageError(
            f"--cursor {options.cursor!r} is none; take it from the end of the list before"
        )
    page = await list_threads(
        home,
        page_size=request.limit,
        cursor=cursor,
        sort_key=SortKey.UPDATED_AT,
        archived=options.archived,
    )
    world = World.system()
    names = await SessionIndex(home, world).names_of([t.thread_id for t in page.threads])
    token = None if page.next_cursor is None else page.next_cursor.token
    if options.json:
        lines = [listed_line(thread, names.get(thread.thread_id)) for thread in page.threads]
        if token is not None:
            lines.append({"next_cursor": token})
        for line in lines:
            output.put(STDOUT, encoded_line(line))
        return 0
    screen = open_screen(output)
    screen.show(listed_table(page.threads, names, now=world.now(), width=screen.width))
    screen.show(_after_list(home, token, empty=not page.threads))
    return 0


def _after_list(home: Path, token: str | None, *, empty: bool) -> tuple[Piece, ...]:
    if empty:
        note = f"no threads in {str(home)!r}"
    elif token is not None:
        note = f"more: treadle threads --cursor '{token}'"
    else:
        return ()
    return (Piece(f"{note}\n", Look.FAINT, Stream.ERR),)


async def run_show(request: ShowRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Show a whole conversation.

    Raises:
        NoSuchThread: There is none.
        ConfigError, RolloutError: It cannot be read.
        OutputFailed: Standard output takes no more.
    """
    home = find_home(request.options, environ)
    loaded = await load_rollout_async(await find_to_read(home, request.thread))
    name = await SessionIndex(home, World.system()).name_of(loaded.thread_id)
    screen = open_screen(output)
    screen.show(_title(loaded, name))
    transcript = Transcript()
    for item in loaded.items:
        screen.show(transcript.take(item))
        await output.room()
    screen.show(_damages(loaded))
    return 0


def _title(loaded: LoadedRollout, name: str | None) -> tuple[Piece, ...]:
    meta = loaded.meta
    facts = [f"started {meta.timestamp} in {meta.cwd}"]
    if meta.forked_from_id is not None:
        facts.append(f"forked from {meta.forked_from_id}")
    title = f"thread {loaded.thread_id}" + (f" ({name})" if name else "")
    body = "".join(f"{visible(fact)}\n" for fact in facts)
    return (Piece(f"{visible(title)}\n", Look.HEAD), Piece(f"{body}\n", Look.FAINT))


def _damages(loaded: LoadedRollout) -> tuple[Piece, ...]:
    notes = [f"line {line.number} was left out: {line.reason}" for line in loaded.damaged]
    if loaded.torn_tail_offset is not None:
        notes.append("the last line was not written to its end and was left out")
    return tuple(Piece(f"warning: {visible(n)}\n", Look.WARN, Stream.ERR) for n in notes)


async def run_fork(request: ForkRequest, environ: Mapping[str, str], output: Output) -> int:
    """
    Copy a thread, or its beginning, into a new one; say its id and where it is.

    Raises:
        NoSuchThread: There is none.
        UsageError: The thread has no such message.
        ConfigError, RolloutError, HomeError: It cannot be read, or the copy not written.
    """
    home = find_home(request.options, environ)
    loaded = await load_rollout_async(await find_to_read(home, request.thread))
    config = await load_config_async(home, cwd=Path("/") / loaded.meta.cwd)
    before = request.before
    if before is not None:
        _check_message(loaded, before)
    thread_config = config.thread_config()
    position = None if before is None else before - 1
    provider, _ = await trio.to_thread.run_sync(choose_provider, config, environ)
    show_notes(output, config.warnings)
    try:
        async with open_supervisor(home=home, provider=provider) as supervisor:
            new = await supervisor.fork_thread(position, thread_config, loaded.path)
    finally:
        with trio.move_on_after(1, shield=True):
            await provider.aclose()
    line = f"{new.thread_id}\t{new.thread.rollout_path}\n"
    open_screen(output).show((Piece(line),))
    return 0


def _check_message(loaded: LoadedRollout, number: int) -> None:
    count = len(user_message_positions(loaded.items))
    if number > count:
        messages = "message" if count == 1 else "messages"
        raise UsageError(f"--before {number}: the thread has {count} {messages} of the user")
