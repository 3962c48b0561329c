"""Items that only newer Codex programs record whole, as clients see them."""

from collections.abc import Mapping
from typing import Final, cast

import attrs

from messages.codec import from_json
from messages.errors import DecodeError
from messages.events import ExecCommandEnd, PatchApplyEnd
from messages.rpc.items import ThreadItem
from messages.turn_items import UnknownTurnItem
from messages.value import Json

from .item_values import ended_command, ended_patch

__all__ = ["foreign_item"]

_MISSING: Final[Mapping[str, Json]] = {
    "turn_id": "",
    "cwd": "",
    "parsed_cmd": [],
    "stdout": "",
    "stderr": "",
    "formatted_output": "",
    "exit_code": 0,
    "duration": {"secs": 0, "nanos": 0},
}
"""What the end of a command has and its item may leave out."""

_FILE_URL: Final = "file://"


def foreign_item(item: UnknownTurnItem) -> ThreadItem | None:
    """
    Make the item of a command or patch that Codex 0.169 recorded; None for anything else.

    Its members are those of the older end events, which is how it is read.
    """
    raw = cast("Mapping[str, Json]", item.raw)  # only an object has a tag
    try:
        match item.tag:
            case "CommandExecution":
                return _command(raw)
            case "FileChange":
                return _patch(raw)
            case _:
                return None
    except DecodeError:  # other members than those we have seen
        return None


def _command(raw: Mapping[str, Json]) -> ThreadItem:
    own = {"type": "exec_command_end", "call_id": raw.get("id")}
    end = from_json({**_MISSING, **raw, **own}, ExecCommandEnd)
    return ended_command(attrs.evolve(end, cwd=end.cwd.removeprefix(_FILE_URL)))


def _patch(raw: Mapping[str, Json]) -> ThreadItem:
    done = {"success": raw.get("status") == "completed", "stdout": "", "stderr": ""}
    own = {"type": "patch_apply_end", "call_id": raw.get("id")}
    return ended_patch(from_json({**done, **raw, **own}, PatchApplyEnd))
