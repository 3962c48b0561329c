"""Rebuilds what the model knows, and what was left unfinished, from recorded items."""

from collections.abc import Iterable, Sequence
from typing import TypeGuard, get_args

import attrs

from messages.content import InputText
from messages.events import (
    ThreadRolledBack,
    TurnAborted,
    TurnAbortReason,
)
from messages.items import (
    CustomToolCallOutput,
    FunctionCallOutput,
    Message,
    ResponseItem,
    UnknownItem,
)
from messages.rollout import CompactedItem, RolloutItem
from messages.settings import TruncationMode, TruncationPolicy

from .collector import collector_paused
from .excerpt import approximate_tokens, scaled, truncate_output, truncate_text
from .recorded import RecordedItems, chosen
from .truncation import drop_last_user_turns
from .turn_edges import unfinished_turns
from .user_messages import is_user_message, user_text

__all__ = [
    "COMPACTED_USER_TOKENS",
    "RECORDING_SLACK",
    "SUMMARY_PREFIX",
    "build_compacted_history",
    "collect_user_messages",
    "history_item",
    "is_response_item",
    "is_summary",
    "missing_turn_ends",
    "reconstruct",
    "replayed",
]

RECORDING_SLACK = 1.2
"""How much longer than the policy says an output may be in the history; see `scaled`."""

COMPACTED_USER_TOKENS = 20_000
"""How many tokens of user messages survive a compaction."""

SUMMARY_PREFIX = (
    "The conversation up to here was replaced by the following summary, written by the model "
    "that led it; continue from where it ends:"
)
"""Stands before every summary, with a line end; must never change, since files hold it."""

# How Codex's own summaries begin, so that those in its files are recognised.
_FOREIGN_SUMMARY = "Another language model started to solve this problem"
_NO_SUMMARY = "(no summary available)"

_RESPONSE_CLASSES = frozenset(get_args(ResponseItem))
# Asking a set first spares the many records a row of comparisons.
_KEPT_WHOLE = _RESPONSE_CLASSES - {
    CustomToolCallOutput,
    FunctionCallOutput,
    Message,
    UnknownItem,
}
_REPLAYED = _RESPONSE_CLASSES | {CompactedItem, ThreadRolledBack}


def is_response_item(item: RolloutItem) -> TypeGuard[ResponseItem]:
    """Tell whether a record is a piece of the history that the model reads."""
    return type(item) in _RESPONSE_CLASSES


def history_item(item: ResponseItem, policy: TruncationPolicy) -> ResponseItem | None:
    """
    Return what of *item* the history keeps in memory; None for nothing.

    Tool outputs are cut to `RECORDING_SLACK` times the policy; system messages
    and items of unknown kind are left out.  The rollout keeps the whole item.
    """
    if type(item) in _KEPT_WHOLE:
        return item
    return _kept(item, scaled(policy, RECORDING_SLACK))


def _kept(item: ResponseItem, limit: TruncationPolicy) -> ResponseItem | None:
    if isinstance(item, Message):
        return None if item.role == "system" else item
    match item:
        case FunctionCallOutput(output=output) | CustomToolCallOutput(output=output):
            cut = truncate_output(output, limit)
            return item if cut == output else attrs.evolve(item, output=cut)
        case UnknownItem():
            return None
        case _:  # everything else is kept as it is
            return item


def reconstruct(
    items: Sequence[RolloutItem],
    *,
    initial_context: Sequence[ResponseItem],
    policy: TruncationPolicy,
) -> list[ResponseItem]:
    """
    Replay recorded items into the history that the thread had in memory.

    The result is as recorded, not yet put in order for a request.

    Args:
        items: A whole rollout, or the beginning of one.
        initial_context:
            The present initial context; takes the place of the old one where a
            compaction was recorded without its resulting history.
        policy: How long tool outputs may be, before `RECORDING_SLACK`.

    Source:
        Codex, ``reconstruct_history_from_rollout``.
    """
    with collector_paused():
        return _replayed(items, initial_context, scaled(policy, RECORDING_SLACK))


def _replayed(
    items: Sequence[RolloutItem], initial_context: Sequence[ResponseItem], limit: TruncationPolicy
) -> list[ResponseItem]:
    history: list[ResponseItem] = []
    for _, item in chosen(_since_replaced(items), _REPLAYED):
        if type(item) in _KEPT_WHOLE:
            history.append(item)
        elif is_response_item(item):
            kept = _kept(item, limit)
            if kept is not None:
                history.append(kept)
        elif isinstance(item, CompactedItem):
            history = _compacted(history, item, initial_context)
        elif isinstance(item, ThreadRolledBack):
            drop_last_user_turns(history, item.num_turns)
    return history


def replayed(items: Sequence[RolloutItem]) -> Sequence[RolloutItem]:
    """Return those that `reconstruct` looks at, not the rest; decodes next to none."""
    if not isinstance(items, RecordedItems):
        return items
    return _since_replaced(items.only(_REPLAYED))


def _since_replaced(items: Sequence[RolloutItem]) -> Sequence[RolloutItem]:
    """Leave out what a compaction replaced: it need not even be decoded."""
    if not isinstance(items, RecordedItems):
        return items
    for place in reversed(items.places((CompactedItem,))):
        item = items[place]
        if isinstance(item, CompactedItem) and item.replacement_history is not None:
            return items[place:]
    return items


def _compacted(
    history: list[ResponseItem], item: CompactedItem, initial_context: Sequence[ResponseItem]
) -> list[ResponseItem]:
    if item.replacement_history is not None:
        return list(item.replacement_history)
    return build_compacted_history(initial_context, collect_user_messages(history), item.message)


def collect_user_messages(items: Iterable[ResponseItem]) -> list[str]:
    """Return the texts of all user messages that have some, oldest first, without summaries."""
    texts = (user_text(i) for i in items if isinstance(i, Message) and is_user_message(i))
    return [text for text in texts if text and not is_summary(text)]


def is_summary(text: str) -> bool:
    """Tell whether a user message's text is the summary of a compaction, ours or Codex's."""
    return text.startswith((f"{SUMMARY_PREFIX}\n", _FOREIGN_SUMMARY))


def build_compacted_history(
    initial_context: Sequence[ResponseItem],
    user_messages: Sequence[str],
    summary: str,
) -> list[ResponseItem]:
    """
    Return the history that follows a compaction.

    That is the initial context, then the latest user messages that fit into
    `COMPACTED_USER_TOKENS`, in their order, the first of them perhaps cut, and
    then the summary as a user message.

    Args:
        initial_context: The present one.
        user_messages: Texts, oldest first, without earlier summaries.
        summary: With its prefix, as it is recorded.
    """
    texts = [*_latest(user_messages), summary or _NO_SUMMARY]
    return [*initial_context, *(_user_message(text) for text in texts)]


def _latest(texts: Sequence[str]) -> list[str]:
    """Return the last texts that fit, the first of them cut to the rest of the budget."""
    kept: list[str] = []
    left = COMPACTED_USER_TOKENS
    for text in reversed(texts):
        if not left:
            break
        tokens = approximate_tokens(text)
        if tokens > left:
            rest = TruncationPolicy(mode=TruncationMode.TOKENS, limit=left)
            kept.append(truncate_text(text, rest))
            break
        kept.append(text)
        left -= tokens
    return kept[::-1]


def _user_message(text: str) -> Message:
    return Message(role="user", content=(InputText(text=text),))


def missing_turn_ends(items: Iterable[RolloutItem]) -> tuple[TurnAborted, ...]:
    """
    Return the ends that are missing, one for each turn that began and did not end.

    Whoever resumes the thread records them before anybody sees it, so that
    every turn ends exactly once, also after a crash.
    """
    return tuple(
        TurnAborted(reason=TurnAbortReason.INTERRUPTED, turn_id=turn_id)
        for turn_id in unfinished_turns(items)
    )
