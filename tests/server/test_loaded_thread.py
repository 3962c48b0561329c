"""What a server keeps of a thread, and tells of it, however much comes at once."""

from pathlib import Path

from actors.runtime import Lagged
from actors.server.item_projection import ItemProjection
from actors.server.note_projection import note
from actors.server.projection import PIECES, ThreadProjection
from messages import events
from messages.events import Event, EventMsg
from messages.ids import SubmissionId, TurnId

from .app_stage import open_app


async def test_no_piece_is_lost_of_many_that_come_at_once(tmp_path: Path) -> None:
    """In order, and before the item is complete."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        turn_id = await client.start_turn(thread_id)
        pieces = [f"{number} " for number in range(900)]
        response = await stage.model.next_request()
        response.say(*pieces).complete()
        await client.completed(turn_id)

    told = [m["params"] for m in client.stream.told if m.get("method") == "item/agentMessage/delta"]
    assert "".join(params["delta"] for params in told) == "".join(pieces)


async def test_thread_of_a_server_keeps_no_event_that_was_told(tmp_path: Path) -> None:
    """Clients are told as they come, and nobody reads them once more."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        [loaded] = stage.app.loaded
        late = await loaded.thread.subscribe(from_seq=1).receive()

        assert isinstance(late, Lagged)
        assert late.missed > 10


async def test_what_is_written_into_the_configuration_counts_for_the_next_thread(
    tmp_path: Path,
) -> None:
    """Also when it was read before, and is written again and again."""
    async with open_app(tmp_path, config='model = "one"') as stage:
        client = await stage.connect()
        models: list[str] = []
        for model in ("one", "one", "two", "one", "two"):
            (stage.home / "config.toml").write_text(f'model = "{model}"')
            models.append((await client.ask("thread/start"))["model"])

    assert models == ["one", "one", "two", "one", "two"]


def test_pieces_are_told_as_any_other_event_is() -> None:
    """There is a short way for them, which says the same as the long one."""
    older: tuple[EventMsg, ...] = (
        events.AgentMessageDelta(delta="x"),
        events.AgentReasoningDelta(delta="x"),
        events.AgentReasoningRawContentDelta(delta="x"),
    )
    repeated = {type(msg) for msg in older}

    assert repeated < PIECES
    for kind in PIECES:
        assert kind not in ThreadProjection._HANDLERS
        assert (kind in ItemProjection._HANDLERS) is (kind not in repeated)
    assert [note("t", "u", msg) for msg in older] == [None, None, None]


def test_projection_between_turns_remembers_what_clients_called_their_messages() -> None:
    """It forgets its items otherwise."""
    projection = ThreadProjection("t", lambda: 1.0)
    msgs: tuple[EventMsg, ...] = (
        events.TurnStarted(turn_id=TurnId("u")),
        events.TurnComplete(turn_id=TurnId("u")),
    )
    for seq, msg in enumerate(msgs, 1):
        projection.take(Event(id=SubmissionId("u"), msg=msg, seq=seq))
    idle = projection._kept_items

    projection.expect((), "mine")
    for seq, msg in enumerate(msgs, 3):
        projection.take(Event(id=SubmissionId("u"), msg=msg, seq=seq))

    assert idle is None
    assert projection._kept_items is not None
