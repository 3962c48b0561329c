"""How the model reads what a command or a patch gave: as text, or as JSON."""

from typing import Final

import orjson

from actors.models import ModelInfo, PatchForm
from actors.rollout import formatted_truncate_text, truncate_text
from messages.settings import TruncationPolicy

from .tool import CustomPayload, ToolCall

__all__ = ["command_answer", "wants_json"]

_JSON_CALLS: Final = frozenset({"shell", "container.exec", "local_shell", "apply_patch"})


def wants_json(call: ToolCall, model: ModelInfo) -> bool:
    """
    Whether a call is answered in JSON.

    Source:
        Codex answers these tools in JSON, and turns that into text in each request of a
        model that writes patches as free text.  Ours is text for such a model from the start.
    """
    if isinstance(call.payload, CustomPayload) or model.apply_patch is not PatchForm.FUNCTION:
        return False
    return call.name in _JSON_CALLS


def command_answer(
    text: str, *, exit_code: int, duration: float, policy: TruncationPolicy, as_json: bool
) -> str:
    """
    Put an output into its frame, cut to what a history may hold.

    Args:
        duration: Seconds.
    """
    if as_json:
        metadata = {"exit_code": exit_code, "duration_seconds": round(duration, 1)}
        output = formatted_truncate_text(text, policy)
        return orjson.dumps({"output": output, "metadata": metadata}).decode()
    output = truncate_text(text, policy)
    lines = len(text.splitlines())
    sections = [f"Exit code: {exit_code}", f"Wall time: {duration:.1f} seconds"]
    if len(output.splitlines()) != lines:
        sections.append(f"Total output lines: {lines}")
    return "\n".join([*sections, "Output:", output])
