"""Actors, refs, questions and timers."""

import logging
from typing import TypeAlias, assert_never

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    Actor,
    ActorRef,
    ActorStatistics,
    MailboxClosed,
    MailboxFull,
    MailboxStatistics,
    Reply,
    ReplyLost,
)


@attrs.frozen
class Note:
    """Write something down."""

    text: str


@attrs.frozen
class Later:
    """Write something down after a while."""

    delay: float
    text: str


@attrs.frozen
class Recall:
    """Ask for everything written down."""

    reply: Reply[tuple[str, ...]]


@attrs.frozen
class Keep:
    """Ask something that is not answered."""

    reply: Reply[None]


@attrs.frozen
class Refuse:
    """Ask something that is refused."""

    reply: Reply[None]


@attrs.frozen
class Crash:
    """Crash."""


@attrs.frozen
class Block:
    """Be busy until cancelled."""


Message: TypeAlias = Note | Later | Recall | Keep | Refuse | Crash | Block


@attrs.define(eq=False, repr=False)
class Notebook(Actor[Message]):
    """Writes down what it is told."""

    _notes: list[str] = attrs.field(factory=list[str], init=False)
    _kept: list[Reply[None]] = attrs.field(factory=list[Reply[None]], init=False)

    async def handle(self, message: Message) -> None:
        match message:
            case Note(text=text):
                self._notes.append(text)
            case Later(delay=delay, text=text):
                self.tell_self_later(delay, Note(text))
            case Recall(reply=reply):
                reply.answer(tuple(self._notes))
            case Keep(reply=reply):
                self._kept.append(reply)
            case Refuse(reply=reply):
                reply.fail(PermissionError("no"))
            case Crash():
                raise ValueError("boom")
            case Block():
                await trio.sleep_forever()
            case _:
                assert_never(message)


async def test_actor_handles_control_first_and_answers_questions() -> None:
    """Told, told nowait and asked go in order; control goes before them."""
    notebook = Notebook(address="notebook")

    async with trio.open_nursery() as nursery:
        ref = notebook.ref
        await ref.tell(Note("work 1"))
        ref.tell_nowait(Note("work 2"))
        ref.tell_control(Note("control"))
        started: ActorRef[Message] = await nursery.start(notebook.run)
        assert await started.ask(Recall) == ("control", "work 1", "work 2")
        assert (started.address, repr(started)) == ("notebook", "<ActorRef 'notebook'>")
        notebook.stop()


async def test_question_raises_what_the_actor_failed_it_with() -> None:
    """`Reply.fail` is for bad questions; the actor goes on."""
    notebook = Notebook(address="notebook")

    async with trio.open_nursery() as nursery:
        ref = await nursery.start(notebook.run)
        with pytest.raises(PermissionError):
            await ref.ask(Refuse)
        assert await ref.ask(Recall) == ()
        notebook.stop()


async def test_question_waits_for_room_in_the_mailbox() -> None:
    """More askers than room: everybody is answered."""
    notebook = Notebook(address="notebook", capacity=1)
    answers: list[tuple[str, ...]] = []

    async def ask() -> None:
        answers.append(await notebook.ref.ask(Recall))

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as asking:
            for _ in range(3):
                asking.start_soon(ask)
            await wait_all_tasks_blocked()
            with pytest.raises(MailboxFull):
                notebook.ref.tell_nowait(Note("one too many"))
            nursery.start_soon(notebook.run)
        notebook.stop()

    assert answers == [(), (), ()]


async def test_cancelled_question_is_forgotten() -> None:
    """The actor may answer later; nobody reads it and nothing breaks."""
    notebook = Notebook(address="notebook")

    async with trio.open_nursery() as nursery:
        ref = await nursery.start(notebook.run)
        with trio.move_on_after(0) as scope:
            await ref.ask(Keep)
        assert scope.cancelled_caught
        await wait_all_tasks_blocked()
        notebook._kept[0].answer(None)
        assert notebook.statistics().open_questions == 0
        notebook.stop()


async def test_reply_is_for_one_answer() -> None:
    """A second answer is an error of the actor."""
    reply: Reply[int] = Reply()
    assert repr(reply) == "<Reply: open>"
    reply.answer(1)

    with pytest.raises(RuntimeError, match="answered before"):
        reply.answer(2)
    with pytest.raises(RuntimeError, match="answered before"):
        reply.fail(ValueError())
    assert repr(reply) == "<Reply: answered>"
    assert await reply.wait() == 1


@pytest.mark.parametrize("end", ["stop", "crash", "cancel"])
async def test_open_questions_end_however_the_actor_ends(end: str) -> None:
    """Those kept for later and those still queued: nobody hangs."""
    notebook = Notebook(address="notebook")
    lost: list[str] = []

    async def ask(name: str, question: "type[Keep | Recall]") -> None:
        with pytest.raises(ReplyLost, match="'notebook'"):
            await notebook.ref.ask(question)
        lost.append(name)

    async def run(scope: trio.CancelScope) -> None:
        with scope:
            if end == "crash":
                with pytest.raises(ValueError, match="boom"):
                    await notebook.run()
            else:
                await notebook.run()

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, scope)
        nursery.start_soon(ask, "kept", Keep)
        await wait_all_tasks_blocked()
        if end == "cancel":
            notebook.ref.tell_nowait(Block())
            nursery.start_soon(ask, "queued", Recall)
            await wait_all_tasks_blocked()
            scope.cancel()
        elif end == "crash":
            notebook.ref.tell_nowait(Crash())
        else:
            notebook.stop()

    assert sorted(lost) == (["kept", "queued"] if end == "cancel" else ["kept"])
    with pytest.raises(MailboxClosed):
        await notebook.ref.tell(Note("late"))
    with pytest.raises(MailboxClosed):
        await notebook.ref.ask(Recall)


async def test_actor_ends_after_the_message_in_hand_and_says_what_it_drops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Dropped messages are counted in the log, never shown."""
    notebook = Notebook(address="notebook")
    notebook.ref.tell_nowait(Note("secret 1"))
    notebook.ref.tell_nowait(Note("secret 2"))

    with caplog.at_level(logging.DEBUG, "actors"):
        notebook.stop()
        await notebook.run()

    assert [record.getMessage() for record in caplog.records] == [
        "'notebook' ended with 2 messages unhandled"
    ]


async def test_timers_come_in_order_of_time_and_before_the_mailbox(
    autojump_clock: MockClock,
) -> None:
    """Equal times keep the order in which they were set."""
    notebook = Notebook(address="notebook")

    async with trio.open_nursery() as nursery:
        ref = await nursery.start(notebook.run)
        for delay, text in ((20, "20 s"), (10, "10 s a"), (10, "10 s b"), (0, "at once")):
            await ref.tell(Later(delay, text))
        assert await ref.ask(Recall) == ("at once",)
        await trio.sleep(15)
        assert await ref.ask(Recall) == ("at once", "10 s a", "10 s b")
        await ref.tell(Note("told"))
        await trio.sleep(15)
        notes = await ref.ask(Recall)
        notebook.stop()

    assert notes == ("at once", "10 s a", "10 s b", "told", "20 s")


@pytest.mark.parametrize("seconds", [5, 10, 15])
async def test_actor_that_stops_does_not_wait_for_its_timers(
    autojump_clock: MockClock, seconds: float
) -> None:
    """Before, at and after the time of the timer."""
    notebook = Notebook(address="notebook")

    async with trio.open_nursery() as nursery:
        ref = await nursery.start(notebook.run)
        await ref.tell(Later(10, "late"))
        await trio.sleep(seconds)
        notebook.stop()

    assert trio.current_time() == pytest.approx(seconds)
    assert notebook.statistics().timers <= 1


async def test_stopped_actor_drops_a_timer_that_is_due(autojump_clock: MockClock) -> None:
    """The mailbox closed in the same instant: the end wins."""
    notebook = Notebook(address="notebook")
    notebook.tell_self_later(0, Note("late"))
    notebook.stop()

    await notebook.run()

    assert notebook.statistics().timers == 1


async def test_statistics_and_repr_tell_the_state() -> None:
    """A look changes nothing."""
    notebook = Notebook(address="notebook", capacity=8)
    notebook.ref.tell_nowait(Note("a"))
    notebook.tell_self_later(1, Note("b"))

    assert notebook.statistics() == ActorStatistics(
        mailbox=MailboxStatistics(
            address="notebook",
            work=1,
            capacity=8,
            control=0,
            control_capacity=256,
            waiting_senders=0,
            waiting_receiver=False,
            closed=False,
        ),
        timers=1,
        open_questions=0,
    )
    assert repr(notebook) == (
        "<Notebook 'notebook': 1 work, 0 control, 1 timers, 0 open questions, open>"
    )
    notebook.stop()
    assert repr(notebook).endswith("ended>")
