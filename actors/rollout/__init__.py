"""
Rollouts: what is kept of a thread, who writes it, and how it is read again.

The rest of the house records through a `Recorder` of the process's one
`Journal`, and reads with `load_rollout` and `reconstruct`.
"""

from .aside import read_aside
from .collector import collector_paused
from .errors import (
    EmptyRollout,
    JournalClosed,
    NoSessionMeta,
    RolloutChanged,
    RolloutClosed,
    RolloutError,
    RolloutFull,
    RolloutLocked,
    RolloutNotFound,
    RolloutNotWritten,
    RolloutUnreadable,
)
from .excerpt import (
    approximate_tokens,
    formatted_truncate_text,
    scaled,
    truncate_output,
    truncate_text,
)
from .files import Files
from .folder_names import FolderNames
from .history import ForkedHistory, InitialHistory, NewHistory, ResumedHistory
from .index import NamedThread, SessionIndex, normalized_name
from .journal import Durability, Journal, JournalStatistics, open_journal
from .layout import (
    archived_folder,
    format_time,
    new_rollout_path,
    parse_rollout_name,
    parse_thread_id,
    parse_time,
    sessions_folder,
)
from .listing import (
    INTERACTIVE_SOURCES,
    Cursor,
    ListedThread,
    SortKey,
    ThreadFilter,
    ThreadsPage,
    latest_thread_path,
    list_threads,
    read_threads,
)
from .lookup import (
    archive_rollout,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
    find_thread_path_by_name,
    unarchive_rollout,
)
from .notes import ThreadNote, ThreadNotes
from .policy import PersistMode, persisted
from .reader import (
    DamagedLine,
    LoadedRollout,
    load_appended,
    load_rollout,
    load_rollout_async,
)
from .reconstruction import (
    SUMMARY_PREFIX,
    build_compacted_history,
    collect_user_messages,
    history_item,
    is_response_item,
    is_summary,
    missing_turn_ends,
    reconstruct,
    replayed,
)
from .recorded import RecordedItems, chosen
from .recorded_events import RecordedEvents
from .recorder import BUFFER_LIMIT_BYTES, OnTrouble, Recorder, WriteTrouble
from .tail import read_last_items
from .truncation import (
    drop_last_user_turns,
    truncate_before_nth_user_message,
    user_message_positions,
)
from .user_messages import is_user_message, parse_turn_item, search_in_words, user_text
from .writer import Patience

__all__ = [
    "BUFFER_LIMIT_BYTES",
    "INTERACTIVE_SOURCES",
    "SUMMARY_PREFIX",
    "Cursor",
    "DamagedLine",
    "Durability",
    "EmptyRollout",
    "Files",
    "FolderNames",
    "ForkedHistory",
    "InitialHistory",
    "Journal",
    "JournalClosed",
    "JournalStatistics",
    "ListedThread",
    "LoadedRollout",
    "NamedThread",
    "NewHistory",
    "NoSessionMeta",
    "OnTrouble",
    "Patience",
    "PersistMode",
    "RecordedEvents",
    "RecordedItems",
    "Recorder",
    "ResumedHistory",
    "RolloutChanged",
    "RolloutClosed",
    "RolloutError",
    "RolloutFull",
    "RolloutLocked",
    "RolloutNotFound",
    "RolloutNotWritten",
    "RolloutUnreadable",
    "SessionIndex",
    "SortKey",
    "ThreadFilter",
    "ThreadNote",
    "ThreadNotes",
    "ThreadsPage",
    "WriteTrouble",
    "approximate_tokens",
    "archive_rollout",
    "archived_folder",
    "build_compacted_history",
    "chosen",
    "collect_user_messages",
    "collector_paused",
    "drop_last_user_turns",
    "find_archived_thread_path_by_id",
    "find_thread_path_by_id",
    "find_thread_path_by_name",
    "format_time",
    "formatted_truncate_text",
    "history_item",
    "is_response_item",
    "is_summary",
    "is_user_message",
    "latest_thread_path",
    "list_threads",
    "load_appended",
    "load_rollout",
    "load_rollout_async",
    "missing_turn_ends",
    "new_rollout_path",
    "normalized_name",
    "open_journal",
    "parse_rollout_name",
    "parse_thread_id",
    "parse_time",
    "parse_turn_item",
    "persisted",
    "read_aside",
    "read_last_items",
    "read_threads",
    "reconstruct",
    "replayed",
    "scaled",
    "search_in_words",
    "sessions_folder",
    "truncate_before_nth_user_message",
    "truncate_output",
    "truncate_text",
    "unarchive_rollout",
    "user_message_positions",
    "user_text",
]
