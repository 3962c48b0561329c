"""Names of things: each id is text, and each kind of id is a type of its own."""

from typing import NewType

__all__ = ["NO_TURN", "CallId", "ItemId", "SubmissionId", "ThreadId", "TurnId"]

ThreadId = NewType("ThreadId", str)
"""One conversation: a UUID in lower case with hyphens; version 7 for new threads."""

SubmissionId = NewType("SubmissionId", str)
"""One submission: a UUIDv7; the empty string stands for what happens at start."""

TurnId = NewType("TurnId", str)
"""One turn: the id of the submission that started it."""

NO_TURN = TurnId("")
"""Stands where an older program did not say which turn it was."""

CallId = NewType("CallId", str)
"""One tool call, as the model named it."""

ItemId = NewType("ItemId", str)
"""One item of a turn."""
