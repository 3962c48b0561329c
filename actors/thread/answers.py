"""Questions that a turn puts to clients by event, and that they answer by op."""

from typing import TypeAlias

import attrs

from actors.runtime import Reply
from messages.events import (
    ApplyPatchApprovalRequest,
    DynamicToolCallRequest,
    ElicitationRequest,
    ExecApprovalRequest,
    RequestUserInput,
)

__all__ = ["OpenQuestions", "Question", "elicitation_key"]

Question: TypeAlias = (
    ExecApprovalRequest
    | ApplyPatchApprovalRequest
    | DynamicToolCallRequest
    | ElicitationRequest
    | RequestUserInput
)
"""What clients may be asked, by event."""


def elicitation_key(server: str, request_id: str | int) -> str:
    """Name what an MCP server asks; no call id looks like it."""
    return f"elicitation {server} {request_id!r}"


@attrs.define(eq=False)
class OpenQuestions:
    """
    Questions put to clients by event, by the id that the answering op names.

    A question is noted, put, and waited for by one task, and withdrawn when that task
    is cancelled.  There are at most as many as there are tool calls running.
    """

    _open: dict[str, tuple[Question, Reply[object]]] = attrs.field(
        factory=dict[str, tuple[Question, Reply[object]]], init=False
    )

    def __contains__(self, key: object) -> bool:
        return key in self._open

    def open(self, key: str, question: Question) -> Reply[object]:
        """Note a question under a key that no open one has, before it is put."""
        assert key not in self._open, "its answer could be meant for the other question"
        reply = Reply[object]()
        self._open[key] = (question, reply)
        return reply

    async def wait(self, key: str, reply: Reply[object]) -> object:
        """
        Wait for the answer to the question that `open` noted.

        Cancellation:
            The question is withdrawn.
        """
        try:
            return await reply.wait()
        finally:
            if self._open.get(key, (None, None))[1] is reply:
                del self._open[key]

    def is_open(self, key: str, *kinds: type) -> bool:
        """Whether a question of one of these classes waits under this key."""
        question, _ = self._open.get(key, (None, None))
        return isinstance(question, kinds)

    def of_turn(self, turn_id: str) -> str | None:
        """
        Find the oldest question to the user that this turn asks; its key, or None.

        For clients that name the turn where they should name the call.
        """
        for key, (question, _) in self._open.items():
            if isinstance(question, RequestUserInput) and question.turn_id == turn_id:
                return key
        return None

    def answer(self, key: str, value: object) -> None:
        """Answer the question with this key, which `is_open`."""
        self._open.pop(key)[1].answer(value)

    def questions(self) -> tuple[Question, ...]:
        """List what is still unanswered, oldest first."""
        return tuple(question for question, _ in self._open.values())
