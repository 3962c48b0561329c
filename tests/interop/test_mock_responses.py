"""The mock server does what other tests rely on; no Codex here."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx2
import pytest
import trio

from tests.interop.mock_responses import (
    EventStream,
    MockResponses,
    Outcome,
    Pause,
    RecordedRequest,
    Refusal,
    Reply,
    Silence,
    StreamEnd,
    Usage,
    answer,
    failed_answer,
    function_call,
    incomplete_answer,
    open_mock_responses,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)

_PATIENCE = 10.0


async def _post(mock: MockResponses, body: object = None) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        with trio.fail_after(_PATIENCE):
            return await client.post(f"{mock.base_url}/responses", json=body or {})


def _events(body: str) -> list[dict[str, Any]]:
    """Decode server-sent events and check that each is named as it is typed."""
    events: list[dict[str, Any]] = []
    for block in body.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


async def _open_request(mock: MockResponses, body: bytes = b"{}") -> trio.SocketStream:
    """Send a request by hand, for clients that misbehave."""
    port = int(mock.base_url.split(":")[2].removesuffix("/v1"))
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    head = f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    await stream.send_all(head.encode() + body)
    return stream


async def test_mock_sends_whole_answer_in_order_and_numbered() -> None:
    """Parts come between created and completed, which lists what was done and its cost."""
    script = [
        answer(
            reasoning("think", encrypted_content="secret"),
            text_message("Hel", "lo"),
            function_call("shell", {"command": ["ls"]}, call_id="call_7"),
            response_id="resp_7",
            usage=Usage(input_tokens=5, output_tokens=2, reasoning_output_tokens=1),
        )
    ]
    async with open_mock_responses(script) as mock:
        response = await _post(mock)

    events = _events(response.text)
    kinds = [event["type"].removeprefix("response.") for event in events]
    completed = events[-1]["response"]
    assert response.headers["content-type"] == "text/event-stream"
    assert kinds == [
        "created",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [item["type"] for item in completed["output"]] == [
        "reasoning",
        "message",
        "function_call",
    ]
    assert completed["id"] == "resp_7"
    assert completed["output"][0]["encrypted_content"] == "secret"
    assert completed["output"][1]["content"][0]["text"] == "Hello"
    assert json.loads(completed["output"][2]["arguments"]) == {"command": ["ls"]}
    assert completed["usage"]["total_tokens"] == 7


async def test_mock_records_requests_and_answers_in_script_order_on_one_connection() -> None:
    """Each request takes one reply; headers and body are kept as sent."""
    script = [answer(text_message("one")), answer(text_message("two"))]
    async with open_mock_responses(script) as mock, httpx2.AsyncClient() as client:
        url = f"{mock.base_url}/deep/er/responses?api-version=1"
        texts = [
            (await client.post(url, json={"n": n}, headers={"X-Mine": "yes"})).text
            for n in range(2)
        ]

    assert ["one" in texts[0], "two" in texts[1]] == [True, True]
    assert [request.json for request in mock.requests] == [{"n": 0}, {"n": 1}]
    assert mock.requests[0].path == "/v1/deep/er/responses"
    assert mock.requests[0].target.endswith("?api-version=1")
    assert mock.requests[0].header("x-MINE") == "yes"
    assert [request.outcome for request in mock.requests] == [Outcome.SENT, Outcome.SENT]


async def test_mock_gives_status_body_and_headers_of_a_refusal() -> None:
    """A refusal is no stream, and has the service's shape."""
    later = (("Retry-After", "1"),)
    script = [refusal(429, "slow down", code="rate_limit_exceeded", headers=later)]
    async with open_mock_responses(script) as mock:
        response = await _post(mock)

    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"] == {
        "message": "slow down",
        "type": None,
        "code": "rate_limit_exceeded",
    }


@pytest.mark.parametrize(
    ("reply", "last"),
    [
        (failed_answer("server_is_overloaded", "busy"), "response.failed"),
        (incomplete_answer("max_output_tokens"), "response.incomplete"),
        (unfinished_answer(text_message("half"), end=StreamEnd.CLOSE), "response.output_item.done"),
    ],
)
async def test_mock_ends_stream_as_scripted(reply: Reply, last: str) -> None:
    """What ends a stream is what the script says, also when nothing does."""
    async with open_mock_responses([reply]) as mock:
        response = await _post(mock)

    assert _events(response.text)[-1]["type"] == last


async def test_mock_cuts_stream_so_that_client_sees_a_broken_body() -> None:
    """A cut is no end: the client must not take it for one."""
    cut = unfinished_answer(text_message("half"), end=StreamEnd.CUT)
    async with open_mock_responses([cut]) as mock:
        with pytest.raises(httpx2.RemoteProtocolError):
            await _post(mock)


async def test_mock_sends_bytes_untouched_and_in_slices() -> None:
    """Rubbish reaches the client as it is, however small the pieces."""
    rubbish = (b": comment\r\n\r\n", b"data: {broken\n\n", "data: gr\u00fc\u00df\n\n".encode())
    async with open_mock_responses([EventStream(steps=rubbish, slice_bytes=1)]) as mock:
        response = await _post(mock)

    assert response.content == b"".join(rubbish)


async def test_mock_holds_stream_at_a_pause_until_it_is_lifted() -> None:
    """A test decides when the stream goes on."""
    lifted = trio.Event()
    script = [EventStream(steps=(b"data: 1\n\n", Pause(lifted), b"data: 2\n\n"))]
    async with open_mock_responses(script) as mock, httpx2.AsyncClient() as client:
        with trio.fail_after(_PATIENCE):
            async with client.stream("POST", f"{mock.base_url}/responses", json={}) as response:
                chunks = response.aiter_bytes()
                first = await anext(chunks)
                assert mock.requests[0].outcome is None
                lifted.set()
                rest = b"".join([chunk async for chunk in chunks])

    assert (first, rest) == (b"data: 1\n\n", b"data: 2\n\n")


@pytest.mark.parametrize(
    "reply",
    [
        Silence(),
        unfinished_answer(text_message("half"), end=StreamEnd.STALL),
        EventStream(steps=(Pause(trio.Event()),)),
        # More than any socket buffer, so that the server is stuck in sending.
        EventStream(steps=(b":" * 32_000_000,)),
    ],
    ids=["silence", "stall", "pause", "sending"],
)
async def test_mock_notices_client_that_leaves(reply: Reply) -> None:
    """Whatever the server was waiting for, a gone client ends it, and only that connection."""
    async with open_mock_responses([reply, answer(text_message("next"))]) as mock:
        with trio.fail_after(_PATIENCE):
            stream = await _open_request(mock)
            (request,) = await mock.wait_requests(1)
            await stream.aclose()
            outcome = await request.wait_ended()
            response = await _post(mock)

    assert outcome is Outcome.CLIENT_LEFT
    assert "next" in response.text


async def test_mock_stops_unfinished_answers_when_its_block_ends() -> None:
    """Nothing outlives the block, and the record says so."""
    async with open_mock_responses([Silence()]) as mock:
        stream = await _open_request(mock)
        with trio.fail_after(_PATIENCE):
            (request,) = await mock.wait_requests(1)

    with trio.fail_after(_PATIENCE):
        assert await stream.receive_some() == b""
    assert request.outcome is Outcome.STOPPED
    await stream.aclose()


async def test_mock_survives_rubbish_and_half_requests() -> None:
    """Clients that speak no HTTP, or stop in the middle, cost only their connection."""
    async with open_mock_responses([answer(text_message("fine"))]) as mock:
        port = int(mock.base_url.split(":")[2].removesuffix("/v1"))
        for rubbish in (b"\x16\x03\x01\x00\xff\r\n\r\n", b"POST /v1/responses HTTP/1.1\r\nHo", b""):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(rubbish)
            await stream.aclose()
        response = await _post(mock)

    assert "fine" in response.text
    assert len(mock.requests) == 1


async def test_mock_refuses_what_the_script_does_not_have() -> None:
    """A request beyond the script is recorded and gets an answer nobody retries."""
    async with open_mock_responses([]) as mock:
        response = await _post(mock)

    assert response.status_code == 400
    assert "request 0" in response.json()["error"]["message"]
    assert len(mock.requests) == 1


async def test_mock_keeps_other_requests_apart() -> None:
    """Asking for models is harmless and takes nothing from the script."""
    async with open_mock_responses([]) as mock, httpx2.AsyncClient() as client:
        models = await client.get(f"{mock.base_url}/models?client_version=1")
        missing = await client.get(f"{mock.base_url}/elsewhere")
        headless = await client.head(f"{mock.base_url}/elsewhere")

    assert (models.status_code, models.json()["data"]) == (200, [])
    assert (missing.status_code, headless.status_code) == (404, 404)
    assert mock.requests == []
    assert [request.path for request in mock.other_requests] == [
        "/v1/models",
        "/v1/elsewhere",
        "/v1/elsewhere",
    ]


async def test_mock_lets_a_function_decide_by_the_request() -> None:
    """A script may react instead of going down a list."""

    def decide(request: RecordedRequest) -> Reply:
        return answer(text_message(f"you said {request.json['input']}"))

    async with open_mock_responses(decide) as mock:
        response = await _post(mock, {"input": "moin"})

    assert "you said moin" in response.text


async def test_mock_crashes_its_block_when_the_function_does() -> None:
    """A wrong script is a wrong test, and must not look like a failing model."""

    def decide(_: RecordedRequest) -> Reply:
        raise LookupError("no idea")

    with pytest.RaisesGroup(LookupError):
        async with open_mock_responses(decide) as mock:
            await _post(mock)


async def test_mock_keeps_within_its_limits() -> None:
    """At the limit all is well; above it the client is refused and nothing is kept."""
    replies = itertools.repeat(answer(text_message("ok")))
    async with open_mock_responses(replies, request_limit=1, body_limit_bytes=100) as mock:
        too_long = await _post(mock, "x" * 99)  # and two quotation marks
        at_limit = await _post(mock, "x" * 98)
        one_more = await _post(mock)

    assert [too_long.status_code, at_limit.status_code, one_more.status_code] == [413, 200, 400]
    assert [len(request.body) for request in mock.requests] == [100]


async def test_mock_closes_connections_beyond_its_limit() -> None:
    """One connection too many is closed; once another leaves there is room again."""
    async with open_mock_responses([Silence(), Refusal(status=204)], connection_limit=1) as mock:
        with trio.fail_after(_PATIENCE):
            first = await _open_request(mock)
            (request,) = await mock.wait_requests(1)
            with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
                await _post(mock)
            await first.aclose()
            await request.wait_ended()
            response = await _post(mock)

    assert response.status_code == 204


async def test_mock_lets_errors_of_its_block_through_unwrapped() -> None:
    """A failed assertion in a test looks like one."""
    with pytest.raises(ZeroDivisionError):
        async with open_mock_responses([]):
            raise ZeroDivisionError
