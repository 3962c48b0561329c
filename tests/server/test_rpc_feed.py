"""What a connection follows."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import AlreadyClosed, EventChannel
from actors.server.rpc_errors import ConnectionGone
from actors.server.rpc_feed import Outgoing
from actors.server.rpc_text import OutgoingNotification
from actors.server.transports.message_stream import CloseCode

from .rpc_stage import answered, echo, open_stage


def note(number: int) -> OutgoingNotification:
    return OutgoingNotification("note", b'{"method":"note","params":%d}' % number)


def told(*numbers: int) -> list[dict[str, object]]:
    return [{"method": "note", "params": number} for number in numbers]


async def test_what_is_published_is_told_in_order() -> None:
    """From where the subscription stands, questions among the notifications."""
    channel = EventChannel[Outgoing](capacity=8)
    async with open_stage() as stage:
        channel.publish(note(0))
        feed = stage.connection.follow(channel.subscribe())
        question = stage.connections.questions.open("ask", None)

        channel.publish(note(1))
        channel.publish(question)
        channel.publish(note(2))

        asked = {"method": "ask", "id": 0}
        assert await stage.stream.wait_told(3) == [*told(1), asked, *told(2)]
        stage.stream.say(answered(0, decision="accept"))
        answer = await question.wait_answer()
        assert answer.id == 0
        feed.stop()
        await wait_all_tasks_blocked()
        channel.publish(note(3))
        await wait_all_tasks_blocked()
        assert len(stage.stream.told) == 3
        assert channel.statistics().subscriptions == 0


async def test_slow_connection_holds_up_only_itself() -> None:
    """The publisher never waits, and the other connection has it all."""
    channel = EventChannel[Outgoing](capacity=512)
    async with open_stage(outbound=2) as slow, open_stage() as quick:
        slow.stream.takes = False
        slow.connection.follow(channel.subscribe())
        quick.connection.follow(channel.subscribe())

        for number in range(300):
            channel.publish(note(number))

        assert await quick.stream.wait_told(300) == told(*range(300))
        assert slow.stream.told == []
        slow.stream.take()
        assert await slow.stream.wait_told(300) == told(*range(300))


async def test_connection_that_missed_something_is_closed_and_never_told_what_came_after() -> None:
    """It would not know that it has missed something."""
    channel = EventChannel[Outgoing](capacity=4)
    async with open_stage(outbound=1) as stage:
        stage.stream.takes = False
        source = channel.subscribe()
        for number in range(6):
            channel.publish(note(number))

        stage.connection.follow(source)
        stage.stream.take()
        await stage.done.wait()

        assert stage.stream.told == []
        assert stage.stream.farewell is not None
        assert stage.stream.farewell.code == CloseCode.POLICY_VIOLATION
        assert "2 messages" in stage.stream.farewell.reason


async def test_answer_comes_before_what_it_causes_when_the_feed_is_held() -> None:
    """What was published before the hold may come before or after."""
    channel = EventChannel[Outgoing](capacity=8)
    async with open_stage() as stage:
        feed = stage.connection.follow(channel.subscribe())

        async def start(_connection: object, request: object) -> None:
            with feed.hold():
                channel.publish(note(1))
                await wait_all_tasks_blocked()
                await request.respond({"turn": 1})  # type: ignore[attr-defined]

        stage.handler.methods["start"] = start
        stage.stream.say({"method": "start", "id": 5, "params": {}})

        assert await stage.stream.wait_told(2) == [answered(5, turn=1), *told(1)]


async def test_feed_ends_with_its_source_and_the_connection_goes_on() -> None:
    """A thread that has ended is no reason to end."""
    channel = EventChannel[Outgoing](capacity=8)
    async with open_stage() as stage:
        stage.connection.follow(channel.subscribe())
        channel.publish(note(1))
        channel.close()
        await stage.stream.wait_told(1)
        await wait_all_tasks_blocked()

        stage.stream.say(echo(1))

        assert await stage.stream.wait_told(2) == [*told(1), answered(1)]
        assert stage.connection.statistics().feeds == 0


async def test_feeds_end_with_their_connection(autojump_clock: MockClock) -> None:
    """And nothing can be followed afterwards."""
    channel = EventChannel[Outgoing](capacity=8)
    async with open_stage() as stage:
        stage.connection.follow(channel.subscribe())
        stage.stream.hang_up()
        await stage.done.wait()

        assert channel.statistics().subscriptions == 0
        source = channel.subscribe()
        with pytest.raises(ConnectionGone):
            stage.connection.follow(source)
        with pytest.raises(AlreadyClosed):
            source.receive_nowait()
        with trio.move_on_after(1):
            await trio.sleep_forever()
