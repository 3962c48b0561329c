"""
Keys of a ``config.toml`` that Codex knows and that do not concern us.

A home may belong to both, so these are left alone without a word; everything else
that nothing reads is told, because it is most likely misspelt.

Source:
    Codex, the schema of its configuration, and older names that it still takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from messages.value import Json

__all__ = ["is_left_to_codex"]

_TOP: Final = """
allow_login_shell analytics approvals_reviewer apps apps_mcp_product_sku audio auto_review
background_terminal_max_timeout chatgpt_base_url check_for_update_on_startup
debug default_permissions desktop disable_paste_burst
disable_response_storage experimental_instructions_file
experimental_realtime_start_instructions experimental_realtime_ws_backend_prompt
experimental_realtime_ws_base_url experimental_realtime_ws_mode experimental_realtime_ws_model
experimental_realtime_ws_startup_context experimental_supported_tools
experimental_thread_config_endpoint experimental_thread_store
experimental_use_exec_command_tool experimental_use_freeform_apply_patch
experimental_use_rmcp_client experimental_use_unified_exec_tool feedback file_opener
forced_chatgpt_workspace_id forced_login_method ghost_snapshot hide_agent_reasoning history hooks
include_apply_patch_tool include_apps_instructions include_collaboration_mode_instructions
include_environment_context include_permissions_instructions include_view_image_tool
js_repl_node_module_dirs js_repl_node_path log_dir marketplaces mcp_oauth_callback_port
mcp_oauth_callback_url mcp_oauth_credentials_store memories
model_auto_compact_token_limit_scope model_catalog_json model_max_output_tokens model_verbosity
notice notify oss_provider otel permissions plan_mode_reasoning_effort plugins
preferred_auth_method realtime responses_originator_header_internal_override service_tier
show_raw_agent_reasoning sqlite_home suppress_unstable_features_warning tool_suggest tools tui
web_search windows windows_wsl_setup_acknowledged zsh_path
"""

_FEATURES: Final = """
apply_patch_streaming_events apps apps_mcp_path_override auth_elicitation browser_use
browser_use_external child_agents_md chronicle code_mode code_mode_only codex_git_commit
codex_hooks collaboration_modes computer_use connectors default_mode_request_user_input
elevated_windows_sandbox enable_experimental_windows_sandbox enable_fanout enable_mcp_apps
enable_request_compression exec_permission_approvals exec_policy
experimental_use_freeform_apply_patch experimental_use_rmcp_client
experimental_use_unified_exec_tool experimental_windows_sandbox external_migration fast_mode
ghost_commit goals guardian_approval hooks image_detail_original image_generation imagegenext
in_app_browser include_apply_patch_tool js_repl js_repl_tools_only
local_thread_store_compression memories memory_tool mentions_v2 multi_agent multi_agent_v2
network_proxy non_prefixed_mcp_tool_names parallel personality plugin_hooks plugin_sharing
plugins powershell_utf8 prevent_idle_sleep realtime_conversation remote_compaction
remote_compaction_v2 remote_control remote_models remote_plugin request_permissions
request_permissions_tool request_rule responses_websocket_response_processed
responses_websockets responses_websockets_v2 rmcp_client runtime_metrics search_tool
shell_snapshot shell_zsh_fork skill_mcp_dependency_install skills sqlite standalone_web_search
steer telepathy terminal_resize_reflow tool_call_mcp_elicitation tool_search
tool_search_always_defer_mcp_tools tool_suggest tui2 tui_app_server unavailable_dummy_tools undo
unified_exec_zsh_fork use_legacy_landlock use_linux_sandbox_bwrap view_image_tool warnings
web_search web_search_cached web_search_request workspace_dependencies
workspace_owner_usage_nudge
"""

_MCP: Final = """
default_tools_approval_mode environment_id name oauth oauth_resource scopes
supports_parallel_tool_calls tools
"""

_PROVIDERS: Final = "auth aws supports_websockets websocket_connect_timeout_ms"

_ANY: Final = "*"
"""A part that the user may name."""

_KEYS: Final = frozenset(
    {(name,) for name in _TOP.split()}
    | {("features", name) for name in _FEATURES.split()}
    | {("mcp_servers", _ANY, name) for name in _MCP.split()}
    | {("model_providers", _ANY, name) for name in _PROVIDERS.split()}
    | {("agents", "interrupt_message"), ("agents", "job_max_runtime_seconds")}
    | {("skills", "bundled"), ("skills", "include_instructions")}
    | {("shell_environment_policy", "experimental_use_profile")}
)


def is_left_to_codex(path: Sequence[str], value: Json) -> bool:
    """
    Whether Codex knows a key that we do not read.

    Args:
        path: The key, table by table, without the name of a profile.
        value: What it holds; tables below ``agents`` describe roles.
    """
    match tuple(path):
        case ("agents", _) if isinstance(value, dict):
            return True
        case (first, _, *rest) if rest:
            return (first, _ANY, *rest) in _KEYS
        case key:
            return key in _KEYS
