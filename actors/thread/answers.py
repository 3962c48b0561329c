"""Questions that a turn puts to clients by event, and that they answer by op."""

import attrs

from actors.runtime import Reply

__all__ = ["OpenQuestions"]


@attrs.define(eq=False)
class OpenQuestions:
    """
    Questions put to clients by event, by the id that the answering op names.

    A question is noted, put, and waited for by one task.  There are at most as
    many as there are tool calls running.
    """

    _open: dict[str, tuple[object, Reply[object]]] = attrs.field(
        factory=dict[str, tuple[object, Reply[object]]], init=False
    )

    def open(self, key: str, question: object) -> Reply[object]:
        """Note a question, before it is put; an open one with the same key is forgotten."""
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

    def answer(self, key: str, value: object) -> bool:
        """Answer the question with this key; False when none is open."""
        if key not in self._open:
            return False
        self._open.pop(key)[1].answer(value)
        return True

    def questions(self) -> tuple[object, ...]:
        """List what is still unanswered, oldest first."""
        return tuple(question for question, _ in self._open.values())
