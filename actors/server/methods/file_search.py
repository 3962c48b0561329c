"""Files by parts of their names, for what a person begins to type."""

from messages.rpc.file_search import (
    FuzzyFileSearchParams,
    FuzzyFileSearchResponse,
    FuzzyFileSearchSessionCompletedNotification,
    FuzzyFileSearchSessionStartParams,
    FuzzyFileSearchSessionStartResponse,
    FuzzyFileSearchSessionStopParams,
    FuzzyFileSearchSessionStopResponse,
    FuzzyFileSearchSessionUpdatedNotification,
    FuzzyFileSearchSessionUpdateParams,
    FuzzyFileSearchSessionUpdateResponse,
)
from messages.rpc.notifications import METHOD, ServerNotification

from ..file_searches import SearchSession
from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure

__all__ = ["search", "session_start", "session_stop", "session_update"]

# What changes a session is done before the first checkpoint: until there requests of a client
# keep their order.


async def search(ground: Ground, request: ClientRequest) -> FuzzyFileSearchResponse:
    """Look once, best first; an earlier search of that client with the same token ends."""
    params: FuzzyFileSearchParams = request.params
    token = params.cancellation_token
    found = await ground.searches.search(request.connection, token, params.query, params.roots)
    return FuzzyFileSearchResponse(files=found)


async def session_start(ground: Ground, request: ClientRequest) -> None:
    """Begin to list files; what is looked for among them comes later."""
    params: FuzzyFileSearchSessionStartParams = request.params
    if not params.session_id:
        raise RpcFailure.invalid("sessionId must not be empty")
    if not params.roots:
        raise RpcFailure.internal(
            "failed to start fuzzy file search session: at least one search directory is required"
        )
    session = ground.searches.open(request.connection, params.session_id, params.roots)
    await request.respond(FuzzyFileSearchSessionStartResponse())
    await session.list_files()
    await _tell(ground, request, session, 0)


async def session_update(ground: Ground, request: ClientRequest) -> None:
    """Look for something else from now on."""
    params: FuzzyFileSearchSessionUpdateParams = request.params
    session = ground.searches.find(request.connection, params.session_id)
    version = session.ask(params.query)
    await request.respond(FuzzyFileSearchSessionUpdateResponse())
    await _tell(ground, request, session, version)


async def session_stop(
    ground: Ground, request: ClientRequest
) -> FuzzyFileSearchSessionStopResponse:
    """Look no more; a session that there is not has stopped, too."""
    params: FuzzyFileSearchSessionStopParams = request.params
    ground.searches.close(request.connection, params.session_id)
    return FuzzyFileSearchSessionStopResponse()


async def _tell(
    ground: Ground, request: ClientRequest, session: SearchSession, version: int
) -> None:
    """Tell the client whose session it is what fits, unless it asks for something else by now."""
    found = await session.look(version)
    if found is None:
        return
    query, files = found
    told: tuple[ServerNotification, ...] = (
        FuzzyFileSearchSessionUpdatedNotification(session_id=session.id, query=query, files=files),
        FuzzyFileSearchSessionCompletedNotification(session_id=session.id),
    )
    for each in told:
        written = ground.connections.notification(METHOD[type(each)], each)
        await request.connection.send_notification(written)
