"""The watcher: one for all folders that somebody wants to hear of."""

from .event import FileWatcherEvent
from .file_source import FileSource
from .notify import Notify, OpenNotify, open_rust_notify
from .source import Changes, ChangeSource, SilentSource, SourceStatistics, WatchMode
from .watcher import WatchedRoots, Watcher, WatcherStatistics, open_watcher

__all__ = [
    "ChangeSource",
    "Changes",
    "FileSource",
    "FileWatcherEvent",
    "Notify",
    "OpenNotify",
    "SilentSource",
    "SourceStatistics",
    "WatchMode",
    "WatchedRoots",
    "Watcher",
    "WatcherStatistics",
    "open_rust_notify",
    "open_watcher",
]
