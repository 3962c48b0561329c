"""Where requests of clients go, and which may go there twice: tables and pure functions."""

from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

import attrs

from actors.rollout import parse_rollout_name, parse_thread_id
from messages.ids import ThreadId
from messages.ops import (
    Compact,
    DynamicToolResponse,
    ExecApproval,
    Interrupt,
    OverrideTurnContext,
    PatchApproval,
    ResolveElicitation,
    Review,
    RunUserShellCommand,
    UserInput,
    UserInputAnswer,
    UserTurn,
)

__all__ = ["RULES", "Effect", "Route", "Rule", "Target", "route", "rule_of"]


class Target(Enum):
    """
    Which worker a request goes to.

    Attributes:
        HOME: The client's own worker.
        THREAD: The worker that has the thread; the client's own when none has it.
        OPEN: The worker that has the thread; when none has it, the one with the least to do.
        NEW: The worker with the least to do.
        ALL: Every worker.
        FRONT: None: the front itself knows the answer.
    """

    HOME = "home"
    THREAD = "thread"
    OPEN = "open"
    NEW = "new"
    ALL = "all"
    FRONT = "front"


class Effect(Enum):
    """
    What follows for the front from a request that was answered without an error.

    Attributes:
        NOTHING: Nothing.
        OPENS: The thread of the answer is loaded, and the client follows it.
        LEAVES: The client follows the thread no more.
        BEGINS: The turn of the answer runs.
        FORGETS: The thread is no more.
        OVERRIDES: The thread's settings are others from the next turn on.
    """

    NOTHING = "nothing"
    OPENS = "opens"
    LEAVES = "leaves"
    BEGINS = "begins"
    FORGETS = "forgets"
    OVERRIDES = "overrides"


@attrs.frozen(kw_only=True)
class Rule:
    """
    How requests of one method are dealt with.

    Attributes:
        target: Where they go.
        effect: What follows from their success.
        again:
            Whether one may be sent again, to another worker, when its worker died before it
            answered: what only looks, and what changes nothing when it is done twice.
        holds:
            Whether the thread of one stays where it is sought until it is answered, although
            nobody has loaded it.  Without that, one client could archive a thread in
            one worker while another client resumes it in another.
        lets_go:
            Whether one still goes to a worker that is letting go of the thread: what looks,
            and what is about the turn that is awaited there.
        harmless: Whether one leaves a stored thread unloaded, so that quarantine is no matter.
        work: Whether one makes new work, which a pool that is ending refuses.
        aftermath: What the client is told of one that died with its worker.
    """

    target: Target
    effect: Effect = Effect.NOTHING
    again: bool = False
    holds: bool = False
    lets_go: bool = False
    harmless: bool = False
    work: bool = False
    aftermath: str = "whether it was done is not known"


_TURN: Final = (
    "if it had begun a turn, that was interrupted; thread/read shows what is recorded of it"
)
_STORED: Final = "whether it was done is not known; thread/list shows how it is"

_AGAIN: Final = Rule(target=Target.HOME, again=True)
_LOOK: Final = Rule(target=Target.THREAD, again=True, lets_go=True, harmless=True)
_STORE: Final = Rule(target=Target.THREAD, holds=True, harmless=True, aftermath=_STORED)
_BEGIN: Final = Rule(target=Target.THREAD, effect=Effect.BEGINS, work=True, aftermath=_TURN)

_STEER: Final = Rule(
    target=Target.THREAD,
    lets_go=True,
    aftermath="the turn was interrupted; thread/read shows what is recorded of it",
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "thread/start": Rule(target=Target.NEW, effect=Effect.OPENS, again=True, work=True),
        "thread/resume": Rule(target=Target.OPEN, effect=Effect.OPENS, again=True),
        "thread/fork": Rule(
            target=Target.OPEN,
            effect=Effect.OPENS,
            harmless=True,
            work=True,
            aftermath="there may be a copy that nobody follows; thread/list shows it",
        ),
        "thread/read": _LOOK,
        "thread/turns/list": _LOOK,
        "thread/items/list": _LOOK,
        "thread/list": _AGAIN,
        "thread/loaded/list": Rule(target=Target.FRONT),
        "thread/archive": _STORE,
        "thread/unarchive": _STORE,
        "thread/delete": attrs.evolve(_STORE, effect=Effect.FORGETS),
        "thread/metadata/update": _STORE,
        # The same name twice is the same name.
        "thread/name/set": attrs.evolve(_STORE, again=True),
        "thread/unsubscribe": Rule(target=Target.THREAD, effect=Effect.LEAVES, again=True),
        "thread/compact/start": attrs.evolve(_BEGIN, effect=Effect.NOTHING),
        "turn/start": _BEGIN,
        "turn/steer": _STEER,
        "treadle/steer": _STEER,
        "turn/interrupt": Rule(
            target=Target.THREAD, lets_go=True, aftermath="the turn ended with it"
        ),
        "review/start": _BEGIN,
        "command/exec": Rule(
            target=Target.HOME, work=True, aftermath="if it had started, the command was ended"
        ),
        "model/list": _AGAIN,
        "collaborationMode/list": _AGAIN,
        "experimentalFeature/list": _AGAIN,
        "app/list": attrs.evolve(_AGAIN, target=Target.THREAD),
        "skills/list": _AGAIN,
        "mcpServerStatus/list": _AGAIN,
        "fuzzyFileSearch": _AGAIN,
        "config/mcpServer/reload": Rule(target=Target.ALL),
        "mock/experimentalMethod": _AGAIN,
        "config/read": _AGAIN,
        "configRequirements/read": _AGAIN,
        "account/read": _AGAIN,
        "account/rateLimits/read": _AGAIN,
    }
)
"""Methods that are not as `rule_of` takes those that it does not know."""

_OF_HOME: Final = Rule(target=Target.HOME)
_OF_THREAD: Final = Rule(target=Target.THREAD)

_WORK_OPS: Final = (UserInput, UserTurn, Compact, Review, RunUserShellCommand)
"""Ops that begin a turn, as ``treadle/submit`` has them."""

_TURN_OPS: Final = (
    Interrupt,
    ExecApproval,
    PatchApproval,
    ResolveElicitation,
    UserInputAnswer,
    DynamicToolResponse,
)
"""Ops about the turn that runs."""


def rule_of(method: str, params: Any) -> Rule:
    """Say how a request is dealt with; one that names a thread goes to that thread."""
    rule = RULES.get(method)
    if rule is not None:
        return rule
    if getattr(params, "thread_id", None) is None:
        return _OF_HOME
    op = getattr(params, "op", None)
    if isinstance(op, _WORK_OPS):
        return attrs.evolve(_OF_THREAD, work=True, aftermath=_TURN)
    if isinstance(op, OverrideTurnContext):
        return attrs.evolve(_OF_THREAD, effect=Effect.OVERRIDES)
    return attrs.evolve(_OF_THREAD, lets_go=isinstance(op, _TURN_OPS))


@attrs.frozen(kw_only=True)
class Route:
    """
    Where one request goes.

    Attributes:
        rule: Of its method.
        thread_id: Whose worker is sought; None for nobody's.
        opens: Which thread is loaded by it; None when it is a new one, or none.
    """

    rule: Rule
    thread_id: ThreadId | None = None
    opens: ThreadId | None = None


def route(method: str, params: Any) -> Route:
    """
    Say where a request goes.

    What names its thread in a way that nobody understands goes where unknown threads
    go, and is refused there.

    Args:
        method: Its name.
        params: Typed.
    """
    rule = rule_of(method, params)
    thread_id = _thread_of(params)
    # A history of the client's own makes a new thread, whatever it calls the old one.
    resumes = method == "thread/resume" and getattr(params, "history", None) is None
    return Route(rule=rule, thread_id=thread_id, opens=thread_id if resumes else None)


def _thread_of(params: Any) -> ThreadId | None:
    path, thread_id = getattr(params, "path", None), getattr(params, "thread_id", None)
    # Where both are, the path wins; a path alone is of something else, such as a skill.
    if thread_id is not None and path is not None and getattr(params, "history", None) is None:
        name = parse_rollout_name(PurePath(path).name)
        return None if name is None else name.thread_id
    return None if thread_id is None else parse_thread_id(thread_id)
