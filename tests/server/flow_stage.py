"""What flows of a live thread share: the usual words of a turn, and what reads back."""

from typing import Any

from .live import Live
from .outgoing import bare

USER = ["item/started userMessage", "item/completed userMessage"]
BEGIN = ["status active", "turn/started inProgress", *USER]
END = ["status idle", "turn/completed completed"]
SAID = [
    "item/started agentMessage",
    "item/agentMessage/delta 'done'",
    "item/completed agentMessage",
]


def same_read_back(live: Live) -> None:
    """What reads back is what was told, but for ids and times."""
    assert bare(live.read_turns()) == bare(live.live_turns())


async def finish(live: Live) -> None:
    (await live.model.next_request()).say("done").complete()


def shell(script: str) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]}
