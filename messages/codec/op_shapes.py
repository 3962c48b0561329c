"""JSON shapes of ops and of the answers they carry."""

from typing import cast

from ..ops import (
    AddToHistory,
    ApprovedExecpolicyAmendment,
    CleanBackgroundTerminals,
    Compact,
    DownloadRemoteSkill,
    DropMemories,
    DynamicToolResponse,
    DynamicToolResult,
    ExecApproval,
    GetHistoryEntryRequest,
    Interrupt,
    ListCustomPrompts,
    ListMcpTools,
    ListModels,
    ListRemoteSkills,
    ListSkills,
    OverrideTurnContext,
    PatchApproval,
    RefreshMcpServers,
    ResolveElicitation,
    Review,
    RunUserShellCommand,
    SetThreadName,
    Shutdown,
    ThreadRollback,
    Undo,
    UpdateMemories,
    UserInput,
    UserInputAnswer,
    UserTurn,
)
from ..value import Json
from .shape import FieldRule, Shape, Shapes

__all__ = ["OP_SHAPES"]

# The one place where content parts are called differently: the client's answer to a
# dynamic tool call.
_PART_TAGS = {"inputText": "input_text", "inputImage": "input_image"}
_PART_MEMBERS = {"imageUrl": "image_url"}


def _snake_parts(raw: Json) -> Json:
    """Content parts as the client says them, said as the model does."""
    return _renamed_parts(raw, _PART_TAGS, _PART_MEMBERS)


def _camel_parts(raw: Json) -> Json:
    """The other way round."""
    return _renamed_parts(raw, _turned(_PART_TAGS), _turned(_PART_MEMBERS))


def _turned(names: dict[str, str]) -> dict[str, str]:
    return {value: key for key, value in names.items()}


def _renamed_parts(raw: Json, tags: dict[str, str], members: dict[str, str]) -> Json:
    if not isinstance(raw, list):
        return raw
    parts = cast("list[Json]", raw)  # of whatever came
    return [_renamed_part(part, tags, members) for part in parts]


def _renamed_part(raw: Json, tags: dict[str, str], members: dict[str, str]) -> Json:
    match raw:
        case {"type": str(tag)} if tag in tags:
            part = cast("dict[str, Json]", raw)  # a JSON object has text keys
            renamed = {members.get(name, name): member for name, member in part.items()}
            return renamed | {"type": tags[tag]}
        case _:
            return raw


OP_SHAPES: Shapes = {
    Interrupt: Shape(tag="interrupt"),
    CleanBackgroundTerminals: Shape(tag="clean_background_terminals"),
    UserInput: Shape(tag="user_input"),
    UserTurn: Shape(tag="user_turn", nulls=("final_output_json_schema",)),
    OverrideTurnContext: Shape(tag="override_turn_context", omitted=("effort",)),
    ExecApproval: Shape(tag="exec_approval"),
    PatchApproval: Shape(tag="patch_approval"),
    ResolveElicitation: Shape(tag="resolve_elicitation"),
    UserInputAnswer: Shape(tag="user_input_answer", aliases=("request_user_input_response",)),
    DynamicToolResponse: Shape(tag="dynamic_tool_response"),
    AddToHistory: Shape(tag="add_to_history"),
    GetHistoryEntryRequest: Shape(tag="get_history_entry_request"),
    ListMcpTools: Shape(tag="list_mcp_tools"),
    RefreshMcpServers: Shape(tag="refresh_mcp_servers"),
    ListCustomPrompts: Shape(tag="list_custom_prompts"),
    ListSkills: Shape(tag="list_skills", omitted=("cwds", "force_reload")),
    ListRemoteSkills: Shape(tag="list_remote_skills"),
    DownloadRemoteSkill: Shape(tag="download_remote_skill"),
    Compact: Shape(tag="compact"),
    Undo: Shape(tag="undo"),
    ThreadRollback: Shape(tag="thread_rollback"),
    SetThreadName: Shape(tag="set_thread_name"),
    RunUserShellCommand: Shape(tag="run_user_shell_command"),
    Review: Shape(tag="review"),
    DropMemories: Shape(tag="drop_memories"),
    UpdateMemories: Shape(tag="update_memories"),
    ListModels: Shape(tag="list_models"),
    Shutdown: Shape(tag="shutdown"),
    # answers
    DynamicToolResult: Shape(
        names={"content_items": "contentItems"},
        rules={"content_items": FieldRule(arriving=_snake_parts, leaving=_camel_parts)},
    ),
    ApprovedExecpolicyAmendment: Shape(wrapper="approved_execpolicy_amendment"),
}
