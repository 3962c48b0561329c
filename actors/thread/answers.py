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

    def __contains__(self, key: object) -> bool:
        return key in self._open

    def open(self, key: str, question: object) -> Reply[object]:
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

    def answer(self, key: str, value: object) -> None:
        """Answer the question with this key, which `is_open`."""
        self._open.pop(key)[1].answer(value)

    def questions(self) -> tuple[object, ...]:
        """List what is still unanswered, oldest first."""
        return tuple(question for question, _ in self._open.values())
