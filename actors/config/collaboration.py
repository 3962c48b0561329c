"""How model and user work together: the modes that clients offer, and their texts."""

from __future__ import annotations

from typing import Final

import attrs

from messages.settings import (
    KEEP,
    CollaborationMode,
    Keep,
    ModeKind,
    ReasoningEffort,
)

__all__ = ["CollaborationModeMask", "apply_mask", "list_collaboration_modes", "mode_preset"]


@attrs.frozen(kw_only=True)
class CollaborationModeMask:
    """
    What a mode changes of the settings that a thread has; the rest stays.

    Attributes:
        name: For people.
        mode: None leaves the mode as it is.
        model: None leaves the model as it is; a thread always has one.
        reasoning_effort: None is the model's own default.
        developer_instructions: None is none at all.

    Source:
        Codex, ``CollaborationModeMask``.
    """

    name: str
    mode: ModeKind | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | Keep | None = KEEP
    developer_instructions: str | Keep | None = attrs.field(default=KEEP, repr=False)


_PLAN: Final = """\
# Plan mode

You and the user agree on a plan now. It is carried out later, when the user asks for that; \
until the mode changes, you change nothing.

## What you may do
- Read files, search, look at the history of the repository, and run commands that only \
read, or that write nothing the project keeps: tests, builds, type checkers and the like.
- Do not edit, create, move or delete files, do not apply patches, do not install anything, \
do not commit, and do not change any service. If the user asks for such a thing here, say \
that this is Plan mode and make it a part of the plan.
- Do not call update_plan; it keeps track of work, and there is none yet.

## How you get there
1. Look first. Whatever the code, the configuration or the documents can answer, find out by \
yourself, and tell the user in a few words what you found and what follows from it.
2. Then ask about what only the user can know: the goal, what is out of scope, which of \
several good ways to take. Ask with the tool request_user_input, a few questions at a time, \
each with answers to choose from and the one that you recommend first. Do not ask what you \
could look up, and do not ask again what was answered.
3. Go on until nobody who carries out the plan would have to decide anything that matters. \
Where a question stays open, choose, and say in the plan that you did.

## The plan
When it is ready, and not before, write it as the end of your answer, with each tag alone on \
a line of its own:

<proposed_plan>
# What will be different

The steps in order, each with the files it touches and how to see that it worked; what could \
go wrong; what was assumed.
</proposed_plan>

Write Markdown between the tags. Put at most one plan into an answer, and only a whole one: \
a changed plan is written anew from its first line. Explain your choices before the block \
rather than in it, and ask nothing after it: the user will say what to do next."""

_DEFAULT: Final = """\
# Default mode

Do the task yourself, from beginning to end. Instructions of another mode that you were \
given earlier, such as Plan mode, no longer hold; the modes are Default and Plan, and only \
the user changes them.

The tool request_user_input is not available in this mode, and calling it returns an error. \
Where something is unclear, take the assumption that a careful colleague would take, go on, \
and say in your answer what you assumed. Ask the user, in plain text at the end of your \
answer, only when a wrong guess could not be taken back."""

_MODES: Final = (
    CollaborationModeMask(
        name="Plan",
        mode=ModeKind.PLAN,
        reasoning_effort=ReasoningEffort("medium"),
        developer_instructions=_PLAN,
    ),
    CollaborationModeMask(name="Default", mode=ModeKind.DEFAULT, developer_instructions=_DEFAULT),
)


def list_collaboration_modes() -> tuple[CollaborationModeMask, ...]:
    """
    List the modes that a client can offer: Plan, which changes nothing, and Default.

    Source:
        Codex, ``builtin_collaboration_mode_presets``; the texts are ours.
    """
    return _MODES


def mode_preset(kind: ModeKind) -> CollaborationModeMask:
    """Return the built-in mode of a kind, for a client that names no instructions."""
    return next(mask for mask in _MODES if mask.mode is kind)


def apply_mask(mask: CollaborationModeMask, mode: CollaborationMode) -> CollaborationMode:
    """Return *mode* with what the mask changes."""
    settings = mode.settings
    effort, text = mask.reasoning_effort, mask.developer_instructions
    return CollaborationMode(
        mode=mode.mode if mask.mode is None else mask.mode,
        settings=attrs.evolve(
            settings,
            model=settings.model if mask.model is None else mask.model,
            reasoning_effort=settings.reasoning_effort if effort is KEEP else effort,
            developer_instructions=settings.developer_instructions if text is KEEP else text,
        ),
    )
