"""What clients are asked."""

import json
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.server.rpc_errors import ConnectionGone, RequestWithdrawn
from actors.server.rpc_questions import Answer, Question, Questions
from messages.rpc.envelope import ErrorResponse, Response, RpcError


@attrs.define(eq=False)
class Client:
    name: str
    asked: list[Any] = attrs.field(factory=list)
    gone: bool = False

    async def put(self, message: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.gone:
            raise ConnectionGone(self.name)
        self.asked.append(json.loads(message))


def response(number: int | str, result: object = "ok") -> Response:
    return Response(id=number, result=result)


async def open_to(questions: Questions, *clients: Client, scope: object = None) -> Question:
    question = questions.open("item/ask", {"a": 1}, scope=scope)
    for client in clients:
        await question.send_to(client)
    return question


async def test_ids_count_from_zero_over_all_connections() -> None:
    """And are the same for all who are asked the same."""
    questions, one, two = Questions(), Client("1"), Client("2")

    await open_to(questions, one, two)
    await open_to(questions, two)

    first = {"method": "item/ask", "id": 0, "params": {"a": 1}}
    assert one.asked == [first]
    assert two.asked == [first, first | {"id": 1}]


@pytest.mark.parametrize(
    "answer", [response(0), ErrorResponse(id=0, error=RpcError(code=-1, message="no"))]
)
async def test_first_answer_wins_and_later_ones_are_ignored(answer: Answer) -> None:
    """An error is an answer, too."""
    questions, one, two = Questions(), Client("1"), Client("2")
    question = await open_to(questions, one, two)

    questions.answer(two, answer)
    questions.answer(one, response(0, "late"))

    assert await question.wait_answer() == answer
    assert len(questions) == 0


@pytest.mark.parametrize("number", ["0", 1, -1])
async def test_answer_with_another_id_is_ignored(number: int | str) -> None:
    """An id keeps its type: text is no number."""
    questions, one = Questions(), Client("1")
    question = await open_to(questions, one)

    questions.answer(one, response(number))

    assert question.is_pending


async def test_answer_of_one_who_was_not_asked_is_ignored() -> None:
    """Ids are easily guessed."""
    questions, one, other = Questions(), Client("1"), Client("2")
    question = await open_to(questions, one)

    questions.answer(other, response(0))

    assert question.is_pending
    assert question.asked == (one,)


async def test_disconnect_withdraws_the_share_of_that_connection_only() -> None:
    """The others, and whoever comes later, can still answer."""
    questions, one, two, late = Questions(), Client("1"), Client("2"), Client("3")
    question = await open_to(questions, one, two, scope="thread")

    questions.lose(one)
    questions.lose(two)

    questions.answer(one, response(0))
    assert question.is_pending
    assert question.asked == ()
    [again] = questions.pending("thread")
    await again.send_to(late)
    questions.answer(late, response(0, "late"))
    assert await question.wait_answer() == response(0, "late")
    assert late.asked == [{"method": "item/ask", "id": 0, "params": {"a": 1}}]


async def test_pending_questions_of_a_scope_are_the_oldest_first() -> None:
    """Those of other scopes and those that are over are not among them."""
    questions, one = Questions(), Client("1")
    first = await open_to(questions, one, scope="a")
    await open_to(questions, one, scope="b")
    answered = await open_to(questions, one, scope="a")
    last = await open_to(questions, one, scope="a")
    questions.answer(one, response(answered.id))

    assert questions.pending("a") == (first, last)


async def test_nobody_is_asked_twice_or_too_late() -> None:
    """Sending again does nothing."""
    questions, one, two = Questions(), Client("1"), Client("2")
    question = await open_to(questions, one, one)
    questions.answer(one, response(0))

    await question.send_to(two)

    assert len(one.asked) == 1
    assert two.asked == []


async def test_connection_that_is_gone_was_not_asked() -> None:
    """The others are."""
    questions, gone, one = Questions(), Client("1", gone=True), Client("2")
    question = questions.open("item/ask", None)

    with pytest.raises(ConnectionGone):
        await question.send_to(gone)
    await question.send_to(one)

    assert question.asked == (one,)


async def test_withdrawn_question_tells_who_waits_for_it() -> None:
    """An answer that comes later is ignored."""
    questions, one = Questions(), Client("1")
    question = await open_to(questions, one)
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(RequestWithdrawn, match="item/ask"):
                await question.wait_answer()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        question.withdraw()
    questions.answer(one, response(0))
    question.withdraw()

    assert len(questions) == 0


async def test_personal_question_ends_with_its_connection() -> None:
    """Nobody else may answer it."""
    questions, one = Questions(), Client("1")
    question = questions.open("item/ask", None, personal=True)
    await question.send_to(one)

    questions.lose(one)

    with pytest.raises(ConnectionGone):
        await question.wait_answer()
