"""What the model is told besides the conversation."""

import attrs
import pytest

from actors.models import find_model_info
from actors.thread.context import (
    initial_context,
    is_last_word,
    settings_updates,
    turn_aborted_marker,
)
from actors.thread.settings import SessionSettings, TurnContext
from messages.content import InputText
from messages.ids import ThreadId, TurnId
from messages.items import FunctionCall, Message
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    ExternalSandbox,
    ModeKind,
    NetworkAccess,
    Personality,
    ReadOnly,
    SandboxPolicy,
    SourceKind,
    UnknownSandbox,
    WorkspaceWrite,
)


def mode(model: str = "m", instructions: str | None = None) -> CollaborationMode:
    inner = CollaborationSettings(model=model, developer_instructions=instructions)
    return CollaborationMode(mode=ModeKind.DEFAULT, settings=inner)


SETTINGS = SessionSettings(
    cwd="/project",
    approval_policy=AskForApproval.NEVER,
    sandbox_policy=DangerFullAccess(),
    collaboration=mode(),
    base_instructions="",
    model_provider_id="p",
    session_source=SourceKind.EXEC,
)


def text(message: Message) -> str:
    [part] = message.content
    assert isinstance(part, InputText)
    return part.text


def context(settings: SessionSettings) -> TurnContext:
    info = find_model_info(settings.model)
    return TurnContext(
        thread_id=ThreadId("t"),
        turn_id=TurnId("u"),
        settings=settings,
        model_info=info,
        truncation_policy=info.truncation_policy,
    )


def test_context_has_its_parts_in_order_and_only_those_that_say_something() -> None:
    """The order of the reference, with its marker tags."""
    full = attrs.evolve(
        SETTINGS,
        developer_instructions="Be kind.",
        collaboration=mode(instructions="Plan."),
        personality=Personality.FRIENDLY,
        user_instructions="Use tabs.",
    )

    least = [(m.role, text(m).partition("\n")[0]) for m in initial_context(SETTINGS)]
    most = [(m.role, text(m)[:24]) for m in initial_context(full)]

    assert least == [
        ("developer", "<permissions instructions>"),
        ("user", "<environment_context>"),
    ]
    assert most == [
        ("developer", "<permissions instruction"),
        ("developer", "Be kind."),
        ("developer", "<collaboration_mode>Plan"),
        ("developer", "<personality_spec> Be wa"),
        ("user", "# AGENTS.md instructions"),
        ("user", "<environment_context>\n  "),
    ]
    assert text(initial_context(full)[-1]) == (
        "<environment_context>\n  <cwd>/project</cwd>\n  <shell>bash</shell>\n</environment_context>"
    )


@pytest.mark.parametrize(
    ("policy", "files", "network"),
    [
        (ReadOnly(), "read-only", "restricted"),
        (WorkspaceWrite(), "workspace-write", "restricted"),
        (WorkspaceWrite(network_access=True), "workspace-write", "enabled"),
        (DangerFullAccess(), "danger-full-access", "enabled"),
        (
            ExternalSandbox(network_access=NetworkAccess.RESTRICTED),
            "danger-full-access",
            "restricted",
        ),
        (ExternalSandbox(network_access=NetworkAccess.ENABLED), "danger-full-access", "enabled"),
        (UnknownSandbox(tag="moon", raw={}), "moon: unknown", "restricted"),
    ],
)
@pytest.mark.parametrize("approval", list(AskForApproval))
def test_permissions_name_both_policies(
    policy: SandboxPolicy, files: str, network: str, approval: AskForApproval
) -> None:
    """Every sandbox with every approval policy."""
    settings = attrs.evolve(SETTINGS, sandbox_policy=policy, approval_policy=approval)

    told = text(initial_context(settings)[0])

    assert f"Sandbox: {files}" in told
    assert f"Network access is {network}." in told
    assert "Approval policy: " in told
    assert ("writable root" in told) == isinstance(policy, WorkspaceWrite) or "roots" in told


def test_writable_roots_are_listed() -> None:
    """The working directory first."""
    one = attrs.evolve(SETTINGS, sandbox_policy=WorkspaceWrite())
    two = attrs.evolve(SETTINGS, sandbox_policy=WorkspaceWrite(writable_roots=("/tmp",)))

    assert " The writable root is `/project`." in text(initial_context(one)[0])
    assert " The writable roots are `/project`, `/tmp`." in text(initial_context(two)[0])


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        ({}, []),
        ({"cwd": "/x"}, ["<environment_context>"]),
        ({"sandbox_policy": ReadOnly()}, ["<permissions instructions>"]),
        ({"approval_policy": AskForApproval.UNTRUSTED}, ["<permissions instructions>"]),
        ({"collaboration": mode(instructions="Plan.")}, ["<collaboration_mode>"]),
        ({"collaboration": mode("other")}, ["<model_switch>"]),
        ({"personality": Personality.FRIENDLY}, ["<personality_spec>"]),
        ({"personality": Personality.NONE}, []),
        (
            {"collaboration": mode("other"), "personality": Personality.FRIENDLY, "cwd": "/x"},
            ["<environment_context>", "<model_switch>"],
        ),
        ({"user_instructions": "new"}, []),
    ],
)
def test_updates_say_what_changed_and_nothing_else(change: dict, tags: list[str]) -> None:  # type: ignore[type-arg]
    """In the order of the reference."""
    after = context(attrs.evolve(SETTINGS, **change))

    updates = settings_updates(SETTINGS, after, previous_model=None)

    assert [text(m).partition(">")[0] + ">" for m in updates] == tags


def test_what_a_mode_said_is_taken_back_when_the_next_one_says_nothing() -> None:
    """It would linger otherwise (L24)."""
    planning = attrs.evolve(SETTINGS, collaboration=mode(instructions="Plan."))

    [update] = settings_updates(planning, context(SETTINGS), previous_model=None)

    assert text(update).startswith("<collaboration_mode>")
    assert "does not hold any more" in text(update)


def test_model_is_compared_with_the_one_asked_last() -> None:
    """Which counts more than the settings before."""
    same = context(SETTINGS)

    assert settings_updates(SETTINGS, same, previous_model="m") == ()
    [switch] = settings_updates(SETTINGS, same, previous_model="old")
    assert text(switch).startswith("<model_switch>")


def user(content: str) -> Message:
    return Message(role="user", content=(InputText(text=content),))


def test_context_message_is_the_last_word_until_another_of_its_kind_comes() -> None:
    """The embedder's own instructions have no kind and are compared as they are."""
    here, there = user("<environment_context>\n a"), user("<environment_context>\n b")
    own, other = user("Be kind."), user("Be quick.")
    call = FunctionCall(name="f", arguments="{}", call_id="c")
    empty = Message(role="user", content=())

    assert not is_last_word(here, [])
    assert is_last_word(here, [there, here, call, empty, user("hi")])
    assert not is_last_word(here, [here, there])
    assert is_last_word(own, [own, other])
    assert not is_last_word(own, [other])
    assert not is_last_word(empty, [here])


def test_marker_of_a_stopped_turn_has_its_tags() -> None:
    """Rules about user messages depend on them."""
    marker = turn_aborted_marker()

    assert marker.role == "user"
    assert text(marker).startswith("<turn_aborted>\n")
    assert text(marker).endswith("\n</turn_aborted>")
