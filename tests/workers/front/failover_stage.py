"""Turns that are under way when their worker dies or leaves."""

from tests.server.app_stage import Client

from .stage import FrontStage, RoomWorker


async def begin_turn(stage: FrontStage, client: Client, thread: str) -> tuple[str, RoomWorker]:
    """Let a turn run that does not end."""
    worker = stage.worker_of(thread)
    turn = await client.start_turn(thread)
    await client.notified("turn/started", threadId=thread)
    await worker.model.next_request()
    return turn, worker


def told_of(client: Client, since: int, thread: str) -> list[str]:
    """List what a client was told of one thread, by method."""
    told = []
    for message in client.stream.told[since:]:
        params = message.get("params") or {}
        if params.get("threadId") == thread or params.get("conversationId") == thread:
            told.append(message["method"])
    return told
