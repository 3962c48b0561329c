"""From the steps of a reply to the events, pauses and errors that they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, assert_never, cast

import attrs
import orjson

from messages.content import OutputText
from messages.events import TokenUsage
from messages.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    ReasoningItem,
    ReasoningText,
    ResponseItem,
    SummaryText,
)
from messages.value import Json

from .classify import error_from_refusal
from .error_texts import usage_limit_text
from .errors import (
    ConnectionFailed,
    ContextWindowExceeded,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    ModelError,
    QuotaExceeded,
    RateLimited,
    ServerOverloaded,
    StreamDisconnected,
    UsageLimitReached,
    UsageNotIncluded,
)
from .provider import (
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ModelRequest,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    TextDelta,
)
from .request_view import RequestView, estimate_tokens, user_texts
from .scenario import Call, CustomCall, Cut, Fail, Reply, Say, Stall, Step, Think

__all__ = ["Pause", "perform"]

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_CHARACTERS_PER_TOKEN: Final = 4
_HISTORY_LINE: Final = 200


@attrs.frozen
class Pause:
    """Silence, in seconds; may be infinite."""

    seconds: float


_Action: TypeAlias = ResponseEvent | Pause | ModelError


def perform(
    reply: Reply, request: ModelRequest, view: RequestView, groups: Mapping[str, str]
) -> Iterator[_Action]:
    """
    Play a reply.

    Args:
        view: Of the same request.
        groups: What the named groups of the reply's expressions matched.

    Returns:
        Events and pauses; ends with `Completed` or with an error.  An error that
        comes before a stream is the only action if it is the first step.
    """
    # Unique in the thread without any memory: a turn's requests differ in the
    # length of their input, and turns differ in their id.
    name = f"{request.turn_id}_{len(request.input)}"
    performance = _Performance(reply, request, view, groups, name)
    return performance.actions()


@attrs.define(eq=False)
class _Performance:
    _reply: Reply
    _request: ModelRequest
    _view: RequestView
    _groups: Mapping[str, str]
    _name: str
    _written: int = attrs.field(default=0, init=False)
    _thought: int = attrs.field(default=0, init=False)

    def actions(self) -> Iterator[_Action]:
        first = self._reply.steps[0]
        if isinstance(first, Fail):
            error = self._failure(first)
            if error.before_stream:
                yield error
                return
        yield Created()
        for number, step in enumerate(self._reply.steps, start=1):
            for action in self._step(step, f"{self._name}_{number}"):
                yield action
                if isinstance(action, ModelError):
                    return
        yield Completed(f"resp_{self._name}", self._usage())

    def _step(self, step: Step, name: str) -> Iterator[_Action]:
        match step:
            case Say():
                return self._say(self._filled(step.text), f"msg_{name}")
            case Think():
                return self._think(step, f"rs_{name}")
            case Call():
                return self._call(step, name)
            case CustomCall():
                return self._custom_call(step, name)
            case Stall():
                return iter((Pause(step.seconds),))
            case Fail():
                return iter((self._failure(step),))
            case Cut():
                return iter((StreamDisconnected("stream closed before response.completed"),))
            case _:
                assert_never(step)

    def _say(self, text: str, item_id: str) -> Iterator[_Action]:
        yield ItemAdded(Message(id=item_id, role="assistant", content=()))
        yield from self._pieces(text, TextDelta)
        self._written += len(text)
        yield ItemDone(Message(id=item_id, role="assistant", content=(OutputText(text=text),)))

    def _think(self, step: Think, item_id: str) -> Iterator[_Action]:
        raw = None if step.raw is None else self._filled(step.raw)
        parts = tuple(self._filled(part) for part in step.summary)
        yield ItemAdded(ReasoningItem(id=item_id))
        if raw is not None:
            yield from self._pieces(raw, lambda piece: ReasoningContentDelta(piece, 0))
        for index, part in enumerate(parts):
            yield ReasoningSummaryPartAdded(index)
            yield from self._pieces(part, _summary_piece(index))
        self._thought += len(raw or "") + sum(map(len, parts))
        yield ItemDone(
            ReasoningItem(
                id=item_id,
                summary=tuple(SummaryText(text=part) for part in parts),
                content=None if raw is None else (ReasoningText(text=raw),),
                encrypted_content=step.encrypted,
            )
        )

    def _call(self, step: Call, name: str) -> Iterator[_Action]:
        filled = self._filled_json(step.arguments)
        arguments = filled if isinstance(filled, str) else orjson.dumps(filled).decode()
        self._written += len(arguments)
        call = FunctionCall(
            id=f"fc_{name}",
            name=step.tool,
            arguments=arguments,
            call_id=step.call_id or f"call_{name}",
        )
        return _whole(call, attrs.evolve(call, arguments=""))

    def _custom_call(self, step: CustomCall, name: str) -> Iterator[_Action]:
        text = self._filled(step.input)
        self._written += len(text)
        call = CustomToolCall(
            id=f"ctc_{name}",
            name=step.tool,
            input=text,
            call_id=step.call_id or f"call_{name}",
            status="completed",
        )
        return _whole(call, attrs.evolve(call, input="", status="in_progress"))

    def _failure(self, step: Fail) -> ModelError:
        return _error(attrs.evolve(step, message=self._filled(step.message)))

    def _pieces(
        self, text: str, event: Callable[[str], ResponseEvent]
    ) -> Iterator[ResponseEvent | Pause]:
        size, pace = self._reply.delta_chars, self._reply.pace
        for start in range(0, len(text), size):
            if pace:
                yield Pause(pace)
            yield event(text[start : start + size])

    def _filled(self, text: str) -> str:
        return _VARIABLE.sub(self._value, text) if "{" in text else text

    def _filled_json(self, value: Json) -> Json:
        match value:
            case str():
                return self._filled(value)
            case list():
                elements = cast("list[Json]", value)  # members of JSON lists are JSON
                return [self._filled_json(element) for element in elements]
            case dict():
                members = cast("dict[str, Json]", value)  # keys of JSON are strings
                return {key: self._filled_json(element) for key, element in members.items()}
            case _:
                return value

    def _value(self, match: re.Match[str]) -> str:
        name, view = match[1], self._view
        if name in self._groups:
            return self._groups[name]
        match name:
            case "user":
                return view.user
            case "output":
                return view.output or ""
            case "exit_code":
                return "unknown" if view.exit_code is None else str(view.exit_code)
            case "model":
                return view.model
            case "history":
                return self._history()
            case _:
                return match[0]

    def _history(self) -> str:
        earlier = user_texts(self._request.input)[:-1]
        return "\n".join(f"- {_one_line(text)}" for text in earlier) or "- nothing"

    def _usage(self) -> TokenUsage:
        if self._reply.usage is not None:
            return self._reply.usage
        asked = estimate_tokens(self._request)
        thought = -(-self._thought // _CHARACTERS_PER_TOKEN)
        written = -(-self._written // _CHARACTERS_PER_TOKEN) + thought
        return TokenUsage(
            input_tokens=asked,
            output_tokens=written,
            reasoning_output_tokens=thought,
            total_tokens=asked + written,
        )


def _whole(item: ResponseItem, empty: ResponseItem) -> Iterator[_Action]:
    return iter((ItemAdded(empty), ItemDone(item)))


def _summary_piece(index: int) -> Callable[[str], ResponseEvent]:
    return lambda piece: ReasoningSummaryDelta(piece, index)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _HISTORY_LINE else f"{line[:_HISTORY_LINE]}..."


def _error(step: Fail) -> ModelError:
    if isinstance(step.error, int):
        body = orjson.dumps({"error": {"message": step.message}}).decode() if step.message else ""
        headers = {} if step.delay is None else {"retry-after": str(step.delay)}
        return error_from_refusal(step.error, body, headers)
    return _ERRORS[step.error](step)


_ERRORS: Final[Mapping[str, Callable[[Fail], ModelError]]] = {
    "connection": lambda step: ConnectionFailed(step.message or "connection refused"),
    "context_window": lambda _: ContextWindowExceeded(),
    "internal": lambda step: InternalServerError(step.delay),
    "invalid_image": lambda _: InvalidImage(),
    "invalid_request": lambda step: InvalidRequest(step.message or "Invalid request."),
    "overloaded": lambda _: ServerOverloaded(),
    "quota": lambda _: QuotaExceeded(),
    "rate_limit": lambda step: RateLimited(None, step.delay),
    "stream": lambda step: StreamDisconnected(step.message or "the script says so", step.delay),
    "usage_limit": lambda step: UsageLimitReached(step.message or usage_limit_text()),
    "usage_not_included": lambda _: UsageNotIncluded(),
}
