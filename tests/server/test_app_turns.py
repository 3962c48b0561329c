"""Turns over the app-server: approvals, steering, interrupts, reviews, tools of clients."""

from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

from .app_stage import Client, Stage, open_app, say

_COMMAND = "item/commandExecution/requestApproval"
_ASKING = {"approvalPolicy": "untrusted", "sandbox": "danger-full-access"}


async def _ask_to_run(stage: Stage, client: Client, thread_id: str, command: str) -> str:
    """Let the model call the shell; return the turn."""
    turn_id = await client.start_turn(thread_id)
    response = await stage.model.next_request()
    response.call("shell", {"command": ["sh", "-c", command]}, call_id="c1").complete()
    return turn_id


async def _finish(stage: Stage, client: Client, turn_id: str) -> tuple[Any, str]:
    """Let the model say its last word; return the turn and what the model was told."""
    response = await stage.model.next_request()
    response.say("done").complete()
    return await client.completed(turn_id), str(response.request.input[-1])


@pytest.mark.parametrize(
    ("result", "status", "told"),
    [
        ({"decision": "accept"}, "completed", "ran"),
        ({"decision": "acceptForSession"}, "completed", "ran"),
        ({"decision": "decline"}, "declined", "rejected by user"),
        ({"nonsense": 1}, "declined", "rejected by user"),
    ],
)
async def test_a_command_runs_when_the_client_agrees(
    tmp_path: Path, result: object, status: str, told: str
) -> None:
    """The item starts before the question and ends once; the turn goes on either way."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(**_ASKING)
        since = client.position
        turn_id = await _ask_to_run(stage, client, thread_id, "touch x; echo ran")
        request = await client.asked(_COMMAND)
        client.answer(request, result)
        resolved = await client.notified("serverRequest/resolved")
        turn, output = await _finish(stage, client, turn_id)
        methods = client.methods(since)
        ended = [
            m["params"]["item"]
            for m in client.stream.told
            if m.get("method") == "item/completed"
            and m["params"]["item"]["type"] == "commandExecution"
        ]

    params = request["params"]
    assert (params["threadId"], params["turnId"], params["itemId"]) == (thread_id, turn_id, "c1")
    assert resolved == {"threadId": thread_id, "requestId": request["id"]}
    assert [item["status"] for item in ended] == [status]
    assert turn["status"] == "completed"
    assert told in output
    asked = methods.index(_COMMAND)
    assert "item/started" in methods[:asked]
    assert "serverRequest/resolved" in methods[asked:]


async def test_a_cancelled_command_ends_its_turn(tmp_path: Path) -> None:
    """As an interrupt does."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(**_ASKING)
        turn_id = await _ask_to_run(stage, client, thread_id, "touch x")
        client.answer(await client.asked(_COMMAND), {"decision": "cancel"})
        turn = await client.completed(turn_id)

    assert turn["status"] == "interrupted"
    assert not (tmp_path / "work" / "x").exists()


async def test_the_first_of_several_answers_counts(tmp_path: Path) -> None:
    """Both clients are asked the same; the later answer is for nobody."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread(**_ASKING)
        turn_id = await _ask_to_run(stage, client, thread_id, "touch x; echo ran")
        request = await client.asked(_COMMAND)
        await other.ask("thread/resume", threadId=thread_id)
        again = await other.asked(_COMMAND)
        other.answer(again, {"decision": "accept"})
        await client.notified("serverRequest/resolved")
        client.answer(request, {"decision": "decline"})
        turn, output = await _finish(stage, client, turn_id)

    assert again == request
    assert "ran" in output
    assert turn["status"] == "completed"


async def test_a_question_waits_for_a_client_that_comes_back(tmp_path: Path) -> None:
    """It is asked again, with the same id, when the thread is resumed."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(**_ASKING)
        turn_id = await _ask_to_run(stage, client, thread_id, "touch x; echo ran")
        request = await client.asked(_COMMAND)
        client.stream.hang_up()
        await until(lambda: not len(stage.app.connections))
        other = await stage.connect()
        since = other.position
        joined = await other.ask("thread/resume", threadId=thread_id)
        again = await other.asked(_COMMAND)
        told = other.methods(since)
        other.answer(again, {"decision": "accept"})
        _, output = await _finish(stage, other, turn_id)

    assert again == request
    assert joined["thread"]["status"]["activeFlags"] == ["waitingOnApproval"]
    assert told[0].startswith("answer")
    assert "ran" in output


async def test_what_nobody_is_there_to_approve_is_denied(tmp_path: Path) -> None:
    """The turn goes on."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(**_ASKING)
        await client.ask("thread/unsubscribe", threadId=thread_id)
        await _ask_to_run(stage, client, thread_id, "touch x")
        response = await stage.model.next_request()
        response.say("done").complete()

    assert "rejected by user" in str(response.request.input[-1])
    assert not (tmp_path / "work" / "x").exists()


async def test_input_for_a_running_turn_joins_it(tmp_path: Path) -> None:
    """With turn/start as with turn/steer, and the answer names the turn that runs."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        idle = await client.refused(
            "turn/steer", threadId=thread_id, input=say("x"), expectedTurnId="t"
        )
        turn_id = await client.start_turn(thread_id, "first")
        response = await stage.model.next_request()
        second = await client.start_turn(thread_id, "second")
        steered = await client.ask(
            "turn/steer", threadId=thread_id, input=say("third"), expectedTurnId=turn_id
        )
        wrong = await client.refused(
            "turn/steer", threadId=thread_id, input=say("x"), expectedTurnId="other"
        )
        empty = await client.refused(
            "turn/steer", threadId=thread_id, input=[], expectedTurnId=turn_id
        )
        unnamed = await client.refused(
            "turn/steer", threadId=thread_id, input=say("x"), expectedTurnId=""
        )
        response.say("one").complete()
        last = await stage.model.next_request()
        last.say("two").complete()
        await client.completed(turn_id)
        read = await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        started = client.methods().count("turn/started")

    assert second == steered["turnId"] == turn_id
    assert idle == (-32600, "no active turn to steer")
    assert wrong == (-32600, f"expected active turn id `other` but found `{turn_id}`")
    assert empty == (-32600, "input must not be empty")
    assert unnamed == (-32600, "expectedTurnId must not be empty")
    assert started == 1
    assert "third" in str(last.request.input)
    [turn] = read["thread"]["turns"]
    assert [i["type"] for i in turn["items"]].count("userMessage") == 3


async def test_two_inputs_at_once_make_one_turn(tmp_path: Path) -> None:
    """Whichever client is the second, it joins the turn of the first."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        await other.ask("thread/resume", threadId=thread_id)
        asked = [
            who.send("turn/start", threadId=thread_id, input=say("x")) for who in (client, other)
        ]
        answers = [
            await who.answer_to(number) for who, number in zip((client, other), asked, strict=True)
        ]
        response = await stage.model.next_request()
        response.say("x").complete()
        turn_ids = {answer["turn"]["id"] for answer in answers}
        await client.completed(answers[0]["turn"]["id"])

    assert len(turn_ids) == 1
    assert str(response.request.input).count("text='x'") == 2


async def test_an_interrupt_is_answered_before_the_turn_is_over_for_clients(
    tmp_path: Path,
) -> None:
    """And at once, with an error, when it is not the turn that runs."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        idle = await client.refused("turn/interrupt", threadId=thread_id, turnId="t")
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        wrong = await client.refused("turn/interrupt", threadId=thread_id, turnId="t")
        since = client.position
        number = client.send("turn/interrupt", threadId=thread_id, turnId=turn_id)
        assert await client.answer_to(number) == {}
        turn = await client.completed(turn_id)
        told = client.methods(since)

    assert response.ended.is_set()
    assert idle == (-32600, "no active turn to interrupt")
    assert wrong == (-32600, f"expected active turn id t but found {turn_id}")
    assert turn["status"] == "interrupted"
    assert told == [f"answer {number}", "thread/status/changed", "turn/completed"]


async def test_a_tool_of_the_client_is_run_by_the_client(tmp_path: Path) -> None:
    """Its answer goes to the model."""
    tool = {"name": "find_pet", "description": "d", "inputSchema": {"type": "object"}}
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        bad = await client.refused("thread/start", dynamicTools=[tool | {"name": " x"}])
        thread_id = await client.start_thread(dynamicTools=[tool])
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        response.call("find_pet", {"name": "Rex"}, call_id="c1").complete()
        request = await client.asked("item/tool/call")
        content = [{"type": "inputText", "text": "in the garden"}]
        client.answer(request, {"contentItems": content, "success": True})
        turn, output = await _finish(stage, client, turn_id)

    assert bad[0] == -32600
    assert "models do not accept" in bad[1]
    assert request["params"]["arguments"] == {"name": "Rex"}
    assert "in the garden" in output
    assert turn["status"] == "completed"


async def test_a_question_to_the_user_is_answered_in_plan_mode(tmp_path: Path) -> None:
    """With the mode that comes with the turn."""
    mode = {"mode": "plan", "settings": {"model": "scripted"}}
    question = {"id": "q", "header": "h", "question": "which?", "options": []}
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await client.start_turn(thread_id, collaborationMode=mode)
        response = await stage.model.next_request()
        texts = str(response.request.input)
        option = {"label": "a", "description": "b"}
        asked = question | {"options": [option, option | {"label": "c"}]}
        response.call("request_user_input", {"questions": [asked]}, call_id="c1").complete()
        request = await client.asked("item/tool/requestUserInput")
        client.answer(request, {"answers": {"q": {"answers": ["blue"]}}})
        _, output = await _finish(stage, client, turn_id)

    assert "Plan mode" in texts
    assert request["params"]["questions"][0]["isOther"] is True
    assert "blue" in output


async def test_a_compaction_is_a_turn_that_starts_behind_its_answer(tmp_path: Path) -> None:
    """It tells one item."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        since = client.position
        number = client.send("thread/compact/start", threadId=thread_id)
        assert await client.answer_to(number) == {}
        (await stage.model.next_request()).say("a summary").complete(10)
        await client.notified("turn/completed", since=since)
        told = client.methods(since)
        items = [
            m["params"]["item"]["type"]
            for m in client.stream.told[since:]
            if m.get("method") == "item/completed"
        ]

    assert told[0] == f"answer {number}"
    assert "turn/started" in told
    assert items == ["contextCompaction"]


async def test_a_review_is_a_turn_of_the_reviewed_thread(tmp_path: Path) -> None:
    """Its answer and its turn have the hint; what it found is told at its end."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        since = client.position
        answer = await client.ask(
            "review/start", threadId=thread_id, target={"type": "custom", "instructions": " look "}
        )
        (await stage.model.next_request()).say("all is well").complete(10)
        turn = await client.completed(answer["turn"]["id"], since=since)
        items = [
            m["params"]["item"]
            for m in client.stream.told[since:]
            if m.get("method") == "item/completed"
        ]
        empty = await client.refused(
            "review/start", threadId=thread_id, target={"type": "commit", "sha": " "}
        )
        loaded = await client.ask("thread/loaded/list")

    assert answer["reviewThreadId"] == thread_id
    assert answer["turn"]["items"][0]["content"] == [
        {"type": "text", "text": "look", "text_elements": []}
    ]
    assert turn["status"] == "completed"
    kinds = [item["type"] for item in items]
    assert kinds[0] == "enteredReviewMode"
    assert "exitedReviewMode" in kinds
    assert empty == (-32600, "sha must not be empty")
    assert loaded["data"] == [thread_id]


async def test_an_input_that_makes_no_turn_is_refused(tmp_path: Path) -> None:
    """Empty ones, and a schema for a turn that runs already."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        empty = await client.refused("turn/start", threadId=thread_id, input=[])
        turn_id = await client.start_turn(thread_id)
        late = await client.refused(
            "turn/start", threadId=thread_id, input=say("x"), outputSchema={"type": "object"}
        )
        (await stage.model.next_request()).say("x").complete()
        await client.completed(turn_id)

    assert empty == (-32600, "input must not be empty")
    assert late[0] == -32600


async def test_notifications_that_a_client_does_not_want_do_not_come(tmp_path: Path) -> None:
    """Answers and questions come all the same."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect(opted_out=("item/agentMessage/delta", "thread/started"))
        answer = await client.ask("thread/start")
        await stage.simple_turn(client, answer["thread"]["id"])
        told = client.methods()

    assert "item/completed" in told
    assert not {"item/agentMessage/delta", "thread/started"} & set(told)


async def test_history_items_are_told_to_who_wants_them(tmp_path: Path) -> None:
    """Each as it enters the history."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(experimentalRawEvents=True)
        await stage.simple_turn(client, thread_id)
        told = client.methods()

    assert "rawResponseItem/completed" in told


async def test_the_name_of_a_message_comes_back_with_it(tmp_path: Path) -> None:
    """So that a client knows its own words."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await client.start_turn(thread_id, clientUserMessageId="mine")
        (await stage.model.next_request()).say("x").complete()
        await client.completed(turn_id)
        items = [
            m["params"]["item"] for m in client.stream.told if m.get("method") == "item/completed"
        ]

    assert items[0]["clientId"] == "mine"


async def test_clients_of_a_thread_follow_its_agents_too(tmp_path: Path) -> None:
    """What an agent says comes with its own thread id."""
    async with open_app(tmp_path, config="[features]\ncollab = true\n") as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        response.call("spawn_agent", {"message": "help"}, call_id="c1").complete()
        requests = [await stage.model.next_request() for _ in range(2)]
        for request in requests:
            request.say("done").complete()
        await client.completed(turn_id)
        loaded = (await client.ask("thread/loaded/list"))["data"]
        [agent_id] = [found for found in loaded if found != thread_id]
        said = await client.notified("turn/completed", threadId=agent_id)
        read = await client.ask("thread/read", threadId=agent_id)
        others = other.methods()

    assert said["turn"]["status"] == "completed"
    assert read["thread"]["sessionId"] == read["thread"]["parentThreadId"] == thread_id
    assert read["thread"]["source"]["subAgent"]["thread_spawn"]["parent_thread_id"] == thread_id
    assert "turn/completed" not in others
