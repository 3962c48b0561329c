"""One op of every kind as it stands in JSON, in the form that we write."""

from messages import ops as o
from messages.value import Json

INPUT: list[Json] = [
    {
        "type": "text",
        "text": "hi",
        "text_elements": [{"byte_range": {"start": 0, "end": 2}, "placeholder": None}],
    },
    {"type": "image", "image_url": "u"},
    {"type": "local_image", "path": "/w/i.png"},
    {"type": "skill", "name": "n", "path": "/s"},
    {"type": "mention", "name": "n", "path": "p"},
]
TURN: dict[str, Json] = {
    "type": "user_turn",
    "items": INPUT,
    "cwd": "/w",
    "approval_policy": "untrusted",
    "sandbox_policy": {"type": "read-only"},
    "model": "m",
    "summary": "concise",
    "final_output_json_schema": None,
}
MODE = {
    "mode": "plan",
    "settings": {"model": "m", "reasoning_effort": "low", "developer_instructions": "d"},
}

OPS: list[tuple[type, dict[str, Json]]] = [
    (o.Interrupt, {"type": "interrupt"}),
    (o.CleanBackgroundTerminals, {"type": "clean_background_terminals"}),
    (o.UserInput, {"type": "user_input", "items": INPUT}),
    (o.UserInput, {"type": "user_input", "items": [], "final_output_json_schema": {"a": 1}}),
    (o.UserTurn, TURN),
    (
        o.UserTurn,
        {
            **TURN,
            "effort": "low",
            "final_output_json_schema": {},
            "collaboration_mode": MODE,
            "personality": "pragmatic",
        },
    ),
    (o.OverrideTurnContext, {"type": "override_turn_context"}),
    (o.OverrideTurnContext, {"type": "override_turn_context", "effort": None}),
    (
        o.OverrideTurnContext,
        {
            "type": "override_turn_context",
            "cwd": "/w",
            "approval_policy": "on-failure",
            "sandbox_policy": {"type": "danger-full-access"},
            "windows_sandbox_level": "disabled",
            "model": "m",
            "effort": "minimal",
            "summary": "none",
            "collaboration_mode": MODE,
            "personality": "none",
        },
    ),
    *[
        (o.ExecApproval, {"type": "exec_approval", "id": "c1", "decision": decision})
        for decision in (
            "approved",
            "approved_for_session",
            "denied",
            "abort",
            {"approved_execpolicy_amendment": {"proposed_execpolicy_amendment": ["ls"]}},
        )
    ],
    (
        o.ExecApproval,
        {"type": "exec_approval", "id": "c1", "turn_id": "t1", "decision": "denied"},
    ),
    (o.PatchApproval, {"type": "patch_approval", "id": "c1", "decision": "approved"}),
    *[
        (
            o.ResolveElicitation,
            {
                "type": "resolve_elicitation",
                "server_name": "s",
                "request_id": request_id,
                "decision": decision,
            },
        )
        for request_id, decision in ((1, "accept"), ("one", "decline"), (-1, "cancel"))
    ],
    (
        o.UserInputAnswer,
        {
            "type": "user_input_answer",
            "id": "t1",
            "response": {"answers": {"q1": {"answers": ["a", "b"]}}},
        },
    ),
    (
        o.DynamicToolResponse,
        {
            "type": "dynamic_tool_response",
            "id": "c1",
            "response": {
                "contentItems": [
                    {"type": "inputText", "text": "t"},
                    {"type": "inputImage", "imageUrl": "u"},
                ],
                "success": True,
            },
        },
    ),
    (o.AddToHistory, {"type": "add_to_history", "text": "t"}),
    (
        o.GetHistoryEntryRequest,
        {"type": "get_history_entry_request", "offset": 0, "log_id": 2**63},
    ),
    (o.ListMcpTools, {"type": "list_mcp_tools"}),
    (o.RefreshMcpServers, {"type": "refresh_mcp_servers", "config": {"mcp_servers": {}}}),
    (o.ListCustomPrompts, {"type": "list_custom_prompts"}),
    (o.ListSkills, {"type": "list_skills"}),
    (o.ListSkills, {"type": "list_skills", "cwds": ["/w"], "force_reload": True}),
    (o.ListRemoteSkills, {"type": "list_remote_skills"}),
    (
        o.DownloadRemoteSkill,
        {"type": "download_remote_skill", "hazelnut_id": "h", "is_preload": False},
    ),
    (o.Compact, {"type": "compact"}),
    (o.Undo, {"type": "undo"}),
    (o.ThreadRollback, {"type": "thread_rollback", "num_turns": 1}),
    (o.SetThreadName, {"type": "set_thread_name", "name": "n"}),
    (o.RunUserShellCommand, {"type": "run_user_shell_command", "command": "ls"}),
    (
        o.Review,
        {
            "type": "review",
            "review_request": {"target": {"type": "baseBranch", "branch": "main"}},
        },
    ),
    (o.DropMemories, {"type": "drop_memories"}),
    (o.UpdateMemories, {"type": "update_memories"}),
    (o.ListModels, {"type": "list_models"}),
    (o.Shutdown, {"type": "shutdown"}),
]
