"""
The actor kernel: mailboxes, event channels, watches, actors and supervision.

Beside it what every room may need: time and ids, and files that are replaced as a whole.
It knows nothing of conversations, and imports no other room.
"""

from .actor import Actor, ActorRef, ActorStatistics, Reply
from .child import (
    ChildSpec,
    Crash,
    ExitReason,
    Normal,
    Restart,
    Shutdown,
    StopOutcome,
    Strategy,
)
from .errors import (
    ActorError,
    AlreadyClosed,
    ChannelClosed,
    DuplicateChild,
    IntensityExceeded,
    MailboxClosed,
    MailboxFull,
    NotStarted,
    ReplyLost,
    SupervisorStopped,
    UnknownChild,
)
from .event_channel import EventChannel, EventChannelStatistics
from .mailbox import Mailbox, MailboxStatistics
from .restart import (
    Decision,
    GiveUp,
    Ignore,
    Intensity,
    Remove,
    RestartChildren,
    backoff,
    decide,
    recent,
)
from .subscription import Lagged, Subscription
from .supervision import (
    DynamicSupervisor,
    DynamicSupervisorStatistics,
    Supervisor,
    SupervisorStatistics,
)
from .watch import Watch
from .whole_file import part_path, replace_file
from .world import World

__all__ = [
    "Actor",
    "ActorError",
    "ActorRef",
    "ActorStatistics",
    "AlreadyClosed",
    "ChannelClosed",
    "ChildSpec",
    "Crash",
    "Decision",
    "DuplicateChild",
    "DynamicSupervisor",
    "DynamicSupervisorStatistics",
    "EventChannel",
    "EventChannelStatistics",
    "ExitReason",
    "GiveUp",
    "Ignore",
    "Intensity",
    "IntensityExceeded",
    "Lagged",
    "Mailbox",
    "MailboxClosed",
    "MailboxFull",
    "MailboxStatistics",
    "Normal",
    "NotStarted",
    "Remove",
    "Reply",
    "ReplyLost",
    "Restart",
    "RestartChildren",
    "Shutdown",
    "StopOutcome",
    "Strategy",
    "Subscription",
    "Supervisor",
    "SupervisorStatistics",
    "SupervisorStopped",
    "UnknownChild",
    "Watch",
    "World",
    "backoff",
    "decide",
    "part_path",
    "recent",
    "replace_file",
]
