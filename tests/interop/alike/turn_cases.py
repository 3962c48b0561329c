"""Scripts about turns: text, settings, interrupts, steering, failures of the model."""

from __future__ import annotations

from typing import Final

import trio

from tests.interop.alike.client import Client
from tests.interop.alike.playing import Group, Script
from tests.interop.mock_responses import (
    EventStream,
    Pause,
    Reply,
    Silence,
    StreamEnd,
    Usage,
    answer,
    failed_answer,
    function_call,
    incomplete_answer,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)

__all__ = ["TURNS"]

TURNS: Final = Group("turns")

_SCHEMA: Final = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


def paused(text: str) -> tuple[Reply, trio.Event]:
    """A message that comes in two halves, the second one when the event is set."""
    whole, gate = answer(text_message(text, " and on")), trio.Event()
    steps = list(whole.steps)
    steps.insert(4, Pause(gate))
    return EventStream(steps=tuple(steps)), gate


@TURNS.case()
async def start_and_turn(client: Client) -> None:
    """Reasoning in two parts, and a message in pieces."""
    usage = Usage(
        input_tokens=50, cached_input_tokens=20, output_tokens=9, reasoning_output_tokens=4
    )
    client.model_says(answer(reasoning("first", "second"), text_message("Hel", "lo"), usage=usage))
    await client.turn(await client.start(), "good morning")


@TURNS.case()
async def several_turns(client: Client) -> None:
    """Each turn sees those before it, and settings of one hold for the next."""
    client.model_says(
        answer(text_message("one", item_id="msg_1")),
        answer(text_message('{"a": 2}', item_id="msg_2")),
        answer(text_message("three", item_id="msg_3")),
        answer(text_message("four", item_id="msg_4")),
    )
    thread_id = await client.start()
    await client.turn(thread_id, "first")
    await client.turn(thread_id, "second", outputSchema=_SCHEMA, effort="high", summary="concise")
    await client.turn(thread_id, "third")
    await client.turn(thread_id, "fourth", model="gpt-5.1-codex-mini", approvalPolicy="on-request")
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@TURNS.case()
async def start_options(client: Client) -> None:
    """What a thread is started with is what its answer says."""
    await client.start(approvalPolicy="untrusted", sandbox="read-only", ephemeral=True)
    await client.start(
        approvalPolicy="on-failure",
        sandbox="workspace-write",
        model="gpt-5.1-codex-mini",
        baseInstructions="Be a poet.",
        developerInstructions="Rhyme.",
        personality="friendly",
        config={"model_reasoning_effort": "low"},
    )
    await client.try_("thread/start", approvalPolicy="always")
    await client.try_("thread/start", sandbox="nowhere")


@TURNS.case()
async def input_kinds(client: Client) -> None:
    """Text with elements, pictures by address and by data, mentions."""
    client.model_says(answer(text_message("seen")))
    thread_id = await client.start()
    pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    elements = [{"byteRange": {"start": 0, "end": 4}, "placeholder": "look"}]
    said = await client.ask(
        "turn/start",
        threadId=thread_id,
        input=[
            {"type": "text", "text": "look here", "text_elements": elements},
            {"type": "image", "url": pixel},
            {"type": "text", "text": "and here"},
        ],
    )
    await client.turn_end(thread_id, said["turn"]["id"])
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@TURNS.case()
async def plan_is_told(client: Client) -> None:
    """The model's list of what to do is a notification, not an item."""
    steps = [{"step": "look", "status": "completed"}, {"step": "tell", "status": "in_progress"}]
    client.model_says(
        answer(function_call("update_plan", {"explanation": "so", "plan": steps}, call_id="c1")),
        answer(text_message("done")),
    )
    await client.turn(await client.start())


# Interrupts ---------------------------------------------------------------


@TURNS.case()
async def interrupt_while_the_model_speaks(client: Client) -> None:
    """The answer comes first, then the end of the turn; the next turn is as any other."""
    client.model_says(
        unfinished_answer(text_message("I wait."), end=StreamEnd.STALL),
        answer(text_message("on")),
    )
    thread_id = await client.start()
    turn_id = await client.begin(thread_id)
    await client.hears("item/completed", lambda said: said["item"]["type"] == "agentMessage")
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)
    await client.turn(thread_id, "again")
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@TURNS.case()
async def interrupt_before_the_model_answers(client: Client) -> None:
    """Also while the model is silent."""
    client.model_says(Silence())
    thread_id = await client.start()
    turn_id = await client.begin(thread_id)
    await client.hears("item/completed")
    await client.model_is_asked(1)
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)


@TURNS.case()
async def interrupt_a_command(client: Client) -> None:
    """The running item has no end; the model hears of it at the next turn."""
    client.model_says(
        answer(function_call("exec_command", {"cmd": "sleep 60"}, call_id="c1")),
        answer(text_message("on")),
    )
    thread_id = await client.start(persistExtendedHistory=True)
    turn_id = await client.begin(thread_id)
    await client.hears("item/started", lambda said: said["item"]["type"] == "commandExecution")
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)
    await client.turn(thread_id, "again")
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@TURNS.case()
async def interrupt_a_question(client: Client) -> None:
    """A question that waits is given up, and an answer that comes late is for nobody."""
    asked, late = trio.Event(), trio.Event()

    async def wait(request: object) -> dict[str, object]:
        asked.set()
        await late.wait()
        return {"decision": "accept"}

    client.answer = wait
    client.model_says(
        answer(function_call("exec_command", {"cmd": "touch x"}, call_id="c1")),
        answer(text_message("on")),
    )
    thread_id = await client.start(approvalPolicy="untrusted")
    turn_id = await client.begin(thread_id)
    await asked.wait()
    await client.ask("turn/interrupt", threadId=thread_id, turnId=turn_id)
    await client.turn_end(thread_id, turn_id)
    late.set()
    await client.settle()
    await client.turn(thread_id, "again")


@TURNS.case()
async def interrupt_nothing(client: Client) -> None:
    """There is no turn: Codex 0.104 says nothing at all."""
    thread_id = await client.start()
    params = {"threadId": thread_id, "turnId": "none"}
    await client.post({"id": "idle", "method": "turn/interrupt", "params": params})
    await client.settle()


# More input while a turn runs ---------------------------------------------


@TURNS.case()
async def steer(client: Client) -> None:
    """More input for the running turn, and what is refused."""
    first, gate = paused("I think")
    client.model_says(first, answer(text_message("that too", item_id="msg_2")))
    thread_id = await client.start()
    text = client.text("and that")
    await client.try_("turn/steer", threadId=thread_id, input=text, expectedTurnId="x")
    turn_id = await client.begin(thread_id)
    await client.hears("item/agentMessage/delta")
    await client.try_("turn/steer", threadId=thread_id, input=text, expectedTurnId="x")
    await client.try_("turn/steer", threadId=thread_id, input=text, expectedTurnId="")
    await client.try_("turn/steer", threadId=thread_id, input=[], expectedTurnId=turn_id)
    await client.ask("turn/steer", threadId=thread_id, input=text, expectedTurnId=turn_id)
    gate.set()
    await client.turn_end(thread_id, turn_id)
    await client.ask("thread/read", threadId=thread_id, includeTurns=True)


@TURNS.case()
async def turn_start_during_a_turn(client: Client) -> None:
    """Joins the running turn; Codex 0.104 makes up a turn that never ends."""
    first, gate = paused("I think")
    client.model_says(first, answer(text_message("that too", item_id="msg_2")))
    thread_id = await client.start()
    turn_id = await client.begin(thread_id)
    await client.hears("item/agentMessage/delta")
    await client.ask("turn/start", threadId=thread_id, input=client.text("and that"))
    await client.settle()
    gate.set()
    await client.turn_end(thread_id, turn_id)


@TURNS.case()
async def turn_without_input(client: Client) -> None:
    """Is refused; Codex 0.104 begins a turn that never ends."""
    thread_id = await client.start()
    await client.try_("turn/start", threadId=thread_id, input=[])
    await client.settle()


# Failures of the model ----------------------------------------------------


def _failing(*replies: Reply) -> Script:
    async def fail(client: Client) -> None:
        client.model_says(*replies, answer(text_message("on", item_id="msg_9")))
        thread_id = await client.start()
        turn = await client.turn(thread_id)
        if turn.status == "failed":
            await client.turn(thread_id, "again")
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)

    return fail


_FAILURES: Final[dict[str, Reply]] = {
    "bad_request": refusal(400, "no such thing", code="bad", kind="invalid"),
    "unauthorized": refusal(401, "who are you?"),
    "forbidden": refusal(403, "not you"),
    "not_found": refusal(404, "nowhere"),
    "usage_limit": refusal(429, "no", kind="usage_limit_reached"),
    "not_included": refusal(429, "no", kind="usage_not_included"),
    "rate_limit": refusal(429, "slowly", code="rate_limit_exceeded"),
    "server_error": refusal(500, "oh"),
    "overloaded": refusal(503, "busy", code="server_is_overloaded"),
    "unavailable": refusal(503, "away"),
    "context_window": failed_answer("context_length_exceeded", "too long"),
    "quota": failed_answer("insufficient_quota", "no money"),
    "invalid_prompt": failed_answer("invalid_prompt", "not so"),
    "incomplete": incomplete_answer("max_output_tokens", text_message("half")),
    "cut_stream": unfinished_answer(text_message("half"), end=StreamEnd.CUT),
}
for _name, _reply in _FAILURES.items():
    TURNS.add(f"model_{_name}", _failing(_reply))


@TURNS.case(own_server=True)
async def model_is_asked_again(client: Client) -> None:
    """A broken stream is asked for once more; when all tries are used up the turn fails."""
    cut = unfinished_answer(text_message("half"), end=StreamEnd.CUT)
    whole = answer(text_message("whole", item_id="msg_2"))
    client.model_says(cut, whole, *(unfinished_answer(end=StreamEnd.CUT) for _ in range(2)))
    async with client.running(stream_retries=1):
        thread_id = await client.start()
        await client.turn(thread_id)
        await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        await client.turn(await client.start())
