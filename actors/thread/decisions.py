"""What follows from an op: one pure function over the op and whether a turn runs."""

from enum import Enum
from typing import Final, TypeAlias

import attrs

from messages.events import (
    BaseBranchTarget,
    CodexErrorCode,
    CommitTarget,
    CustomTarget,
    ReviewTarget,
)
from messages.ops import (
    AddToHistory,
    CleanBackgroundTerminals,
    Compact,
    DownloadRemoteSkill,
    DropMemories,
    DynamicToolResponse,
    ExecApproval,
    GetHistoryEntryRequest,
    Interrupt,
    ListCustomPrompts,
    ListMcpTools,
    ListModels,
    ListRemoteSkills,
    ListSkills,
    Op,
    OverrideTurnContext,
    PatchApproval,
    RefreshMcpServers,
    ResolveElicitation,
    Review,
    RunUserShellCommand,
    SetThreadName,
    Shutdown,
    ThreadRollback,
    Undo,
    UnknownOp,
    UpdateMemories,
    UserInput,
    UserInputAnswer,
    UserTurn,
)

__all__ = ["Action", "Decision", "Refusal", "decide", "goes_first"]


class Action(Enum):
    """What the thread does about an op."""

    START_TURN = "start a turn"
    JOIN_TURN = "join the running turn"
    INTERRUPT = "stop the running turn and the user's commands, if any"
    ANSWER = "hand an answer to whoever waits for it"
    CONFIGURE = "change the settings"
    ROLL_BACK = "take turns out of the history"
    RENAME = "name the thread"
    RUN_SHELL = "run the user's command"
    REFRESH_MCP = "use other MCP servers from the next turn on"
    LIST_SKILLS = "list the skills"
    LIST_MCP = "list what the MCP servers offer"
    COMPACT = "compact the history, in place of the running turn"
    REVIEW = "review code, in place of the running turn"
    CLEAN_TERMINALS = "end what runs in the background"
    SHUT_DOWN = "end the thread"


@attrs.frozen
class Refusal:
    """The op is answered with an error event and changes nothing."""

    message: str
    info: CodexErrorCode


Decision: TypeAlias = Action | Refusal

_CONTROL = frozenset(
    {
        Interrupt,
        ExecApproval,
        PatchApproval,
        UserInputAnswer,
        DynamicToolResponse,
        ResolveElicitation,
        Shutdown,
    }
)

_UNSUPPORTED = (
    AddToHistory,
    GetHistoryEntryRequest,
    ListCustomPrompts,
    ListRemoteSkills,
    DownloadRemoteSkill,
    DropMemories,
    UpdateMemories,
    ListModels,
)


_NO_UNDO: Final = (
    "nothing was undone: Treadle keeps no snapshots of files; use the version control of the "
    "project, or roll back the conversation, which leaves files as they are"
)


def goes_first(op: Op) -> bool:
    """Whether the op takes the control lane, past all queued work (P5)."""
    return op.__class__ in _CONTROL


def decide(op: Op, *, turn_runs: bool, keeps_rollout: bool) -> Decision:
    """
    Decide what follows from an op.

    Args:
        turn_runs: Whether a turn is running.
        keeps_rollout: Whether the thread is recorded; ephemeral ones are not.

    Source:
        Codex, ``submission_loop``.  Ours answers empty input and every op it
        cannot carry out with an error, where Codex drops them silently.
    """
    match op:
        case UserInput(items=items) | UserTurn(items=items):
            return _on_input(empty=not items, turn_runs=turn_runs)
        case Interrupt():
            return Action.INTERRUPT
        case (
            ExecApproval()
            | PatchApproval()
            | UserInputAnswer()
            | DynamicToolResponse()
            | ResolveElicitation()
        ):
            return Action.ANSWER
        case OverrideTurnContext():
            return Action.CONFIGURE
        case ThreadRollback(num_turns=num_turns):
            return _on_rollback(num_turns, turn_runs=turn_runs)
        case SetThreadName(name=name):
            return _on_rename(name, keeps_rollout=keeps_rollout)
        case RunUserShellCommand(command=command):
            if not command.strip():
                return _bad_request("the command is empty; send the line to run")
            return Action.RUN_SHELL
        case RefreshMcpServers():
            return Action.REFRESH_MCP
        case ListSkills():
            return Action.LIST_SKILLS
        case ListMcpTools():
            return Action.LIST_MCP
        case CleanBackgroundTerminals():
            return Action.CLEAN_TERMINALS
        case Compact():
            return Action.COMPACT
        case Review(review_request=request):
            return _on_review(request.target)
        case Undo():
            return Refusal(_NO_UNDO, CodexErrorCode.OTHER)
        case Shutdown():
            return Action.SHUT_DOWN
        case UnknownOp(tag=tag):
            return _bad_request(f"unknown op {tag!r}; this version does not know it")
        case _:
            assert isinstance(op, _UNSUPPORTED)  # tested over all ops
            return _bad_request(
                f"{type(op).__name__} is not supported by this version of Treadle; "
                "nothing was changed"
            )


def _on_input(*, empty: bool, turn_runs: bool) -> Decision:
    if empty:
        return _bad_request("the input is empty; send at least one item")
    return Action.JOIN_TURN if turn_runs else Action.START_TURN


def _on_rollback(num_turns: int, *, turn_runs: bool) -> Decision:
    if num_turns < 1:
        problem = "num_turns must be >= 1"
    elif turn_runs:
        problem = "Cannot rollback while a turn is in progress."
    else:
        return Action.ROLL_BACK
    return Refusal(problem, CodexErrorCode.THREAD_ROLLBACK_FAILED)


def _on_review(target: ReviewTarget) -> Decision:
    match target:
        case CustomTarget(instructions=text) if not text.strip():
            return _bad_request("Review prompt cannot be empty")
        case BaseBranchTarget(branch=text) | CommitTarget(sha=text) if not text.strip():
            return _bad_request("the review target is empty; name a branch or a commit")
        case _:  # the others need nothing more
            return Action.REVIEW


def _on_rename(name: str, *, keeps_rollout: bool) -> Decision:
    if not name.strip():
        return _bad_request("Thread name cannot be empty.")
    if not keeps_rollout:
        problem = "Session persistence is disabled; cannot rename thread."
        return Refusal(problem, CodexErrorCode.OTHER)
    return Action.RENAME


def _bad_request(message: str) -> Refusal:
    return Refusal(message, CodexErrorCode.BAD_REQUEST)
