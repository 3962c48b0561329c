"""What is done by ops and not by a command: a scenario file each, whoever plays the model."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from actors.config import ThreadConfig
from actors.models import (
    SCRIPTED_MODEL,
    ModelProvider,
    ModelRequest,
    ProviderInfo,
    ResponsesProvider,
    ScriptedProvider,
    load_scenario,
)
from actors.testing import collect_until, open_test_supervisor
from actors.thread import Thread
from messages import events
from messages.content import InputText, TextInput
from messages.events import AgentMessage, Event, EventMsg, TurnAborted, TurnComplete
from messages.items import Message
from messages.ops import (
    Compact,
    DynamicToolResponse,
    DynamicToolResult,
    ExecApproval,
    Interrupt,
    Op,
    PatchApproval,
    Review,
    ReviewDecisionKind,
    ReviewRequest,
    RunUserShellCommand,
    ThreadRollback,
    UserInput,
    UserInputAnswer,
    UserInputAnswerEntry,
    UserInputResponse,
)
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    DangerFullAccess,
    DynamicToolSpec,
    ModeKind,
    ReadOnly,
)
from messages.turn_items import AgentMessageItem, PlanItem

from .bridge import open_bridge
from .played import FOLDER, Way

PATIENCE: Final = 20.0

ENDS: Final = (TurnComplete, TurnAborted)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("way", Way, ids=lambda way: way.value),
]


@attrs.frozen(eq=False)
class Client:
    """
    Talks to one thread whose model plays a scenario.

    Attributes:
        requests: What the model was asked, oldest first.
    """

    thread: Thread
    requests: list[ModelRequest]

    async def do(self, op: Op, *last: type[EventMsg]) -> list[EventMsg]:
        """Submit an op; return what is told up to the end of a turn, or one of *last*."""
        await self.thread.submit(op)
        return await self.until(*last)

    async def say(self, text: str, *last: type[EventMsg]) -> list[EventMsg]:
        return await self.do(UserInput(items=(TextInput(text=text),)), *last)

    async def until(self, *last: type[EventMsg]) -> list[EventMsg]:
        told: list[Event] = await collect_until(self.thread, last or ENDS)
        return [event.msg for event in told]

    def seen(self) -> list[str]:
        """Texts of the messages that the model saw last, without the initial context."""
        return [
            part.text
            for item in self.requests[-1].input
            if isinstance(item, Message) and item.role == "user"
            for part in item.content
            if isinstance(part, InputText) and not part.text.startswith("<environment_context>")
        ]


@attrs.frozen(eq=False)
class Listening:
    """A provider that notes what it is asked."""

    _provider: ModelProvider
    requests: list[ModelRequest]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def stream(self, request: ModelRequest) -> Any:
        self.requests.append(request)
        return self._provider.stream(request)


@asynccontextmanager
async def open_provider(name: str, way: Way) -> AsyncGenerator[ModelProvider]:
    path = FOLDER / "ops" / f"{name}.toml"
    if way is Way.SCRIPTED:
        yield ScriptedProvider(load_scenario(path))
        return
    async with open_bridge(path) as bridge:
        info = ProviderInfo(id="mock", name="Mock", base_url=bridge.base_url)
        async with ResponsesProvider(info=info) as provider:
            yield provider


@asynccontextmanager
async def open_client(
    name: str,
    way: Way,
    cwd: Path,
    *,
    dynamic_tools: tuple[DynamicToolSpec, ...] = (),
    **settings: Any,
) -> AsyncGenerator[Client]:
    """Start a thread that works in *cwd* and may do everything, unless *settings* say otherwise."""
    config = ThreadConfig(
        **{
            "cwd": str(cwd),
            "model": SCRIPTED_MODEL,
            "approval_policy": AskForApproval.NEVER,
            "sandbox_policy": DangerFullAccess(),
            **settings,
        }
    )
    requests: list[ModelRequest] = []
    with trio.fail_after(PATIENCE):
        async with open_provider(name, way) as provider:
            listening = Listening(provider, requests)
            async with open_test_supervisor(provider=listening) as supervisor:
                new = await supervisor.start_thread(config, dynamic_tools=dynamic_tools)
                yield Client(new.thread, requests)


def answer(told: list[EventMsg]) -> str | None:
    """What the model said last in a turn that came to its end."""
    assert isinstance(told[-1], TurnComplete), told[-1]
    return told[-1].last_agent_message


def the(kind: type[Any], told: list[EventMsg]) -> Any:
    """The only event of its kind."""
    [found] = [msg for msg in told if isinstance(msg, kind)]
    return found


async def test_review_reads_code_and_its_findings_reach_the_model(way: Way, tmp_path: Path) -> None:
    """The reviewer runs a command; its JSON becomes an event, and words for the model."""
    (tmp_path / "greet.py").write_text("pritn('hi')\n")
    target = events.CustomTarget(instructions="Look at greet.py.")

    async with open_client("review", way, tmp_path) as client:
        told = await client.do(Review(review_request=ReviewRequest(target=target)))
        await client.say("Repair it.")

    command = the(events.ExecCommandEnd, told)
    review = the(events.ExitedReviewMode, told).review_output
    assert command.aggregated_output == "pritn('hi')\n"
    assert [finding.title for finding in review.findings] == ["Misspelt print"]
    assert [request.subagent for request in client.requests] == ["review", "review", None]
    assert "Misspelt print — /greet.py:1-1" in client.seen()[0]
    assert client.seen()[-1] == "Repair it."


async def test_compact_leaves_the_users_words_and_the_summary(way: Way, tmp_path: Path) -> None:
    """What the model said itself is gone."""
    async with open_client("compact", way, tmp_path) as client:
        await client.say("I am Ada")
        told = await client.do(Compact())
        after = await client.say("What am I?")

    assert the(events.ContextCompacted, told)
    assert client.requests[1].subagent == "compact"
    assert client.requests[1].tools == ()
    first, summary, last = client.seen()
    assert (first, last) == ("I am Ada", "What am I?")
    assert summary.endswith("Ada is a mathematician.")
    assert "Let me tell you" not in str(client.requests[2].input)
    assert (answer(after) or "").startswith("Before I heard this:\n- I am Ada\n")


async def test_rollback_takes_the_last_turn_out_of_the_conversation(
    way: Way, tmp_path: Path
) -> None:
    """The model is asked as if it had never been."""
    async with open_client("rollback", way, tmp_path) as client:
        await client.say("one")
        await client.say("two")
        told = await client.do(ThreadRollback(num_turns=1), events.ThreadRolledBack)
        after = await client.say("three")

    assert the(events.ThreadRolledBack, told).num_turns == 1
    assert client.seen() == ["one", "three"]
    assert answer(after) == "Before I heard this:\n- one"


async def test_command_of_the_user_is_seen_by_the_model(way: Way, tmp_path: Path) -> None:
    """It runs without a model request; the next one has what it wrote."""
    async with open_client("user_shell", way, tmp_path) as client:
        told = await client.do(RunUserShellCommand(command="echo hello"))
        asked = len(client.requests)
        after = await client.say("Did you see that?")

    assert the(events.ExecCommandEnd, told).aggregated_output == "hello\n"
    assert asked == 0
    record, question = client.seen()
    assert record.startswith("<user_shell_command>")
    assert "hello" in record
    assert question == "Did you see that?"
    assert answer(after) == "I saw that."


async def test_dynamic_tool_is_offered_and_run_by_the_client(way: Way, tmp_path: Path) -> None:
    """What the client answers is what the model reads."""
    schema = {"type": "object", "properties": {"town": {"type": "string"}}}
    spec = DynamicToolSpec(name="weather", description="Look outside.", input_schema=schema)

    async with open_client("dynamic_tools", way, tmp_path, dynamic_tools=(spec,)) as client:
        told = await client.say("How is the weather?", events.DynamicToolCallRequest)
        asked = the(events.DynamicToolCallRequest, told)
        result = DynamicToolResult(content_items=(InputText(text="rain"),), success=True)
        after = await client.do(DynamicToolResponse(id=asked.call_id, response=result))

    assert (asked.tool, asked.arguments) == ("weather", {"town": "London"})
    assert "weather" in [tool.get("name") for tool in client.requests[0].tools]
    assert answer(after) == "Take an umbrella: rain."


async def test_plan_mode_asks_the_user_and_tells_a_plan(way: Way, tmp_path: Path) -> None:
    """The plan is an item of its own, and what is left is the message."""
    mode = CollaborationMode(
        mode=ModeKind.PLAN, settings=CollaborationSettings(model=SCRIPTED_MODEL)
    )

    async with open_client("plan_mode", way, tmp_path, collaboration_mode=mode) as client:
        told = await client.say("Paint the house.", events.RequestUserInput)
        asked = the(events.RequestUserInput, told)
        answers = {"colour": UserInputAnswerEntry(answers=("Red",))}
        response = UserInputResponse(answers=answers)
        after = await client.do(UserInputAnswer(id=asked.call_id, response=response))

    items = [msg.item for msg in after if isinstance(msg, events.ItemCompleted)]
    [plan] = [item for item in items if isinstance(item, PlanItem)]
    [message] = [item for item in items if isinstance(item, AgentMessageItem)]
    assert [question.question for question in asked.questions] == ["Which colour?"]
    assert plan.text.strip() == "- paint it Red"
    assert "".join(part.text for part in message.content).strip() == "Then I know enough."
    assert "request_user_input" in [tool.get("name") for tool in client.requests[0].tools]


async def test_person_allows_one_command_and_forbids_another(way: Way, tmp_path: Path) -> None:
    """What is forbidden is not done, and the model goes on by asking for something else."""
    async with open_client(
        "approvals",
        way,
        tmp_path,
        approval_policy=AskForApproval.ON_REQUEST,
        sandbox_policy=ReadOnly(),
    ) as client:
        told = await client.say("Clean up.", events.ExecApprovalRequest)
        first = the(events.ExecApprovalRequest, told)
        yes = ExecApproval(id=first.call_id, decision=ReviewDecisionKind.APPROVED)
        told = await client.do(yes, events.ExecApprovalRequest)
        second = the(events.ExecApprovalRequest, told)
        no = ExecApproval(id=second.call_id, decision=ReviewDecisionKind.DENIED)
        told = await client.do(no, events.ApplyPatchApprovalRequest)
        patch = the(events.ApplyPatchApprovalRequest, told)
        good = PatchApproval(id=patch.call_id, decision=ReviewDecisionKind.APPROVED)
        after = await client.do(good)

    assert first.reason == "May I make a folder?"
    assert second.command[-1] == "rm -rf build"
    assert (tmp_path / "build").is_dir()
    assert (tmp_path / "note.txt").read_text() == "The folder stays.\n"
    assert answer(after) == "So I wrote a note."


async def test_interrupt_ends_a_turn_whose_model_is_silent(way: Way, tmp_path: Path) -> None:
    """What it said stays, and the next turn begins as any other."""
    async with open_client("interrupt", way, tmp_path) as client:
        await client.say("Go", AgentMessage)
        told = await client.do(Interrupt())
        after = await client.say("Well?")

    assert isinstance(told[-1], TurnAborted)
    assert answer(after) == "Where were we? You said before:\n- Go"
    assert "Wait a moment." in str(client.requests[-1].input)
