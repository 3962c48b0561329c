"""The regular turn: from the user's input to the model's last word."""

from collections.abc import Callable
from typing import Final

import trio

from actors.models import InvalidImage
from actors.rollout import RolloutFull, parse_turn_item
from actors.tools import Toolbox
from messages.content import ImageInput, UserInputItem
from messages.events import CodexErrorCode, ItemCompleted, ItemStarted, TurnDiff
from messages.ids import SubmissionId
from messages.items import Message
from messages.turn_items import UserMessageItem

from .approved_prefixes import ApprovedPrefixes
from .clean_text import cleaned
from .compaction import Compactor
from .errors import TurnFailed
from .outlet import Outlet
from .prompt import without_images
from .sampling import Sampled, Sampler
from .skill_use import SkillUse
from .turn import PendingInput, Turn
from .user_input import message_from_input

__all__ = ["MAX_REQUESTS", "converse"]

MAX_REQUESTS: Final = 1000
"""Model requests of one turn (L23).  A turn that needs more goes round in circles."""

_RECORDING_PATIENCE: Final = 1.0
"""Seconds to record the input of a turn that is stopped or fails before it came to that."""


async def converse(
    turn: Turn,
    sampler: Sampler,
    outlet: Outlet,
    toolbox: Toolbox,
    skills: SkillUse,
    *,
    prefixes: ApprovedPrefixes,
    compactor: Compactor,
    downshift: Compactor | None = None,
) -> None:
    """
    Talk with the model until it asks for nothing more.

    Args:
        prefixes: Tells the model which commands it need not ask for.
        compactor: Compacts before the first request and between two of them, when due.
        downshift:
            Compacts with the model before, because the history does not fit the present
            one's window.

    Raises:
        TurnFailed: It makes no sense to go on.
        ModelError: The model failed.
        FatalToolError: A tool ended the turn.
        RolloutError: The turn cannot be recorded.

    Source:
        Codex, ``run_turn``.  Ours limits the number of requests (L23).
    """
    new_id = sampler.world.new_id
    try:
        if compactor.due:
            await (downshift or compactor).compact()
    except BaseException:
        # What the user said was accepted, and is not lost.
        with trio.move_on_after(_RECORDING_PATIENCE, shield=True):
            await _record_input(turn, outlet, turn.input, new_id)
        raise
    await prefixes.introduce(turn)
    known = await skills.introduce(turn)
    await _record_input(turn, outlet, turn.input, new_id)
    if known is not None:
        await skills.inject(turn, known, sampler.tools)
    outlet.store((turn.context.record(turn.context.settings.collaboration),))
    await toolbox.wait_ready()
    for _ in range(MAX_REQUESTS):
        while turn.pending:
            # What came behind an interrupt is for the next turn (L13).
            await trio.lowlevel.checkpoint_if_cancelled()
            entry = turn.pending.popleft()
            if isinstance(entry, PendingInput):
                await _record_input(turn, outlet, entry.items, new_id)
            else:
                _record_message(turn, outlet, entry, new_id)
        sampled = await _sample(sampler, outlet)
        if sampled is None:
            continue
        turn.last_message = sampled.last_message
        diff = toolbox.turn_diff(turn.id)
        if diff:
            outlet.emit(SubmissionId(turn.id), TurnDiff(unified_diff=diff))
        if not sampled.needs_follow_up and not turn.pending:
            return
        if compactor.due:
            await compactor.compact()
    raise TurnFailed(
        f"the turn made {MAX_REQUESTS} model requests without coming to an end; say how to go on"
    )


async def _sample(sampler: Sampler, outlet: Outlet) -> Sampled | None:
    """Make one request; None when a bad image was taken out and it must be made again."""
    try:
        return await sampler.sample()
    except InvalidImage as error:
        mended = without_images(outlet.history.items, "Invalid image")
        if mended is None:
            raise TurnFailed(
                "Invalid image in your last message. Please remove it and try again.",
                CodexErrorCode.BAD_REQUEST,
            ) from error
        outlet.history.replace(mended)
        return None


async def _record_input(
    turn: Turn, outlet: Outlet, items: tuple[UserInputItem, ...], new_id: Callable[[], str]
) -> None:
    submission_id = SubmissionId(turn.id)
    message = cleaned(await message_from_input(items))
    try:
        outlet.record(submission_id, (message,))
    except RolloutFull:
        # A big image behind what a new thread has waiting for its file.
        await outlet.persist()
        outlet.record(submission_id, (message,))
    _show(turn, outlet, UserMessageItem(id=new_id(), content=cleaned(items)))
    await outlet.persist()


def _record_message(
    turn: Turn, outlet: Outlet, message: Message, new_id: Callable[[], str]
) -> None:
    """Record what a tool or a command of the user's puts before the model."""
    outlet.record(SubmissionId(turn.id), (message,))
    item = parse_turn_item(message, new_id)
    # An image that is attached is shown; a note for the model is no business of clients.
    if isinstance(item, UserMessageItem) and any(
        isinstance(part, ImageInput) for part in item.content
    ):
        _show(turn, outlet, item)


def _show(turn: Turn, outlet: Outlet, item: UserMessageItem) -> None:
    thread_id, submission_id = turn.context.thread_id, SubmissionId(turn.id)
    outlet.emit(submission_id, ItemStarted(thread_id=thread_id, turn_id=turn.id, item=item))
    outlet.emit(submission_id, ItemCompleted(thread_id=thread_id, turn_id=turn.id, item=item))
