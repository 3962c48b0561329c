"""JSON shapes of response items, turn items and rollout records."""

from typing import cast

from ..items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FindInPageAction,
    FunctionCall,
    FunctionCallOutput,
    GhostCommit,
    GhostSnapshot,
    LocalShellAction,
    LocalShellCall,
    Message,
    OpenPageAction,
    ReasoningContent,
    ReasoningItem,
    ReasoningText,
    SearchAction,
    SummaryText,
    Text,
    WebSearchCall,
)
from ..rollout import SessionMeta
from ..turn_items import (
    AgentMessageItem,
    AgentText,
    ContextCompactionItem,
    PlanItem,
    ReasoningTurnItem,
    UserMessageItem,
    WebSearchItem,
)
from ..value import Json
from .setting_shapes import known_source
from .shape import FieldRule, Shape, Shapes

__all__ = ["ITEM_SHAPES"]


def _shows_reasoning(content: object) -> bool:
    """Codex writes no content at all when it holds only parts of the older kind."""
    parts = cast("tuple[ReasoningContent, ...] | None", content)  # the field's type
    return parts is None or any(isinstance(part, ReasoningText) for part in parts)


def _or_empty(raw: Json) -> Json:
    """Codex reads null where it writes nothing."""
    return [] if raw is None else raw


ITEM_SHAPES: Shapes = {
    Message: Shape(tag="message"),
    SummaryText: Shape(tag="summary_text"),
    ReasoningText: Shape(tag="reasoning_text"),
    Text: Shape(tag="text"),
    ReasoningItem: Shape(
        tag="reasoning",
        nulls=("content", "encrypted_content"),
        rules={"content": FieldRule(written_when=_shows_reasoning)},
    ),
    LocalShellAction: Shape(tag="exec", nulls=("timeout_ms", "working_directory", "env", "user")),
    LocalShellCall: Shape(tag="local_shell_call", nulls=("call_id",)),
    FunctionCall: Shape(tag="function_call"),
    FunctionCallOutput: Shape(tag="function_call_output"),
    CustomToolCall: Shape(tag="custom_tool_call"),
    CustomToolCallOutput: Shape(tag="custom_tool_call_output"),
    SearchAction: Shape(tag="search"),
    OpenPageAction: Shape(tag="open_page"),
    FindInPageAction: Shape(tag="find_in_page"),
    WebSearchCall: Shape(tag="web_search_call"),
    GhostCommit: Shape(nulls=("parent",)),
    GhostSnapshot: Shape(tag="ghost_snapshot"),
    Compaction: Shape(tag="compaction", aliases=("compaction_summary",)),
    # turn items
    UserMessageItem: Shape(tag="UserMessage"),
    AgentText: Shape(tag="Text"),
    AgentMessageItem: Shape(tag="AgentMessage"),
    PlanItem: Shape(tag="Plan"),
    ReasoningTurnItem: Shape(tag="Reasoning"),
    WebSearchItem: Shape(tag="WebSearch"),
    ContextCompactionItem: Shape(tag="ContextCompaction"),
    # rollout records
    SessionMeta: Shape(
        nulls=("model_provider", "base_instructions"),
        omitted=("dynamic_tools",),
        rules={
            "source": FieldRule(arriving=known_source, lossy=True),
            "dynamic_tools": FieldRule(arriving=_or_empty, lossy=True),
        },
    ),
}
