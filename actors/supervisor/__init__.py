"""The supervisor: owns the registry of threads, and starts, restarts and ends them."""

from .agents import Agents
from .errors import HomeError, ThreadAlreadyLoaded, ThreadNotFound
from .opening import open_supervisor
from .registry import Supervisor
from .values import CloseReport, NewThread, RegistryStatistics, ThreadCreated, ThreadOrigin

__all__ = [
    "Agents",
    "CloseReport",
    "HomeError",
    "NewThread",
    "RegistryStatistics",
    "Supervisor",
    "ThreadAlreadyLoaded",
    "ThreadCreated",
    "ThreadNotFound",
    "ThreadOrigin",
    "open_supervisor",
]
