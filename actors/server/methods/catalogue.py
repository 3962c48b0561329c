"""What there is to choose from: models, modes, features, apps."""

from actors.models import ModelPreset
from messages.rpc.catalogue import (
    AppsListParams,
    AppsListResponse,
    CollaborationModeListResponse,
    CollaborationModeMask,
    ExperimentalFeature,
    ExperimentalFeatureListParams,
    ExperimentalFeatureListResponse,
    InputModality,
    MockExperimentalMethodParams,
    MockExperimentalMethodResponse,
    Model,
    ModelListParams,
    ModelListResponse,
    ReasoningEffortOption,
)
from messages.settings import KEEP
from messages.value import Json

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .counted_pages import counted

__all__ = ["apps", "echo", "features", "feedback", "models", "modes"]


async def models(ground: Ground, request: ClientRequest) -> ModelListResponse:
    """List the models of the provider, best first."""
    params: ModelListParams = request.params
    presets = await ground.supervisor.list_models()
    shown = [preset for preset in presets if params.include_hidden or not preset.hidden]
    page, on = counted(shown, params.cursor, params.limit, "models")
    return ModelListResponse(data=tuple(map(_model, page)), next_cursor=on)


def _model(preset: ModelPreset) -> Model:
    return Model(
        id=preset.id,
        model=preset.model,
        display_name=preset.display_name,
        description=preset.description,
        supported_reasoning_efforts=tuple(
            ReasoningEffortOption(reasoning_effort=effort, description=text)
            for effort, text in preset.supported_efforts
        ),
        default_reasoning_effort=preset.default_effort,
        is_default=preset.is_default,
        hidden=preset.hidden,
        upgrade=preset.upgrade,
        input_modalities=tuple(InputModality(kind.value) for kind in preset.input_modalities),
        supports_personality=preset.supports_personality,
    )


async def modes(ground: Ground, _: ClientRequest) -> CollaborationModeListResponse:
    """List the collaboration modes; their built-in texts are not told."""
    return CollaborationModeListResponse(
        data=tuple(
            CollaborationModeMask(
                name=mask.name,
                mode=mask.mode,
                model=mask.model,
                reasoning_effort=(None if mask.reasoning_effort is KEEP else mask.reasoning_effort),
            )
            for mask in ground.supervisor.list_collaboration_modes()
        )
    )


async def features(_: Ground, request: ClientRequest) -> ExperimentalFeatureListResponse:
    """List the features that a user could try: none at present."""
    params: ExperimentalFeatureListParams = request.params
    nothing: tuple[ExperimentalFeature, ...] = ()
    page, on = counted(nothing, params.cursor, params.limit, "feature flags")
    return ExperimentalFeatureListResponse(data=page, next_cursor=on)


async def apps(_: Ground, request: ClientRequest) -> AppsListResponse:
    """List the apps: none, as there are no connectors."""
    params: AppsListParams = request.params
    nothing: tuple[Json, ...] = ()
    page, on = counted(nothing, params.cursor, params.limit, "apps")
    return AppsListResponse(data=page, next_cursor=on)


async def echo(_: Ground, request: ClientRequest) -> MockExperimentalMethodResponse:
    """Say what was said; for tests of the gate."""
    params: MockExperimentalMethodParams = request.params
    return MockExperimentalMethodResponse(echoed=params.value)


async def feedback(_: Ground, __: ClientRequest) -> None:
    """Refuse: nothing is sent to anybody."""
    raise RpcFailure.invalid("sending feedback is disabled by configuration")
