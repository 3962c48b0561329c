"""Threads over the app-server: start, resume, fork, read, list, archive, name, roll back."""

from pathlib import Path

import pytest

from tests.waiting import until

from .app_stage import open_app, say


async def test_a_thread_starts_and_runs_a_turn_in_the_order_of_the_protocol(
    tmp_path: Path,
) -> None:
    """Answers come before what they cause, and a turn's start before all of it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        since = client.position
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        told = client.methods(since)
        started = client.stream.told[since]["result"]

    assert started["thread"]["id"] == thread_id
    assert started["thread"]["source"] == "vscode"
    assert started["thread"]["turns"] == []
    assert started["cwd"] == str(tmp_path / "work")
    assert started["sandbox"]["type"] == "readOnly"
    assert told == [
        "answer 2",
        "thread/started",
        "answer 3",
        "thread/status/changed",
        "turn/started",
        "item/started",
        "item/completed",
        "item/started",
        "item/agentMessage/delta",
        "item/completed",
        "thread/tokenUsage/updated",
        "thread/status/changed",
        "turn/completed",
    ]


async def test_turns_follow_each_other_with_settings_that_stay(tmp_path: Path) -> None:
    """What is overridden with one turn holds for the next."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        first = await client.start_turn(thread_id, "one", model="gpt-5.2", effort="high")
        (await stage.model.next_request()).say("ONE").complete()
        await client.completed(first)
        second = await client.start_turn(thread_id, "two")
        request = await stage.model.next_request()
        request.say("TWO").complete()
        turn = await client.completed(second)

    assert request.request.model == "gpt-5.2"
    assert turn["status"] == "completed"
    assert first != second


async def test_a_client_that_does_not_follow_a_thread_hears_only_what_is_for_all(
    tmp_path: Path,
) -> None:
    """Threads and their status are for everybody, items are not."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        await other.notified("thread/status/changed", status={"type": "idle"})
        told = set(other.methods(1))

    assert told == {"thread/started", "thread/status/changed"}


async def test_a_stored_thread_is_read_and_resumed_with_its_turns(tmp_path: Path) -> None:
    """Another server reads what the first one wrote."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await stage.simple_turn(client, thread_id)
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        read = await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        resumed = await client.ask("thread/resume", threadId=thread_id)
        usage = await client.notified("thread/tokenUsage/updated")
        loaded = await client.ask("thread/loaded/list")
        await stage.simple_turn(client, thread_id, "again")
        again = await client.ask("thread/read", threadId=thread_id, includeTurns=True)

    [turn] = read["thread"]["turns"]
    assert read["thread"]["preview"] == "hello"
    assert read["thread"]["status"] == {"type": "notLoaded"}
    assert (turn["id"], turn["status"]) == (turn_id, "completed")
    assert [item["type"] for item in turn["items"]] == ["userMessage", "agentMessage"]
    assert [t["id"] for t in resumed["thread"]["turns"]] == [turn_id]
    assert usage["tokenUsage"]["total"]["totalTokens"] == 100
    assert loaded == {"data": [thread_id], "nextCursor": None}
    assert len(again["thread"]["turns"]) == 2
    assert again["thread"]["status"] == {"type": "idle"}


async def test_a_second_client_joins_a_running_turn(tmp_path: Path) -> None:
    """It gets the turn as it is, and then what happens."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        joined = await other.ask("thread/resume", threadId=thread_id, model="ignored")
        response.say("hi").complete()
        await other.completed(turn_id)
        await client.completed(turn_id)

    [turn] = joined["thread"]["turns"]
    assert (turn["id"], turn["status"]) == (turn_id, "inProgress")
    assert joined["thread"]["status"] == {"type": "active", "activeFlags": []}
    assert joined["model"] != "ignored"


async def test_threads_go_on_when_their_clients_have_gone(tmp_path: Path) -> None:
    """And can be joined again."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await client.start_turn(thread_id)
        response = await stage.model.next_request()
        client.stream.hang_up()
        await until(lambda: not len(stage.app.connections))
        other = await stage.connect()
        await other.ask("thread/resume", threadId=thread_id)
        response.say("still here").complete()
        await other.notified("turn/completed")
        await other.ask("thread/unsubscribe", threadId=thread_id)


async def test_a_fork_has_the_turns_and_an_id_of_its_own(tmp_path: Path) -> None:
    """Whole, or up to a turn; the parent stays as it is."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        first = await stage.simple_turn(client, thread_id, "one")
        second = await stage.simple_turn(client, thread_id, "two")
        whole = await client.ask("thread/fork", threadId=thread_id)
        part = await client.ask("thread/fork", threadId=thread_id, lastTurnId=first)
        wrong = await client.refused("thread/fork", threadId=thread_id, lastTurnId="x")
        part_id = part["thread"]["id"]
        started = await client.until(
            lambda m: m.get("method") == "thread/started" and m["params"]["thread"]["id"] == part_id
        )
        read = await client.ask("thread/read", threadId=part_id, includeTurns=True)

    assert [t["id"] for t in whole["thread"]["turns"]] == [first, second]
    assert whole["thread"]["forkedFromId"] == thread_id
    assert [t["id"] for t in read["thread"]["turns"]] == [first]
    assert started["params"]["thread"]["preview"] == "one"
    assert wrong == (-32600, "turn not found: x")


async def test_threads_are_listed_page_by_page(tmp_path: Path) -> None:
    """Newest first; those that said nothing are not there."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        ids = []
        for number in range(3):
            ids.append(await client.start_thread())
            await stage.simple_turn(client, ids[-1], f"talk {number}")
        await client.start_thread()
        page = await client.ask("thread/list", limit=2)
        rest = await client.ask("thread/list", limit=2, cursor=page["nextCursor"])
        found = await client.ask("thread/list", searchTerm="TALK 1")
        none = await client.ask("thread/list", sourceKinds=["exec"])
        other = await client.ask("thread/list", modelProviders=["openai"])
        bad = await client.refused("thread/list", cursor="x")

    listed = [t["id"] for t in (*page["data"], *rest["data"])]
    assert sorted(listed) == sorted(ids)
    assert rest["nextCursor"] is None
    assert [t["preview"] for t in found["data"]] == ["talk 1"]
    assert none["data"] == other["data"] == []
    assert bad == (-32600, "invalid cursor: x")


async def test_turns_and_items_are_listed_page_by_page(tmp_path: Path) -> None:
    """In both directions; a cursor back has its anchor with it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        turns = [await stage.simple_turn(client, thread_id, f"t{n}") for n in range(3)]
        page = await client.ask("thread/turns/list", threadId=thread_id, limit=2)
        rest = await client.ask("thread/turns/list", threadId=thread_id, cursor=page["nextCursor"])
        back = await client.ask(
            "thread/turns/list",
            threadId=thread_id,
            cursor=rest["backwardsCursor"],
            sortDirection="asc",
            itemsView="notLoaded",
        )
        items = await client.ask("thread/items/list", threadId=thread_id, limit=3)
        one = await client.ask("thread/items/list", threadId=thread_id, turnId=turns[1])
        bad = await client.refused("thread/turns/list", threadId=thread_id, cursor="x")

    assert [t["id"] for t in page["data"]] == [turns[2], turns[1]]
    assert page["data"][0]["itemsView"] == "summary"
    assert len(page["data"][0]["items"]) == 2
    assert [t["id"] for t in rest["data"]] == [turns[0]]
    assert rest["nextCursor"] is None
    assert [t["id"] for t in back["data"]] == turns
    assert all(t["items"] == [] for t in back["data"])
    assert [e["turnId"] for e in items["data"]] == [turns[0], turns[0], turns[1]]
    assert [e["turnId"] for e in one["data"]] == [turns[1], turns[1]]
    assert bad == (-32600, "invalid cursor: x")


async def test_a_running_thread_is_archived_in_the_order_of_the_protocol(
    tmp_path: Path,
) -> None:
    """Its turn ends first, then comes the answer, then everybody hears of it."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        await client.start_turn(thread_id)
        since = client.position
        number = client.send("thread/archive", threadId=thread_id)
        await client.answer_to(number)
        await client.notified("thread/archived")
        await other.notified("thread/archived")
        told = client.methods(since)
        gone = await client.refused("thread/resume", threadId=thread_id)
        active = await client.ask("thread/list")
        archived = await client.ask("thread/list", archived=True)
        back = await client.ask("thread/unarchive", threadId=thread_id)
        await client.notified("thread/unarchived")
        twice = await client.refused("thread/unarchive", threadId=thread_id)
        again = await client.ask("thread/list")

    order = [told.index(m) for m in ("turn/completed", f"answer {number}", "thread/archived")]
    assert order == sorted(order)
    assert gone[0] == -32600
    assert gone[1].startswith(f"no rollout found for thread id {thread_id}")
    assert active["data"] == []
    assert [t["id"] for t in archived["data"]] == [thread_id]
    assert back["thread"]["id"] == again["data"][0]["id"] == thread_id
    assert twice == (-32600, f"no archived rollout found for thread id {thread_id}")


async def test_a_thread_is_named_loaded_or_not(tmp_path: Path) -> None:
    """Everybody hears of it, after the answer."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        since = client.position
        number = client.send("thread/name/set", threadId=thread_id, name=" One ")
        await client.notified("thread/name/updated", threadName="One")
        await other.notified("thread/name/updated", threadName="One")
        told = client.methods(since)
        empty = await client.refused("thread/name/set", threadId=thread_id, name=" ")
        read = await client.ask("thread/read", threadId=thread_id)
        await client.ask("thread/archive", threadId=thread_id)
        await client.ask("thread/unarchive", threadId=thread_id)
        await client.ask("thread/name/set", threadId=thread_id, name="Two")
        await client.notified("thread/name/updated", threadName="Two")
        listed = await client.ask("thread/list")
        silent = await client.start_thread(ephemeral=True)
        ephemeral = await client.refused("thread/name/set", threadId=silent, name="x")

    assert told[:2] == [f"answer {number}", "thread/name/updated"]
    assert empty == (-32600, "thread name must not be empty")
    assert read["thread"]["name"] == "One"
    assert listed["data"][0]["name"] == "Two"
    assert ephemeral[1].startswith("ephemeral thread does not support metadata updates")


async def test_the_last_turns_are_rolled_back(tmp_path: Path) -> None:
    """The answer has the turns that are left, after the tokens were told."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        early = await client.refused("thread/rollback", threadId=thread_id, numTurns=1)
        turns = [await stage.simple_turn(client, thread_id, f"t{n}") for n in range(3)]
        zero = await client.refused("thread/rollback", threadId=thread_id, numTurns=0)
        since = client.position
        rolled = await client.ask("thread/rollback", threadId=thread_id, numTurns=1)
        told = client.methods(since)
        unknown = await client.refused("thread/revert", threadId=thread_id, beforeTurnId="x")
        await client.ask("thread/revert", threadId=thread_id, beforeTurnId=turns[1])
        await client.notified("thread/reverted")
        left = await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        running = await client.start_turn(thread_id, "now")
        busy = await client.refused("thread/rollback", threadId=thread_id, numTurns=1)
        (await stage.model.next_request()).say("x").complete()
        await client.completed(running)

    assert early[0] == -32603
    assert zero == (-32600, "numTurns must be >= 1")
    assert [t["id"] for t in rolled["thread"]["turns"]] == turns[:2]
    assert told[0] == "thread/tokenUsage/updated"
    assert unknown == (-32600, "turn not found: x")
    assert [t["id"] for t in left["thread"]["turns"]] == turns[:1]
    assert busy == (-32600, "Cannot rollback while a turn is in progress.")


async def test_a_deleted_thread_is_nowhere_any_more(tmp_path: Path) -> None:
    """Loaded or archived."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        one, two = await client.start_thread(), await client.start_thread()
        for thread_id in (one, two):
            await stage.simple_turn(client, thread_id)
        await client.ask("thread/archive", threadId=two)
        for thread_id in (one, two):
            await client.ask("thread/delete", threadId=thread_id)
            await client.notified("thread/deleted", threadId=thread_id)
        left = [*tmp_path.rglob("rollout-*")]  # noqa: ASYNC240 -- few files
        gone = await client.refused("thread/delete", threadId=one)

    assert left == []
    assert gone[0] == -32600


async def test_a_thread_that_a_client_leaves_says_nothing_more_to_it(tmp_path: Path) -> None:
    """And says so the second time, and when it is not there."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        statuses = [
            (await client.ask("thread/unsubscribe", threadId=wanted))["status"]
            for wanted in (thread_id, thread_id, "00000000-0000-7000-8000-000000000000")
        ]
        await client.start_turn(thread_id)
        (await stage.model.next_request()).say("x").complete()
        await client.notified("thread/status/changed", status={"type": "idle"})
        told = client.methods()

    assert statuses == ["unsubscribed", "notSubscribed", "notLoaded"]
    assert "turn/started" not in told


async def test_a_client_can_go_on_with_a_past_of_its_own(tmp_path: Path) -> None:
    """With items that no thread here has said."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        unknown = "00000000-0000-7000-8000-000000000000"
        answer = await client.ask("thread/resume", threadId=unknown, history=[item])
        empty = await client.refused("thread/resume", threadId=unknown, history=[])
        turn_id = await client.start_turn(answer["thread"]["id"], "and now?")
        request = await stage.model.next_request()
        request.say("x").complete()
        await client.completed(turn_id)

    assert answer["thread"]["turns"] == []
    assert "hi" in str(request.request.input)
    assert empty == (-32600, "history must not be empty")


@pytest.mark.parametrize(
    ("method", "params", "problem"),
    [
        ("thread/start", {"cwd": 5}, "Invalid request: "),
        ("thread/begin", {}, "Invalid request: unknown variant `thread/begin`"),
        ("thread/read", {}, "Invalid request: "),
        ("thread/list", {"limit": -1}, "Invalid request: "),
        ("thread/list", {"sortKey": "bad"}, "Invalid request: "),
        ("thread/list", {"sortDirection": "asc"}, "sortDirection `asc` is not supported"),
        ("thread/read", {"threadId": "x"}, "invalid thread id: "),
        ("thread/start", {"modelProvider": "openai"}, "error deriving config: "),
        ("thread/start", {"config": {"model": 5}}, "error deriving config: "),
        ("thread/start", {"approvalsReviewer": "auto_review"}, "approvalsReviewer "),
        ("mcpServer/oauth/login", {"name": "x"}, "mcpServer/oauth/login is not supported"),
        ("config/value/write", None, "Invalid request: missing field `params`"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(
    tmp_path: Path, method: str, params: object, problem: str
) -> None:
    """One message, with the code that clients know."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        client.stream.say({"method": method, "id": "a", "params": params})
        answer = await client.until(lambda m: m.get("id") == "a")
        loaded = await client.ask("thread/loaded/list")

    assert answer["error"]["code"] == -32600
    assert answer["error"]["message"].startswith(problem)
    assert loaded["data"] == []


async def test_what_is_experimental_is_for_those_who_said_so(tmp_path: Path) -> None:
    """Fields count when they say something."""
    tool = {"name": "t", "description": "", "inputSchema": {"type": "object"}}
    async with open_app(tmp_path) as stage:
        client = await stage.connect(experimental=False)
        refused = await client.refused("thread/start", dynamicTools=[tool])
        listed = await client.refused("collaborationMode/list")
        await client.ask("thread/start", dynamicTools=[], persistExtendedHistory=False)

    assert refused[1] == "thread/start.dynamicTools requires experimentalApi capability"
    assert listed[1] == "collaborationMode/list requires experimentalApi capability"


async def test_a_thread_that_is_not_loaded_takes_no_turn(tmp_path: Path) -> None:
    """It has to be resumed first."""
    unknown = "00000000-0000-7000-8000-000000000000"
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        turn = await client.refused("turn/start", threadId=unknown, input=say("x"))
        read = await client.refused("thread/read", threadId=unknown)
        fresh = await client.start_thread()
        turns = await client.refused("thread/read", threadId=fresh, includeTurns=True)
        resumed = await client.refused("thread/fork", threadId=fresh)

    assert turn == (-32600, f"thread not found: {unknown}")
    assert read == (-32600, f"thread not loaded: {unknown}")
    assert "is not materialized yet" in turns[1]
    assert resumed == (-32600, f"no rollout found for thread id {fresh}")


async def test_warnings_about_the_configuration_come_behind_the_first_answer(
    tmp_path: Path,
) -> None:
    """And the server says where it lives."""
    async with open_app(tmp_path, warnings=("odd key",)) as stage:
        client = await stage.connect()
        warning = await client.notified("configWarning")
        first = client.stream.told[0]["result"]

    assert warning["summary"] == "odd key"
    assert first["codexHome"] == str(tmp_path / "home")
    assert first["userAgent"].startswith("test/")
