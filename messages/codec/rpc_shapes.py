"""JSON shapes of what the app-server and its clients say: one rule, and where it does not hold."""

from typing import Any, cast

import attrs

from ..rpc import (
    account,
    actions,
    approvals,
    catalogue,
    config,
    elicitation,
    envelope,
    file_search,
    items,
    notifications,
    settings,
    skills,
    thread,
    thread_pages,
    tool_parts,
    turn,
    turn_error,
    user_input,
)
from ..rpc.value import RpcParams, RpcValue
from ..settings import KEEP
from ..value import Json
from .shape import FieldRule, Shape, Shapes

__all__ = ["RPC_SHAPES", "rpc_shape"]

_PLAIN = Shape()
_TOOL_TAG = "function"
_DEFAULT_MODES = frozenset({"code", "pair_programming", "execute", "custom"})


def _with_tags(raw: Json) -> Json:
    """Tools of a client; older clients do not say that they are functions."""
    if not isinstance(raw, list):
        return raw
    return [
        {"type": _TOOL_TAG, **cast("dict[str, Json]", each)} if isinstance(each, dict) else each
        for each in cast("list[Json]", raw)
    ]


def _with_present_mode(raw: Json) -> Json:
    """A collaboration mode under the name it has now."""
    match raw:
        case {"mode": str(mode)} if mode in _DEFAULT_MODES:
            return {**cast("dict[str, Json]", raw), "mode": "default"}
        case _:
            return raw


def rpc_shape(cls: type[RpcValue]) -> Shape:
    """
    Say what a class looks like: by its row, and else by the rule of the protocol.

    The rule: members are in camelCase.  Of what the server says, None is written as
    null; of what a client asks, it is left out.
    """
    row = RPC_SHAPES.get(cls, _PLAIN)
    fields = [
        field
        for field in cast("tuple[attrs.Attribute[Any], ...]", attrs.fields(cast("Any", cls)))
        if field.name != "extra"
    ]
    kept = tuple(field.name for field in fields if field.default is KEEP)
    nulls = tuple(
        field.name for field in fields if field.default is None and field.name not in row.omitted
    )
    return attrs.evolve(
        row,
        names={field.name: _camel_case(field.name) for field in fields} | dict(row.names),
        nulls=row.nulls if issubclass(cls, RpcParams) else nulls,
        omitted=row.omitted + kept,
    )


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _as_they_are(*names: str) -> dict[str, str]:
    """Names of members that are in snake_case all the same."""
    return {name: name for name in names}


RPC_SHAPES: Shapes = {
    # envelopes
    envelope.Request: Shape(omitted=("params",)),
    envelope.Notification: Shape(omitted=("params", "emitted_at_ms")),
    envelope.RpcError: Shape(omitted=("data",)),
    # settings
    settings.FullAccessReadOnlyAccess: Shape(tag="fullAccess"),
    settings.RestrictedReadOnlyAccess: Shape(tag="restricted"),
    settings.DangerFullAccessSandboxPolicy: Shape(tag="dangerFullAccess"),
    settings.ReadOnlySandboxPolicy: Shape(tag="readOnly"),
    settings.ExternalSandboxSandboxPolicy: Shape(tag="externalSandbox"),
    settings.WorkspaceWriteSandboxPolicy: Shape(tag="workspaceWrite"),
    settings.DynamicToolSpec: Shape(tag=_TOOL_TAG),
    # user input
    user_input.TextUserInput: Shape(tag="text", names=_as_they_are("text_elements")),
    user_input.ImageUserInput: Shape(tag="image"),
    user_input.LocalImageUserInput: Shape(tag="localImage"),
    user_input.SkillUserInput: Shape(tag="skill"),
    user_input.MentionUserInput: Shape(tag="mention"),
    # items
    items.UserMessageThreadItem: Shape(tag="userMessage"),
    items.AgentMessageThreadItem: Shape(tag="agentMessage"),
    items.PlanThreadItem: Shape(tag="plan"),
    items.ReasoningThreadItem: Shape(tag="reasoning"),
    items.CommandExecutionThreadItem: Shape(tag="commandExecution"),
    items.FileChangeThreadItem: Shape(tag="fileChange"),
    items.McpToolCallThreadItem: Shape(tag="mcpToolCall"),
    items.DynamicToolCallThreadItem: Shape(tag="dynamicToolCall"),
    items.CollabAgentToolCallThreadItem: Shape(tag="collabAgentToolCall"),
    items.WebSearchThreadItem: Shape(tag="webSearch"),
    items.ImageViewThreadItem: Shape(tag="imageView"),
    items.EnteredReviewModeThreadItem: Shape(tag="enteredReviewMode"),
    items.ExitedReviewModeThreadItem: Shape(tag="exitedReviewMode"),
    items.ContextCompactionThreadItem: Shape(tag="contextCompaction"),
    # parts of items
    actions.ReadCommandAction: Shape(tag="read"),
    actions.ListFilesCommandAction: Shape(tag="listFiles"),
    actions.SearchCommandAction: Shape(tag="search"),
    actions.UnknownCommandAction: Shape(tag="unknown"),
    actions.SearchWebSearchAction: Shape(tag="search"),
    actions.OpenPageWebSearchAction: Shape(tag="openPage"),
    actions.FindInPageWebSearchAction: Shape(tag="findInPage"),
    actions.OtherWebSearchAction: Shape(tag="other"),
    tool_parts.AddPatchChangeKind: Shape(tag="add"),
    tool_parts.DeletePatchChangeKind: Shape(tag="delete"),
    tool_parts.UpdatePatchChangeKind: Shape(tag="update", names=_as_they_are("move_path")),
    tool_parts.McpToolCallResult: Shape(names={"meta": "_meta"}),
    tool_parts.InputTextDynamicToolCallOutputContentItem: Shape(tag="inputText"),
    tool_parts.InputImageDynamicToolCallOutputContentItem: Shape(tag="inputImage"),
    # turns
    turn.TurnStartParams: Shape(
        rules={"collaboration_mode": FieldRule(arriving=_with_present_mode)}
    ),
    turn_error.HttpConnectionFailedCodexErrorInfo: Shape(wrapper="httpConnectionFailed"),
    turn_error.ResponseStreamConnectionFailedCodexErrorInfo: Shape(
        wrapper="responseStreamConnectionFailed"
    ),
    turn_error.ResponseStreamDisconnectedCodexErrorInfo: Shape(
        wrapper="responseStreamDisconnected"
    ),
    turn_error.ResponseTooManyFailedAttemptsCodexErrorInfo: Shape(
        wrapper="responseTooManyFailedAttempts"
    ),
    # threads
    thread.NotLoadedThreadStatus: Shape(tag="notLoaded"),
    thread.IdleThreadStatus: Shape(tag="idle"),
    thread.SystemErrorThreadStatus: Shape(tag="systemError"),
    thread.ActiveThreadStatus: Shape(tag="active"),
    thread.ThreadStartParams: Shape(rules={"dynamic_tools": FieldRule(arriving=_with_tags)}),
    thread_pages.ThreadItemsListAnchor: Shape(tag="item"),
    thread_pages.ThreadItemEntry: Shape(omitted=("output_deferred",)),
    # notifications
    notifications.ThreadNameUpdatedNotification: Shape(omitted=("thread_name",)),
    notifications.ConfigWarningNotification: Shape(omitted=("path", "range")),
    notifications.McpServerOauthLoginCompletedNotification: Shape(omitted=("error",)),
    # what the server asks
    approvals.CommandExecutionRequestApprovalParams: Shape(
        omitted=(
            "approval_id",
            "reason",
            "command",
            "cwd",
            "command_actions",
            "proposed_execpolicy_amendment",
        )
    ),
    approvals.AcceptWithExecpolicyAmendment: Shape(
        wrapper="acceptWithExecpolicyAmendment", names=_as_they_are("execpolicy_amendment")
    ),
    elicitation.McpServerElicitationRequestParams: Shape(
        tag="form", tag_key="mode", names={"meta": "_meta"}
    ),
    elicitation.McpServerElicitationRequestResponse: Shape(names={"meta": "_meta"}),
    account.ChatgptAuthTokensRefreshParams: Shape(omitted=("previous_account_id",)),
    # accounts
    account.ApiKeyAccount: Shape(tag="apiKey"),
    account.ChatgptAccount: Shape(tag="chatgpt"),
    account.ApiKeyLoginAccountParams: Shape(tag="apiKey"),
    account.ChatgptLoginAccountParams: Shape(tag="chatgpt"),
    account.ChatgptAuthTokensLoginAccountParams: Shape(tag="chatgptAuthTokens"),
    account.ApiKeyLoginAccountResponse: Shape(tag="apiKey"),
    account.ChatgptLoginAccountResponse: Shape(tag="chatgpt"),
    account.ChatgptAuthTokensLoginAccountResponse: Shape(tag="chatgptAuthTokens"),
    # lists
    catalogue.CollaborationModeMask: Shape(
        names=_as_they_are("reasoning_effort", "developer_instructions")
    ),
    file_search.FuzzyFileSearchResult: Shape(names=_as_they_are("file_name", "match_type")),
    skills.SkillMetadata: Shape(omitted=("short_description", "interface", "dependencies")),
    skills.SkillInterface: Shape(
        omitted=(
            "display_name",
            "short_description",
            "icon_small",
            "icon_large",
            "brand_color",
            "default_prompt",
        )
    ),
    skills.SkillToolDependency: Shape(omitted=("description", "transport", "command", "url")),
    # configuration
    config.SystemConfigLayerSource: Shape(tag="system"),
    config.UserConfigLayerSource: Shape(tag="user"),
    config.ProjectConfigLayerSource: Shape(tag="project"),
    config.SessionFlagsConfigLayerSource: Shape(tag="sessionFlags"),
}
