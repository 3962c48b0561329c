"""A turn as tools see it, without a thread."""

from collections import deque

import attrs
import trio

from actors.runtime import World
from actors.tools import CustomPayload, FunctionPayload, ToolCall
from messages.events import (
    DynamicToolCallRequest,
    EventMsg,
    ExecApprovalRequest,
    ExecCommandOutputDelta,
    ExecOutputStream,
)
from messages.ids import CallId, ThreadId, TurnId
from messages.ops import DynamicToolResult, ReviewDecision
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    SandboxPolicy,
    TruncationMode,
    TruncationPolicy,
)

CALL = CallId("call-1")
TURN = TurnId("turn-1")
THREAD = ThreadId("thread-1")


def function_call(name: str, arguments: str, call_id: str = CALL) -> ToolCall:
    return ToolCall(
        call_id=CallId(call_id), name=name, payload=FunctionPayload(arguments=arguments)
    )


def custom_call(name: str, text: str) -> ToolCall:
    return ToolCall(call_id=CALL, name=name, payload=CustomPayload(input=text))


@attrs.define(eq=False, kw_only=True)
class FakeContext:
    """Keeps what a tool tells, and answers its questions from a list; without one, never."""

    cwd: str = "/"
    thread_id: ThreadId = THREAD
    turn_id: TurnId = TURN
    approval_policy: AskForApproval = AskForApproval.NEVER
    sandbox_policy: SandboxPolicy = attrs.field(factory=DangerFullAccess)
    variables: dict[str, str] = attrs.field(factory=dict)
    truncation_policy: TruncationPolicy = attrs.field(
        default=TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)
    )
    world: World = attrs.field(factory=lambda: World.deterministic(1, 0.0))
    answers: deque[ReviewDecision | DynamicToolResult | None] = attrs.field(factory=deque)
    events: list[EventMsg] = attrs.field(factory=list)
    emitted: trio.Event = attrs.field(factory=trio.Event)

    def emit(self, event: EventMsg) -> None:
        self.events.append(event)
        self.emitted.set()
        self.emitted = trio.Event()

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        return await self._ask(request)

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        return await self._ask(request)

    async def _ask(self, request):
        self.emit(request)
        if not self.answers:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self.answers.popleft()

    async def wait_for(self, kind: type) -> EventMsg:
        """Wait until an event of this kind was told."""
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    return event
            await self.emitted.wait()

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[type]:
        """Which events were told, with neighbouring output as one."""
        kinds: list[type] = []
        for event in self.events:
            if not (kinds and kinds[-1] is type(event) is ExecCommandOutputDelta):
                kinds.append(type(event))
        return kinds

    def told(self, stream: ExecOutputStream) -> bytes:
        deltas = self.of(ExecCommandOutputDelta)
        return b"".join(delta.chunk for delta in deltas if delta.stream is stream)
