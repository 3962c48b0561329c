"""Models, from the words of an app-server to ours."""

from actors.models import EffortChoice, InputModality, ModelPreset
from messages.rpc.catalogue import Model

__all__ = ["core_preset"]


def core_preset(model: Model) -> ModelPreset:
    """Take over a model as clients show it."""
    return ModelPreset(
        id=model.id,
        model=model.model,
        display_name=model.display_name,
        description=model.description,
        default_effort=model.default_reasoning_effort,
        supported_efforts=tuple(
            EffortChoice(choice.reasoning_effort, choice.description)
            for choice in model.supported_reasoning_efforts
        ),
        is_default=model.is_default,
        hidden=model.hidden,
        supports_personality=model.supports_personality,
        input_modalities=tuple(InputModality(kind.value) for kind in model.input_modalities),
        upgrade=model.upgrade,
    )
