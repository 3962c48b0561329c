"""One response item and one rollout record of every kind as it stands in JSON."""

from messages import items as i
from messages import rollout as r
from messages.value import Json

THREAD = "0195a0c0-0000-7000-8000-000000000001"
OTHER = "0195a0c0-0000-7000-8000-000000000002"

EXEC = {
    "type": "exec",
    "command": ["ls"],
    "timeout_ms": None,
    "working_directory": None,
    "env": None,
    "user": None,
}

ITEMS: list[tuple[type, dict[str, Json]]] = [
    (
        i.Message,
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
                {"type": "output_text", "text": "b"},
            ],
            "id": "msg_1",
            "end_turn": True,
            "phase": "final_answer",
        },
    ),
    (i.Message, {"type": "message", "role": "user", "content": []}),
    (
        i.ReasoningItem,
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": None,
            "encrypted_content": None,
        },
    ),
    (
        i.ReasoningItem,
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [
                {"type": "reasoning_text", "text": "r"},
                {"type": "text", "text": "t"},
            ],
            "encrypted_content": "gAAA",
        },
    ),
    (
        i.LocalShellCall,
        {"type": "local_shell_call", "call_id": None, "status": "completed", "action": EXEC},
    ),
    (
        i.LocalShellCall,
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "c1",
            "status": "in_progress",
            "action": {
                **EXEC,
                "timeout_ms": 1000,
                "working_directory": "/w",
                "env": {"A": "b"},
                "user": "u",
            },
        },
    ),
    (
        i.FunctionCall,
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c1"},
    ),
    (
        i.FunctionCallOutput,
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ),
    (
        i.FunctionCallOutput,
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [
                {"type": "input_text", "text": "t"},
                {"type": "input_image", "image_url": "u"},
            ],
        },
    ),
    (
        i.CustomToolCall,
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
    ),
    (
        i.CustomToolCall,
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "status": "completed",
            "call_id": "c1",
            "name": "apply_patch",
            "input": "",
        },
    ),
    (
        i.CustomToolCallOutput,
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ),
    (i.WebSearchCall, {"type": "web_search_call"}),
    *[
        (
            i.WebSearchCall,
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action},
        )
        for action in (
            {"type": "search"},
            {"type": "search", "query": "q", "queries": ["q"]},
            {"type": "open_page", "url": "https://example.org"},
            {"type": "find_in_page", "url": "https://example.org", "pattern": "p"},
            {"type": "other"},
        )
    ],
    (
        i.GhostSnapshot,
        {
            "type": "ghost_snapshot",
            "ghost_commit": {
                "id": "abc",
                "parent": None,
                "preexisting_untracked_files": ["f"],
                "preexisting_untracked_dirs": [],
            },
        },
    ),
    (i.Compaction, {"type": "compaction", "encrypted_content": "gAAA"}),
]

TURN_CONTEXT: dict[str, Json] = {
    "cwd": "/w",
    "approval_policy": "never",
    "sandbox_policy": {"type": "danger-full-access"},
    "model": "m",
    "summary": "auto",
}

RECORDS: list[tuple[type, str, dict[str, Json]]] = [
    (
        r.SessionMeta,
        "session_meta",
        {
            "id": THREAD,
            "timestamp": "2026-02-11T09:30:00.000Z",
            "cwd": "/w",
            "originator": "treadle",
            "cli_version": "0.1.0",
            "source": "exec",
            "model_provider": None,
            "base_instructions": None,
        },
    ),
    *[
        (
            r.SessionMeta,
            "session_meta",
            {
                "id": THREAD,
                "forked_from_id": OTHER,
                "timestamp": "2026-02-11T09:30:00.000Z",
                "cwd": "/w",
                "originator": "treadle",
                "cli_version": "0.1.0",
                "source": source,
                "model_provider": "p",
                "base_instructions": {"text": "Be brief."},
                "dynamic_tools": [
                    {"name": "n", "description": "d", "inputSchema": {"type": "object"}}
                ],
                "git": {"commit_hash": "abc", "branch": "main", "repository_url": "u"},
            },
        )
        for source in (
            "cli",
            "vscode",
            "mcp",
            "unknown",
            {"subagent": "review"},
            {"subagent": "compact"},
            {"subagent": "memory_consolidation"},
            {"subagent": {"thread_spawn": {"parent_thread_id": OTHER, "depth": 1}}},
            {"subagent": {"other": "label"}},
        )
    ],
    (r.TurnContextItem, "turn_context", TURN_CONTEXT),
    (
        r.TurnContextItem,
        "turn_context",
        {
            **TURN_CONTEXT,
            "turn_id": "t1",
            "sandbox_policy": {"type": "external-sandbox", "network_access": "enabled"},
            "personality": "friendly",
            "collaboration_mode": {
                "mode": "default",
                "settings": {
                    "model": "m",
                    "reasoning_effort": None,
                    "developer_instructions": None,
                },
            },
            "effort": "xhigh",
            "user_instructions": "u",
            "developer_instructions": "d",
            "final_output_json_schema": {"type": "object"},
            "truncation_policy": {"mode": "tokens", "limit": 10000},
        },
    ),
    *[
        (r.TurnContextItem, "turn_context", {**TURN_CONTEXT, "sandbox_policy": policy})
        for policy in (
            {"type": "read-only"},
            {"type": "read-only", "access": {"type": "full-access"}},
            {
                "type": "workspace-write",
                "network_access": False,
                "exclude_tmpdir_env_var": False,
                "exclude_slash_tmp": False,
            },
        )
    ],
    (r.CompactedItem, "compacted", {"message": "in short"}),
    (
        r.CompactedItem,
        "compacted",
        {"message": "", "replacement_history": [item for _, item in ITEMS[:2]]},
    ),
]
