"""
A turn as tools see it, without a thread: keeps what they tell and answers what they ask.

Use it like this::

    context = FakeContext(cwd=str(tmp_path), approval_policy=AskForApproval.UNTRUSTED)
    context.exec_answers.append(ReviewDecisionKind.APPROVED)
    output = await tool.run(function_call("shell", command=["ls"]), context)
    assert context.of(ExecCommandEnd)

A question is told as an event first.  Then its answer is the next one of its queue; with
none there it waits until a test appends one.  A callable in a queue is called with the
request, and what it returns is the answer, so that a test can do something "meanwhile".
Jobs need ``async with context.jobs():``, which cancels those that are left.
"""

import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import trio

from actors.models import ModelInfo, PatchForm, find_model_info
from actors.runtime import World
from actors.tools.tool import CustomPayload, FunctionPayload, Offer, ToolCall
from messages.content import InputText
from messages.events import (
    ApplyPatchApprovalRequest,
    DynamicToolCallRequest,
    ElicitationRequest,
    EventMsg,
    ExecApprovalRequest,
    ExecCommandOutputDelta,
    ExecOutputStream,
    RequestUserInput,
)
from messages.ids import CallId, ThreadId, TurnId
from messages.items import Message
from messages.ops import DynamicToolResult, ElicitationDecision, ReviewDecision, UserInputResponse
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ModeKind,
    SandboxPolicy,
    TruncationMode,
    TruncationPolicy,
)
from messages.tool_settings import ToolFeatures

CALL = CallId("call-1")
TURN = TurnId("turn-1")
THREAD = ThreadId("thread-1")
# Writes patches as function calls, so that outputs come as JSON with the exit code apart.
MODEL = attrs.evolve(find_model_info("gpt-5.2-codex"), apply_patch=PatchForm.FUNCTION)


def function_call(name: str, /, call_id: str = CALL, **arguments: object) -> ToolCall:
    """A call of a function tool with these arguments."""
    payload = FunctionPayload(arguments=json.dumps(arguments))
    return ToolCall(call_id=CallId(call_id), name=name, payload=payload)


def raw_call(name: str, arguments: str, call_id: str = CALL) -> ToolCall:
    """A call of a function tool whose arguments are this text, whatever it is."""
    payload = FunctionPayload(arguments=arguments)
    return ToolCall(call_id=CallId(call_id), name=name, payload=payload)


def custom_call(name: str, text: str, call_id: str = CALL) -> ToolCall:
    """A call of a custom tool."""
    return ToolCall(call_id=CallId(call_id), name=name, payload=CustomPayload(input=text))


def offer(**features: bool) -> Offer:
    """What a request offers with these features set, in the default mode."""
    return Offer(model=MODEL, features=ToolFeatures(**features))


@attrs.define(eq=False)
class Answers:
    """Answers to one kind of question, in their order."""

    _waiting: deque[object] = attrs.field(factory=deque)
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, answer: object) -> None:
        """Put one at the end."""
        self.extend([answer])

    def extend(self, answers: "list[object] | tuple[object, ...]") -> None:
        """Put several at the end."""
        self._waiting.extend(answers)
        self._changed.set()
        self._changed = trio.Event()

    async def next(self, request: object) -> Any:
        """Wait for one."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            await self._changed.wait()
        answer = self._waiting.popleft()
        return answer(request) if callable(answer) else answer


@attrs.define(eq=False, kw_only=True)
class FakeContext:
    """
    A recording `ToolContext`; every attribute may be changed at any time.

    Attributes:
        events: What was told, questions included, in order.
        inputs: What joined the turn.
        room: Whether `add_input` takes anything.
        started: Names of the jobs, in order.
    """

    cwd: str = "/"
    thread_id: ThreadId = THREAD
    turn_id: TurnId = TURN
    approval_policy: AskForApproval = AskForApproval.NEVER
    sandbox_policy: SandboxPolicy = attrs.field(factory=DangerFullAccess)
    variables: dict[str, str] = attrs.field(factory=dict)
    truncation_policy: TruncationPolicy = attrs.field(
        default=TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)
    )
    model_info: ModelInfo = MODEL
    mode: ModeKind = ModeKind.DEFAULT
    world: World = attrs.field(factory=lambda: World.deterministic(1, 0.0))

    exec_answers: Answers = attrs.field(factory=Answers)
    patch_answers: Answers = attrs.field(factory=Answers)
    user_answers: Answers = attrs.field(factory=Answers)
    elicitation_answers: Answers = attrs.field(factory=Answers)
    client_answers: Answers = attrs.field(factory=Answers)

    events: list[EventMsg] = attrs.field(factory=list)
    inputs: list[Message] = attrs.field(factory=list)
    room: bool = True
    started: list[str] = attrs.field(factory=list)
    emitted: trio.Event = attrs.field(factory=trio.Event)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)

    # --- what tools call

    def emit(self, event: EventMsg) -> None:
        self.events.append(event)
        self.emitted.set()
        self.emitted = trio.Event()

    def add_input(self, message: Message) -> bool:
        if self.room:
            self.inputs.append(message)
        return self.room

    def start_job(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None, "a tool starts a job: write 'async with context.jobs():'"
        self.started.append(name)
        self._nursery.start_soon(job, name=name)

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        return await self._ask(request, self.exec_answers)

    async def ask_patch_approval(self, request: ApplyPatchApprovalRequest) -> ReviewDecision:
        return await self._ask(request, self.patch_answers)

    async def ask_user(self, request: RequestUserInput) -> UserInputResponse | None:
        return await self._ask(request, self.user_answers)

    async def ask_elicitation(self, request: ElicitationRequest) -> ElicitationDecision:
        return await self._ask(request, self.elicitation_answers)

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        return await self._ask(request, self.client_answers)

    async def _ask(self, request: Any, answers: Answers) -> Any:
        self.emit(request)
        return await answers.next(request)

    # --- what tests call

    @contextlib.asynccontextmanager
    async def jobs(self) -> AsyncIterator[trio.Nursery]:
        """Run jobs inside this block; what is left of them is cancelled at its end."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                yield nursery
            finally:
                nursery.cancel_scope.cancel()
                self._nursery = None

    async def wait_for(self, kind: type, count: int = 1) -> Any:
        """Wait until so many events of this kind were told; give back the last of these."""
        while len(found := self.of(kind)) < count:
            await self.emitted.wait()
        return found[count - 1]

    def of(self, kind: type) -> list[Any]:
        """List the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[type]:
        """List which events were told, with neighbouring output as one."""
        kinds: list[type] = []
        for event in self.events:
            if not (kinds and kinds[-1] is type(event) is ExecCommandOutputDelta):
                kinds.append(type(event))
        return kinds

    def told(self, stream: ExecOutputStream) -> bytes:
        """Put the output deltas of a stream together."""
        deltas = self.of(ExecCommandOutputDelta)
        return b"".join(delta.chunk for delta in deltas if delta.stream is stream)

    def input_texts(self) -> list[tuple[str, str]]:
        """List role and text of what joined the turn."""
        return [
            (message.role, part.text)
            for message in self.inputs
            for part in message.content
            if isinstance(part, InputText)
        ]
