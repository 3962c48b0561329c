"""The patch tool, in both forms that models know."""

from collections.abc import Mapping
from typing import Final, assert_never

import attrs

from actors.models import PatchForm
from messages.value import Json

from ..errors import ToolError
from ..tool import CustomPayload, Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_spec import function_spec
from .patcher import Patcher
from .wording import FREEFORM_DESCRIPTION, FUNCTION_DESCRIPTION, GRAMMAR

__all__ = ["ApplyPatchTool"]

_NAME: Final = "apply_patch"


_FREEFORM: Final[Json] = {
    "type": "custom",
    "name": _NAME,
    "description": FREEFORM_DESCRIPTION,
    "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR},
}

_PARAMETERS: Final[Mapping[str, Json]] = {
    "input": {"type": "string", "description": "The whole text of the patch."}
}

_FUNCTION: Final = function_spec(_NAME, FUNCTION_DESCRIPTION, _PARAMETERS, "input")


@attrs.frozen
class ApplyPatchTool:
    """
    Applies patches.

    Offered as free text with a grammar or as a function, as the model prefers; calls
    of both kinds are understood, whichever was offered.

    Attributes:
        patcher: Shared with the tools whose commands may hold a patch.
    """

    patcher: Patcher
    name: str = attrs.field(default=_NAME, init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it to the model, if it is offered."""
        form = offer.model.apply_patch
        if form is None and offer.features.apply_patch_freeform:
            form = PatchForm.FREEFORM
        match form:
            case None:
                return None
            case PatchForm.FREEFORM:
                return _FREEFORM
            case PatchForm.FUNCTION:
                return _FUNCTION
            case _:
                assert_never(form)

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Apply one patch.

        Raises:
            ToolError: Its arguments do not fit, or the patch does not.

        Cancellation:
            Either all files are written or none; see `Patcher.apply`.
        """
        return await self.patcher.apply(_patch_text(call), cwd="", call=call, context=context)


def _patch_text(call: ToolCall) -> str:
    if isinstance(call.payload, CustomPayload):
        return call.payload.input
    text = parse_arguments(call).get("input")
    if not isinstance(text, str):
        raise ToolError(
            "failed to parse function arguments: input: expected a string, "
            f"got {type(text).__name__}"
        )
    return text
