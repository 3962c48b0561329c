"""The thread actor: one conversation, its turns, its history and its events."""

from .errors import (
    InvalidTransition,
    NoActiveTurn,
    SteerError,
    SteerInputEmpty,
    ThreadClosed,
    ThreadError,
    TurnInputFull,
    TurnMismatch,
)
from .handle import Thread, ThreadSnapshot, ThreadStatistics
from .life import live
from .ports import EVENT_CAPACITY, SUBMISSION_CAPACITY, SkillsChanged, ThreadPorts
from .services import ThreadBlueprint, ThreadServices
from .settings import SessionSettings, settings_from_config
from .states import ThreadState

__all__ = [
    "EVENT_CAPACITY",
    "SUBMISSION_CAPACITY",
    "InvalidTransition",
    "NoActiveTurn",
    "SessionSettings",
    "SkillsChanged",
    "SteerError",
    "SteerInputEmpty",
    "Thread",
    "ThreadBlueprint",
    "ThreadClosed",
    "ThreadError",
    "ThreadPorts",
    "ThreadServices",
    "ThreadSnapshot",
    "ThreadState",
    "ThreadStatistics",
    "TurnInputFull",
    "TurnMismatch",
    "live",
    "settings_from_config",
]
