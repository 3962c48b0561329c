"""All requests by method: what they ask, what answers them, and which are experimental."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from . import (
    account,
    approvals,
    catalogue,
    command,
    config,
    elicitation,
    file_search,
    handshake,
    pool,
    skills,
    thread,
    thread_pages,
    thread_upkeep,
    treadle,
    turn,
)

__all__ = [
    "CLIENT_REQUESTS",
    "EXPERIMENTAL_FIELDS",
    "SERVER_REQUESTS",
    "RequestKind",
    "ServerRequestParams",
    "experimental_use",
]


class RequestKind(NamedTuple):
    """
    One kind of request.

    Attributes:
        params: Class of its parameters, or a union of them; None when it takes none.
        response: Class of its answer, or a union of them.
        experimental: Whether only clients may use it that said so.
    """

    params: Any
    response: Any
    experimental: bool = False


CLIENT_REQUESTS: Mapping[str, RequestKind] = MappingProxyType(
    {
        "initialize": RequestKind(handshake.InitializeParams, handshake.InitializeResponse),
        # threads
        "thread/start": RequestKind(thread.ThreadStartParams, thread.ThreadStartResponse),
        "thread/resume": RequestKind(thread.ThreadResumeParams, thread.ThreadResumeResponse),
        "thread/fork": RequestKind(thread.ThreadForkParams, thread.ThreadForkResponse),
        "thread/read": RequestKind(thread.ThreadReadParams, thread.ThreadReadResponse),
        "thread/list": RequestKind(thread_pages.ThreadListParams, thread_pages.ThreadListResponse),
        "thread/loaded/list": RequestKind(
            thread_pages.ThreadLoadedListParams, thread_pages.ThreadLoadedListResponse
        ),
        "thread/turns/list": RequestKind(
            thread_pages.ThreadTurnsListParams, thread_pages.ThreadTurnsListResponse
        ),
        "thread/items/list": RequestKind(
            thread_pages.ThreadItemsListParams, thread_pages.ThreadItemsListResponse
        ),
        "thread/archive": RequestKind(
            thread_upkeep.ThreadArchiveParams, thread_upkeep.ThreadArchiveResponse
        ),
        "thread/unarchive": RequestKind(
            thread_upkeep.ThreadUnarchiveParams, thread_upkeep.ThreadUnarchiveResponse
        ),
        "thread/delete": RequestKind(
            thread_upkeep.ThreadDeleteParams, thread_upkeep.ThreadDeleteResponse
        ),
        "thread/unsubscribe": RequestKind(
            thread_upkeep.ThreadUnsubscribeParams, thread_upkeep.ThreadUnsubscribeResponse
        ),
        "thread/name/set": RequestKind(
            thread_upkeep.ThreadSetNameParams, thread_upkeep.ThreadSetNameResponse
        ),
        "thread/metadata/update": RequestKind(
            thread_upkeep.ThreadMetadataUpdateParams, thread_upkeep.ThreadMetadataUpdateResponse
        ),
        "thread/rollback": RequestKind(
            thread_upkeep.ThreadRollbackParams, thread_upkeep.ThreadRollbackResponse
        ),
        "thread/revert": RequestKind(
            thread_upkeep.ThreadRevertParams, thread_upkeep.ThreadRevertResponse
        ),
        "thread/compact/start": RequestKind(
            thread_upkeep.ThreadCompactStartParams, thread_upkeep.ThreadCompactStartResponse
        ),
        "thread/backgroundTerminals/clean": RequestKind(
            thread_upkeep.ThreadBackgroundTerminalsCleanParams,
            thread_upkeep.ThreadBackgroundTerminalsCleanResponse,
            experimental=True,
        ),
        # turns
        "turn/start": RequestKind(turn.TurnStartParams, turn.TurnStartResponse),
        "turn/steer": RequestKind(turn.TurnSteerParams, turn.TurnSteerResponse),
        "turn/interrupt": RequestKind(turn.TurnInterruptParams, turn.TurnInterruptResponse),
        "review/start": RequestKind(turn.ReviewStartParams, turn.ReviewStartResponse),
        "command/exec": RequestKind(command.CommandExecParams, command.CommandExecResponse),
        # threads as they are, for Treadle's own clients
        "treadle/submit": RequestKind(
            treadle.TreadleSubmitParams, treadle.TreadleSubmitResponse, experimental=True
        ),
        "treadle/steer": RequestKind(
            treadle.TreadleSteerParams, treadle.TreadleSteerResponse, experimental=True
        ),
        "treadle/approval/revoke": RequestKind(
            treadle.TreadleRevokeParams, treadle.TreadleRevokeResponse, experimental=True
        ),
        "treadle/close": RequestKind(
            treadle.TreadleCloseParams, treadle.TreadleCloseResponse, experimental=True
        ),
        # pools of workers
        "treadle/pool/read": RequestKind(None, pool.PoolReadResponse),
        # what there is
        "model/list": RequestKind(catalogue.ModelListParams, catalogue.ModelListResponse),
        "collaborationMode/list": RequestKind(
            catalogue.CollaborationModeListParams,
            catalogue.CollaborationModeListResponse,
            experimental=True,
        ),
        "experimentalFeature/list": RequestKind(
            catalogue.ExperimentalFeatureListParams, catalogue.ExperimentalFeatureListResponse
        ),
        "app/list": RequestKind(catalogue.AppsListParams, catalogue.AppsListResponse),
        "skills/list": RequestKind(skills.SkillsListParams, skills.SkillsListResponse),
        "skills/config/write": RequestKind(
            skills.SkillsConfigWriteParams, skills.SkillsConfigWriteResponse
        ),
        "config/mcpServer/reload": RequestKind(None, catalogue.McpServerRefreshResponse),
        "mcpServerStatus/list": RequestKind(
            catalogue.ListMcpServerStatusParams, catalogue.ListMcpServerStatusResponse
        ),
        "mcpServer/oauth/login": RequestKind(
            catalogue.McpServerOauthLoginParams, catalogue.McpServerOauthLoginResponse
        ),
        "fuzzyFileSearch": RequestKind(
            file_search.FuzzyFileSearchParams, file_search.FuzzyFileSearchResponse
        ),
        "fuzzyFileSearch/sessionStart": RequestKind(
            file_search.FuzzyFileSearchSessionStartParams,
            file_search.FuzzyFileSearchSessionStartResponse,
            experimental=True,
        ),
        "fuzzyFileSearch/sessionUpdate": RequestKind(
            file_search.FuzzyFileSearchSessionUpdateParams,
            file_search.FuzzyFileSearchSessionUpdateResponse,
            experimental=True,
        ),
        "fuzzyFileSearch/sessionStop": RequestKind(
            file_search.FuzzyFileSearchSessionStopParams,
            file_search.FuzzyFileSearchSessionStopResponse,
            experimental=True,
        ),
        "mock/experimentalMethod": RequestKind(
            catalogue.MockExperimentalMethodParams,
            catalogue.MockExperimentalMethodResponse,
            experimental=True,
        ),
        "feedback/upload": RequestKind(
            catalogue.FeedbackUploadParams, catalogue.FeedbackUploadResponse
        ),
        # configuration
        "config/read": RequestKind(config.ConfigReadParams, config.ConfigReadResponse),
        "config/value/write": RequestKind(
            config.ConfigValueWriteParams, config.ConfigWriteResponse
        ),
        "config/batchWrite": RequestKind(config.ConfigBatchWriteParams, config.ConfigWriteResponse),
        "configRequirements/read": RequestKind(None, config.ConfigRequirementsReadResponse),
        # accounts
        "account/read": RequestKind(account.GetAccountParams, account.GetAccountResponse),
        "account/login/start": RequestKind(
            account.LoginAccountParams, account.LoginAccountResponse
        ),
        "account/login/cancel": RequestKind(
            account.CancelLoginAccountParams, account.CancelLoginAccountResponse
        ),
        "account/logout": RequestKind(None, account.LogoutAccountResponse),
        "account/rateLimits/read": RequestKind(None, account.GetAccountRateLimitsResponse),
    }
)
"""What clients ask, by method."""

SERVER_REQUESTS: Mapping[str, RequestKind] = MappingProxyType(
    {
        "item/commandExecution/requestApproval": RequestKind(
            approvals.CommandExecutionRequestApprovalParams,
            approvals.CommandExecutionRequestApprovalResponse,
        ),
        "item/fileChange/requestApproval": RequestKind(
            approvals.FileChangeRequestApprovalParams,
            approvals.FileChangeRequestApprovalResponse,
        ),
        "item/tool/requestUserInput": RequestKind(
            approvals.ToolRequestUserInputParams, approvals.ToolRequestUserInputResponse
        ),
        "item/tool/call": RequestKind(
            approvals.DynamicToolCallParams, approvals.DynamicToolCallResponse
        ),
        "mcpServer/elicitation/request": RequestKind(
            elicitation.McpServerElicitationRequestParams,
            elicitation.McpServerElicitationRequestResponse,
        ),
        "account/chatgptAuthTokens/refresh": RequestKind(
            account.ChatgptAuthTokensRefreshParams, account.ChatgptAuthTokensRefreshResponse
        ),
    }
)
"""What the server asks, by method."""

ServerRequestParams: TypeAlias = (
    approvals.CommandExecutionRequestApprovalParams
    | approvals.FileChangeRequestApprovalParams
    | approvals.ToolRequestUserInputParams
    | approvals.DynamicToolCallParams
    | elicitation.McpServerElicitationRequestParams
    | account.ChatgptAuthTokensRefreshParams
)

EXPERIMENTAL_FIELDS: Mapping[type, Mapping[str, str]] = MappingProxyType(
    {
        thread.ThreadStartParams: {
            "dynamic_tools": "thread/start.dynamicTools",
            "mock_experimental_field": "thread/start.mockExperimentalField",
            "experimental_raw_events": "thread/start.experimentalRawEvents",
            "persist_extended_history": "thread/start.persistFullHistory",
        },
        thread.ThreadResumeParams: {
            "history": "thread/resume.history",
            "path": "thread/resume.path",
            "persist_extended_history": "thread/resume.persistFullHistory",
            "initial_turns_page": "thread/resume.initialTurnsPage",
        },
        thread.ThreadForkParams: {
            "path": "thread/fork.path",
            "persist_extended_history": "thread/fork.persistFullHistory",
        },
        turn.TurnStartParams: {"collaboration_mode": "turn/start.collaborationMode"},
    }
)
"""Fields that only clients may use that said so, and what to call them when they did not."""


def experimental_use(method: str, params: object) -> str | None:
    """
    What of a request is experimental; None when nothing is.

    A field is used when it says something: None, false and empty lists do not.
    """
    if CLIENT_REQUESTS[method].experimental:
        return method
    if isinstance(params, account.ChatgptAuthTokensLoginAccountParams):
        return "account/login/start.chatgptAuthTokens"
    fields = EXPERIMENTAL_FIELDS.get(type(params), {})
    return next((reason for field, reason in fields.items() if _says(params, field)), None)


def _says(params: object, field: str) -> bool:
    value: object = getattr(params, field)
    return value is not None and value is not False and value != ()
