"""What the model is told besides the conversation: policies, places, instructions."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from messages.content import InputText
from messages.items import Message, ResponseItem
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    DangerFullAccess,
    ExternalSandbox,
    NetworkAccess,
    Personality,
    ReadOnly,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

from .settings import SessionSettings, TurnContext

__all__ = [
    "initial_context",
    "is_kind_told",
    "is_last_word",
    "settings_updates",
    "turn_aborted_marker",
]

_SHELL: Final = "bash"
_MARKER: Final = re.compile(r"<[a-z_ ]+>|# AGENTS\.md instructions for ")

_APPROVALS: Final = {
    AskForApproval.NEVER: (
        "Approval policy: never. Nobody is there to ask. Work within the limits above and "
        "find another way when one is closed."
    ),
    AskForApproval.UNTRUSTED: (
        "Approval policy: untrusted. Most commands are shown to the user first, who may "
        "refuse them; plan so that few are needed."
    ),
    AskForApproval.ON_FAILURE: (
        "Approval policy: on-failure. A command that the sandbox stops is shown to the user, "
        "who decides whether it runs without it."
    ),
    AskForApproval.ON_REQUEST: (
        "Approval policy: on-request. Commands run inside the sandbox without asking. One that "
        "cannot do its work in there may be called with `sandbox_permissions` set to "
        '"require_escalated" and a `justification` of one sentence; the user is asked then. Do '
        "that only when the task cannot be done otherwise."
    ),
}

_PERSONALITIES: Final = {
    Personality.FRIENDLY: (
        "Be warm and encouraging. Explain what you do in plain words and notice what went well."
    ),
    Personality.PRAGMATIC: (
        "Be brief and matter-of-fact. Say what you did, what you found and what is left."
    ),
    Personality.NONE: "",
}

_SHARED_CHARS: Final = 4096
"""Longer messages are not looked for among those that other threads have."""

# Also for turns that ended with their program, so it names nobody.
_ABORTED: Final = (
    "This turn was stopped before it came to its end. Commands that were running may have done "
    "part of their work; look at the present state before you go on."
)


def initial_context(settings: SessionSettings) -> tuple[Message, ...]:
    """
    Build the messages that come before a conversation, in order.

    Permissions, the embedder's instructions, the collaboration mode, the
    personality (developer messages); the user's instructions and the
    environment (user messages).

    Source:
        Codex, ``build_initial_context``; order and marker tags are its, words ours.
    """
    messages = [permissions(settings)]
    if settings.developer_instructions:
        messages.append(_developer(settings.developer_instructions))
    messages.extend(_collaboration(settings.collaboration))
    messages.extend(_personality(settings.personality))
    if settings.user_instructions:
        messages.append(_user_instructions(settings))
    messages.append(environment(cwd=settings.cwd))
    return tuple(messages)


def settings_updates(
    before: SessionSettings, after: TurnContext, *, previous_model: str | None
) -> tuple[Message, ...]:
    """
    Tell the model what changed since the turn before; nothing when nothing did.

    Args:
        before: The settings of the previous turn.
        after: The turn about to start.
        previous_model: The model last asked, when it is not the one in *before*.
    """
    now = after.settings
    messages: list[Message] = []
    if now.cwd != before.cwd:
        messages.append(environment(cwd=now.cwd))
    if (now.sandbox_policy, now.approval_policy) != (before.sandbox_policy, before.approval_policy):
        messages.append(permissions(now))
    if now.collaboration != before.collaboration:
        messages.extend(_collaboration(now.collaboration) or _no_more(before.collaboration))
    if now.model != (previous_model or before.model):
        messages.append(_model_switch(now.model, after.model_info.base_instructions))
    elif now.personality != before.personality:
        messages.extend(_personality(now.personality))
    return tuple(messages)


def is_last_word(message: Message, history: Sequence[ResponseItem]) -> bool:
    """
    Whether *history* already holds this context message, and none of its kind after it.

    Messages are of one kind when they open with the same marker tag; the
    embedder's own instructions have none and are compared as a whole.
    """
    kind = _kind(message)
    for item in reversed(history):
        if item == message:
            return True
        if kind and isinstance(item, Message) and _kind(item) == kind:
            return False
    return False


def is_kind_told(message: Message, history: Sequence[ResponseItem]) -> bool:
    """Whether *history* holds any context message of the kind of this one."""
    kind = _kind(message)
    return any(isinstance(item, Message) and _kind(item) == kind for item in history)


def _kind(message: Message) -> str | None:
    first = message.content[0] if message.content else None
    if not isinstance(first, InputText):
        return None
    found = _MARKER.match(first.text)
    return found.group() if found else None


def turn_aborted_marker() -> Message:
    """Build the message by which the model learns that a turn was stopped."""
    return _user(f"<turn_aborted>\n{_ABORTED}\n</turn_aborted>")


def permissions(settings: SessionSettings) -> Message:
    """Build the message about what commands may do and when they need approval."""
    lines = (
        "<permissions instructions>",
        _sandbox(settings.sandbox_policy),
        _APPROVALS[settings.approval_policy],
        *_writable_roots(settings.sandbox_policy, settings.cwd),
        "</permissions instructions>",
    )
    return _developer("\n".join(lines))


def environment(*, cwd: str) -> Message:
    """Build the message about where the thread works."""
    return _user(
        "<environment_context>\n"
        f"  <cwd>{cwd}</cwd>\n"
        f"  <shell>{_SHELL}</shell>\n"
        "</environment_context>"
    )


def _sandbox(policy: SandboxPolicy) -> str:
    network = "enabled" if _has_network(policy) else "restricted"
    match policy:
        case ReadOnly():
            files = "read-only: commands may read files and change none"
        case WorkspaceWrite():
            files = "workspace-write: commands may read files and write below the writable roots"
        case DangerFullAccess() | ExternalSandbox():
            files = "danger-full-access: commands have all the rights of the user"
        case UnknownSandbox(tag=tag):
            files = f"{tag}: unknown to this version, so no command runs"
    return f"Sandbox: {files}. Network access is {network}."


def _has_network(policy: SandboxPolicy) -> bool:
    match policy:
        case DangerFullAccess():
            return True
        case ExternalSandbox(network_access=access):
            return access is NetworkAccess.ENABLED
        case WorkspaceWrite(network_access=allowed):
            return allowed
        case ReadOnly() | UnknownSandbox():
            return False


def _writable_roots(policy: SandboxPolicy, cwd: str) -> tuple[str, ...]:
    if not isinstance(policy, WorkspaceWrite):
        return ()
    roots = [f"`{root}`" for root in (cwd, *policy.writable_roots)]
    which = "root is" if len(roots) == 1 else "roots are"
    lines = [f" The writable {which} {', '.join(roots)}."]
    if not (policy.exclude_slash_tmp and policy.exclude_tmpdir_env_var):
        lines.append(" Folders for temporary files are writable, too.")
    return (*lines, " Version control data (`.git`) stays read-only.")


def _collaboration(mode: CollaborationMode) -> tuple[Message, ...]:
    text = mode.settings.developer_instructions
    return (_developer(f"<collaboration_mode>{text}</collaboration_mode>"),) if text else ()


def _no_more(before: CollaborationMode) -> tuple[Message, ...]:
    """Take back what the mode before said, which would linger otherwise (L24)."""
    if not before.settings.developer_instructions:
        return ()
    text = "What was said of the collaboration mode before does not hold any more."
    return (_developer(f"<collaboration_mode>{text}</collaboration_mode>"),)


def _personality(personality: Personality | None) -> tuple[Message, ...]:
    text = _PERSONALITIES[personality] if personality else ""
    return (_developer(f"<personality_spec> {text} </personality_spec>"),) if text else ()


def _model_switch(model: str, instructions: str) -> Message:
    return _developer(
        f"<model_switch>\nThe conversation goes on with the model {model}, whose instructions "
        f"follow.\n\n{instructions}\n</model_switch>"
    )


def _user_instructions(settings: SessionSettings) -> Message:
    return _user(
        f"# AGENTS.md instructions for {settings.cwd}\n\n"
        f"<INSTRUCTIONS>\n{settings.user_instructions}\n</INSTRUCTIONS>"
    )


def _developer(text: str) -> Message:
    return _said("developer", text)


def _user(text: str) -> Message:
    return _said("user", text)


def _said(role: str, text: str) -> Message:
    return (_shared if len(text) <= _SHARED_CHARS else _message)(role, text)


def _message(role: str, text: str) -> Message:
    return Message(role=role, content=(InputText(text=text),))


# Most threads of a server begin with the same words, which are kept once for all of them.
_shared = lru_cache(maxsize=64)(_message)
