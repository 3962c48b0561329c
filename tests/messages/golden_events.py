"""One event of every kind as it stands in JSON, in the form that we write."""

from messages import events as e
from messages.value import Json

THREAD = "0195a0c0-0000-7000-8000-000000000001"
OTHER = "0195a0c0-0000-7000-8000-000000000002"
TURN = "0195a0c0-1111-7000-8000-000000000001"

USAGE = {
    "input_tokens": 10,
    "cached_input_tokens": 4,
    "output_tokens": 3,
    "reasoning_output_tokens": 1,
    "total_tokens": 13,
}
CHANGES = {
    "/w/new.txt": {"type": "add", "content": "hello\n"},
    "/w/old.txt": {"type": "delete", "content": "bye\n"},
    "/w/moved.txt": {"type": "update", "unified_diff": "@@ -1 +1 @@", "move_path": "/w/there.txt"},
    "/w/same.txt": {"type": "update", "unified_diff": "@@ -2 +2 @@", "move_path": None},
}
COMMAND = {
    "call_id": "c1",
    "turn_id": TURN,
    "command": ["bash", "-lc", "ls src"],
    "cwd": "/w",
    "parsed_cmd": [
        {"type": "read", "cmd": "cat a", "name": "a", "path": "/w/a"},
        {"type": "list_files", "cmd": "ls src", "path": "src"},
        {"type": "search", "cmd": "rg x", "query": "x", "path": None},
        {"type": "unknown", "cmd": "true"},
    ],
}
PLACE = {"thread_id": THREAD, "turn_id": TURN}
PIECE = {**PLACE, "item_id": "i1", "delta": "wor"}
INVOCATION = {"server": "docs", "tool": "find", "arguments": {"q": ["a", 1, None]}}
PAIR = {"call_id": "c1", "sender_thread_id": THREAD, "receiver_thread_id": OTHER}

EVENTS: list[tuple[type, dict[str, Json]]] = [
    (
        e.SessionConfigured,
        {
            "type": "session_configured",
            "session_id": THREAD,
            "model": "m",
            "model_provider_id": "p",
            "approval_policy": "on-request",
            "sandbox_policy": {"type": "read-only"},
            "cwd": "/w",
            "history_log_id": 7,
            "history_entry_count": 2,
        },
    ),
    (
        e.SessionConfigured,
        {
            "type": "session_configured",
            "session_id": THREAD,
            "forked_from_id": OTHER,
            "thread_name": "name",
            "model": "m",
            "model_provider_id": "p",
            "approval_policy": "never",
            "sandbox_policy": {
                "type": "workspace-write",
                "writable_roots": ["/w"],
                "read_only_access": {
                    "type": "restricted",
                    "include_platform_defaults": True,
                    "readable_roots": ["/r"],
                },
                "network_access": True,
                "exclude_tmpdir_env_var": False,
                "exclude_slash_tmp": True,
            },
            "cwd": "/w",
            "reasoning_effort": "high",
            "history_log_id": 7,
            "history_entry_count": 2,
            "initial_messages": [
                {"type": "agent_message", "message": "hi"},
                {"type": "shutdown_complete"},
            ],
            "network_proxy": {"http_addr": "h:1", "socks_addr": "s:2", "admin_addr": "a:3"},
            "rollout_path": "/h/r.jsonl",
        },
    ),
    (
        e.TurnStarted,
        {
            "type": "task_started",
            "turn_id": TURN,
            "model_context_window": 1000,
            "collaboration_mode_kind": "plan",
        },
    ),
    (e.TurnComplete, {"type": "task_complete", "turn_id": TURN, "last_agent_message": None}),
    (e.TurnAborted, {"type": "turn_aborted", "turn_id": TURN, "reason": "interrupted"}),
    (e.TurnAborted, {"type": "turn_aborted", "turn_id": None, "reason": "review_ended"}),
    (e.ErrorEvent, {"type": "error", "message": "no", "codex_error_info": None}),
    (
        e.ErrorEvent,
        {"type": "error", "message": "no", "codex_error_info": "usage_limit_exceeded"},
    ),
    *[
        (e.ErrorEvent, {"type": "error", "message": "no", "codex_error_info": {kind: status}})
        for kind in (
            "http_connection_failed",
            "response_stream_connection_failed",
            "response_stream_disconnected",
            "response_too_many_failed_attempts",
        )
        for status in ({"http_status_code": 503}, {"http_status_code": None})
    ],
    (e.WarningEvent, {"type": "warning", "message": "careful"}),
    (e.BackgroundEvent, {"type": "background_event", "message": "busy"}),
    (
        e.StreamError,
        {
            "type": "stream_error",
            "message": "again",
            "codex_error_info": "other",
            "additional_details": None,
        },
    ),
    (e.DeprecationNotice, {"type": "deprecation_notice", "summary": "old"}),
    (e.DeprecationNotice, {"type": "deprecation_notice", "summary": "old", "details": "why"}),
    (
        e.ModelReroute,
        {
            "type": "model_reroute",
            "from_model": "a",
            "to_model": "b",
            "reason": "high_risk_cyber_activity",
        },
    ),
    (e.ContextCompacted, {"type": "context_compacted"}),
    (e.ThreadRolledBack, {"type": "thread_rolled_back", "num_turns": 2}),
    (e.ThreadNameUpdated, {"type": "thread_name_updated", "thread_id": THREAD}),
    (
        e.ThreadNameUpdated,
        {"type": "thread_name_updated", "thread_id": THREAD, "thread_name": "n"},
    ),
    (e.TokenCount, {"type": "token_count", "info": None, "rate_limits": None}),
    (
        e.TokenCount,
        {
            "type": "token_count",
            "info": {
                "total_token_usage": USAGE,
                "last_token_usage": USAGE,
                "model_context_window": None,
            },
            "rate_limits": {
                "limit_id": None,
                "limit_name": None,
                "primary": {"used_percent": 12.5, "window_minutes": 300, "resets_at": None},
                "secondary": None,
                "credits": {"has_credits": True, "unlimited": False, "balance": None},
                "plan_type": "pro",
            },
        },
    ),
    (
        e.UserMessage,
        {"type": "user_message", "message": "hi", "local_images": [], "text_elements": []},
    ),
    (
        e.UserMessage,
        {
            "type": "user_message",
            "message": "hi",
            "images": ["https://example.org/i.png"],
            "local_images": ["/w/i.png"],
            "text_elements": [
                {"byte_range": {"start": 0, "end": 2}, "placeholder": "hi"},
                {"byte_range": {"start": 0, "end": 1}, "placeholder": None},
            ],
        },
    ),
    (e.AgentMessage, {"type": "agent_message", "message": "hello"}),
    (e.AgentMessageDelta, {"type": "agent_message_delta", "delta": "he"}),
    (e.AgentReasoning, {"type": "agent_reasoning", "text": "hm"}),
    (e.AgentReasoningDelta, {"type": "agent_reasoning_delta", "delta": "h"}),
    (e.AgentReasoningRawContent, {"type": "agent_reasoning_raw_content", "text": "hm"}),
    (e.AgentReasoningRawContentDelta, {"type": "agent_reasoning_raw_content_delta", "delta": "h"}),
    (
        e.AgentReasoningSectionBreak,
        {"type": "agent_reasoning_section_break", "item_id": "i1", "summary_index": 1},
    ),
    *[
        (cls, {"type": tag, **PLACE, "item": item})
        for cls, tag in ((e.ItemStarted, "item_started"), (e.ItemCompleted, "item_completed"))
        for item in (
            {
                "type": "UserMessage",
                "id": "i1",
                "content": [{"type": "mention", "name": "n", "path": "p"}],
            },
            {"type": "AgentMessage", "id": "i2", "content": [{"type": "Text", "text": "t"}]},
            {
                "type": "AgentMessage",
                "id": "i2",
                "content": [{"type": "Text", "text": "t"}],
                "phase": "commentary",
            },
            {"type": "Plan", "id": "i3", "text": "first"},
            {"type": "Reasoning", "id": "i4", "summary_text": ["s"], "raw_content": ["r"]},
            {"type": "WebSearch", "id": "i5", "query": "q", "action": {"type": "other"}},
            {"type": "ContextCompaction", "id": "i6"},
        )
    ],
    (e.AgentMessageContentDelta, {"type": "agent_message_content_delta", **PIECE}),
    (e.PlanDelta, {"type": "plan_delta", **PIECE}),
    (e.ReasoningContentDelta, {"type": "reasoning_content_delta", **PIECE, "summary_index": 0}),
    (
        e.ReasoningRawContentDelta,
        {"type": "reasoning_raw_content_delta", **PIECE, "content_index": 3},
    ),
    (
        e.RawResponseItem,
        {
            "type": "raw_response_item",
            "item": {"type": "message", "role": "user", "content": []},
        },
    ),
    (e.ExecCommandBegin, {"type": "exec_command_begin", **COMMAND, "source": "agent"}),
    (
        e.ExecCommandBegin,
        {
            "type": "exec_command_begin",
            **COMMAND,
            "source": "unified_exec_interaction",
            "process_id": "9",
            "interaction_input": "y\n",
        },
    ),
    (
        e.ExecCommandOutputDelta,
        {
            "type": "exec_command_output_delta",
            "call_id": "c1",
            "stream": "stderr",
            "chunk": "/wD+",
        },
    ),
    (
        e.TerminalInteraction,
        {"type": "terminal_interaction", "call_id": "c1", "process_id": "9", "stdin": "y"},
    ),
    (
        e.ExecCommandEnd,
        {
            "type": "exec_command_end",
            **COMMAND,
            "source": "user_shell",
            "stdout": "o",
            "stderr": "e",
            "aggregated_output": "oe",
            "exit_code": -1,
            "duration": {"secs": 1, "nanos": 250_000_001},
            "formatted_output": "f",
            "status": "declined",
        },
    ),
    (e.ExecApprovalRequest, {"type": "exec_approval_request", **COMMAND}),
    (
        e.ExecApprovalRequest,
        {
            "type": "exec_approval_request",
            **COMMAND,
            "approval_id": "a1",
            "reason": "writes",
            "network_approval_context": {"host": "example.org", "protocol": "https"},
            "proposed_execpolicy_amendment": ["ls"],
        },
    ),
    (
        e.ApplyPatchApprovalRequest,
        {
            "type": "apply_patch_approval_request",
            "call_id": "c1",
            "turn_id": TURN,
            "changes": CHANGES,
        },
    ),
    (
        e.ApplyPatchApprovalRequest,
        {
            "type": "apply_patch_approval_request",
            "call_id": "c1",
            "turn_id": TURN,
            "changes": {},
            "reason": "outside",
            "grant_root": "/w",
        },
    ),
    (
        e.PatchApplyBegin,
        {
            "type": "patch_apply_begin",
            "call_id": "c1",
            "turn_id": TURN,
            "auto_approved": True,
            "changes": CHANGES,
        },
    ),
    (
        e.PatchApplyEnd,
        {
            "type": "patch_apply_end",
            "call_id": "c1",
            "turn_id": TURN,
            "stdout": "",
            "stderr": "",
            "success": False,
            "changes": {},
            "status": "failed",
        },
    ),
    (e.TurnDiff, {"type": "turn_diff", "unified_diff": "diff"}),
    (
        e.RequestUserInput,
        {
            "type": "request_user_input",
            "call_id": "c1",
            "turn_id": TURN,
            "questions": [
                {
                    "id": "q1",
                    "header": "h",
                    "question": "?",
                    "isOther": True,
                    "isSecret": False,
                    "options": [{"label": "l", "description": "d"}],
                },
                {"id": "q2", "header": "h", "question": "?", "isOther": False, "isSecret": True},
            ],
        },
    ),
    (
        e.DynamicToolCallRequest,
        {
            "type": "dynamic_tool_call_request",
            "callId": "c1",
            "turnId": TURN,
            "tool": "t",
            "arguments": {"a": 1},
        },
    ),
    (
        e.ElicitationRequest,
        {"type": "elicitation_request", "server_name": "s", "id": 4, "message": "?"},
    ),
    (
        e.ElicitationRequest,
        {"type": "elicitation_request", "server_name": "s", "id": "four", "message": "?"},
    ),
    (
        e.McpToolCallBegin,
        {"type": "mcp_tool_call_begin", "call_id": "c1", "invocation": INVOCATION},
    ),
    (
        e.McpToolCallEnd,
        {
            "type": "mcp_tool_call_end",
            "call_id": "c1",
            "invocation": {**INVOCATION, "arguments": None},
            "duration": {"secs": 0, "nanos": 5},
            "result": {
                "Ok": {
                    "content": [{"type": "text", "text": "t"}],
                    "structuredContent": {"a": 1.5},
                    "isError": False,
                    "_meta": {"m": []},
                }
            },
        },
    ),
    (
        e.McpToolCallEnd,
        {
            "type": "mcp_tool_call_end",
            "call_id": "c1",
            "invocation": INVOCATION,
            "duration": {"secs": 2, "nanos": 0},
            "result": {"Err": "gone"},
        },
    ),
    *[
        (e.McpStartupUpdate, {"type": "mcp_startup_update", "server": "s", "status": status})
        for status in (
            {"state": "starting"},
            {"state": "ready"},
            {"state": "cancelled"},
            {"state": "failed", "error": "no such program"},
        )
    ],
    (
        e.McpStartupComplete,
        {
            "type": "mcp_startup_complete",
            "ready": ["a"],
            "failed": [{"server": "b", "error": "no"}],
            "cancelled": ["c"],
        },
    ),
    (
        e.McpListToolsResponse,
        {
            "type": "mcp_list_tools_response",
            "tools": {"mcp__a__t": {"name": "t", "inputSchema": {}}},
            "resources": {"a": []},
            "resource_templates": {"a": []},
            "auth_statuses": {"a": "o_auth"},
        },
    ),
    (e.WebSearchBegin, {"type": "web_search_begin", "call_id": "c1"}),
    (
        e.WebSearchEnd,
        {
            "type": "web_search_end",
            "call_id": "c1",
            "query": "q",
            "action": {"type": "search", "query": "q", "queries": ["q", "r"]},
        },
    ),
    (e.ViewImageToolCall, {"type": "view_image_tool_call", "call_id": "c1", "path": "/w/i.png"}),
    (
        e.PlanUpdate,
        {
            "type": "plan_update",
            "explanation": None,
            "plan": [{"step": "s", "status": "in_progress"}],
        },
    ),
    (
        e.GetHistoryEntryResponse,
        {"type": "get_history_entry_response", "offset": 0, "log_id": 1},
    ),
    (
        e.GetHistoryEntryResponse,
        {
            "type": "get_history_entry_response",
            "offset": 0,
            "log_id": 1,
            "entry": {"conversation_id": THREAD, "ts": 5, "text": "t"},
        },
    ),
    (
        e.ListCustomPromptsResponse,
        {
            "type": "list_custom_prompts_response",
            "custom_prompts": [
                {
                    "name": "n",
                    "path": "/p.md",
                    "content": "c",
                    "description": None,
                    "argument_hint": "[file]",
                }
            ],
        },
    ),
    (
        e.ListSkillsResponse,
        {
            "type": "list_skills_response",
            "skills": [
                {
                    "cwd": "/w",
                    "skills": [
                        {
                            "name": "n",
                            "description": "d",
                            "short_description": "s",
                            "interface": {"display_name": "N"},
                            "dependencies": {"tools": []},
                            "path": "/s/SKILL.md",
                            "scope": "repo",
                            "enabled": True,
                        }
                    ],
                    "errors": [{"path": "/s/bad.md", "message": "no name"}],
                }
            ],
        },
    ),
    (
        e.ListRemoteSkillsResponse,
        {
            "type": "list_remote_skills_response",
            "skills": [{"id": "i", "name": "n", "description": "d"}],
        },
    ),
    (
        e.RemoteSkillDownloaded,
        {"type": "remote_skill_downloaded", "id": "i", "name": "n", "path": "/s"},
    ),
    (e.SkillsUpdateAvailable, {"type": "skills_update_available"}),
    (e.ShutdownComplete, {"type": "shutdown_complete"}),
    *[
        (e.EnteredReviewMode, {"type": "entered_review_mode", "target": target})
        for target in (
            {"type": "uncommittedChanges"},
            {"type": "baseBranch", "branch": "main"},
            {"type": "commit", "sha": "abc", "title": None},
            {"type": "custom", "instructions": "look"},
        )
    ],
    (
        e.EnteredReviewMode,
        {
            "type": "entered_review_mode",
            "target": {"type": "commit", "sha": "abc", "title": "t"},
            "user_facing_hint": "hint",
        },
    ),
    (e.ExitedReviewMode, {"type": "exited_review_mode", "review_output": None}),
    (
        e.ExitedReviewMode,
        {
            "type": "exited_review_mode",
            "review_output": {
                "findings": [
                    {
                        "title": "t",
                        "body": "b",
                        "confidence_score": 0.5,
                        "priority": 1,
                        "code_location": {
                            "absolute_file_path": "/w/a.py",
                            "line_range": {"start": 1, "end": 2},
                        },
                    }
                ],
                "overall_correctness": "patch is correct",
                "overall_explanation": "fine",
                "overall_confidence_score": 1,
            },
        },
    ),
    (e.UndoStarted, {"type": "undo_started"}),
    (e.UndoStarted, {"type": "undo_started", "message": "m"}),
    (e.UndoCompleted, {"type": "undo_completed", "success": True}),
    (
        e.CollabAgentSpawnBegin,
        {
            "type": "collab_agent_spawn_begin",
            "call_id": "c1",
            "sender_thread_id": THREAD,
            "prompt": "p",
        },
    ),
    *[
        (
            e.CollabAgentSpawnEnd,
            {
                "type": "collab_agent_spawn_end",
                "call_id": "c1",
                "sender_thread_id": THREAD,
                "new_thread_id": new,
                "prompt": "p",
                "status": status,
            },
        )
        for new, status in (
            (OTHER, "pending_init"),
            (None, "not_found"),
            (OTHER, {"completed": "done"}),
            (OTHER, {"completed": None}),
            (OTHER, {"errored": "no"}),
        )
    ],
    (
        e.CollabAgentInteractionBegin,
        {"type": "collab_agent_interaction_begin", **PAIR, "prompt": "p"},
    ),
    (
        e.CollabAgentInteractionEnd,
        {"type": "collab_agent_interaction_end", **PAIR, "prompt": "p", "status": "running"},
    ),
    (
        e.CollabWaitingBegin,
        {
            "type": "collab_waiting_begin",
            "sender_thread_id": THREAD,
            "receiver_thread_ids": [OTHER],
            "call_id": "c1",
        },
    ),
    (
        e.CollabWaitingEnd,
        {
            "type": "collab_waiting_end",
            "sender_thread_id": THREAD,
            "call_id": "c1",
            "statuses": {OTHER: {"completed": "done"}},
        },
    ),
    (e.CollabCloseBegin, {"type": "collab_close_begin", **PAIR}),
    (e.CollabCloseEnd, {"type": "collab_close_end", **PAIR, "status": "shutdown"}),
    (e.CollabResumeBegin, {"type": "collab_resume_begin", **PAIR}),
    (e.CollabResumeEnd, {"type": "collab_resume_end", **PAIR, "status": "running"}),
]
