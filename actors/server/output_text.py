"""Commands' output as text, whatever the pieces it comes in."""

import codecs
from collections.abc import Container
from typing import Final

import attrs

from messages.events import ExecOutputStream

__all__ = ["OutputTexts"]

_new_decoder: Final = codecs.getincrementaldecoder("utf-8")


@attrs.define(eq=False)
class OutputTexts:
    """
    Makes text of the output of the commands that run.

    A character that comes in two pieces is told with the second; what is no UTF-8
    becomes the replacement character.

    Source:
        Codex makes text of each piece by itself, which breaks characters in two.
    """

    _decoders: dict[tuple[str, ExecOutputStream], codecs.IncrementalDecoder] = attrs.field(
        factory=dict[tuple[str, ExecOutputStream], codecs.IncrementalDecoder], init=False
    )

    def text(self, call_id: str, stream: ExecOutputStream, chunk: bytes) -> str:
        """Return the text that a piece completes; empty when it ends inside its first character."""
        key = call_id, stream
        decoder = self._decoders.get(key) or _new_decoder("replace")
        text = decoder.decode(chunk)
        if decoder.getstate()[0]:
            self._decoders[key] = decoder
        else:
            # Nothing left over: only commands in the middle of a character take room.
            self._decoders.pop(key, None)
        return text

    def rest(self, call_id: str) -> str:
        """Return what is left of a command's output at its end, both streams together."""
        texts: list[str] = []
        for stream in ExecOutputStream:
            decoder = self._decoders.pop((call_id, stream), None)
            if decoder is not None:
                texts.append(decoder.decode(b"", final=True))
        return "".join(texts)

    def keep_only(self, call_ids: Container[str]) -> None:
        """Forget what is left over of all other commands."""
        for key in [key for key in self._decoders if key[0] not in call_ids]:
            del self._decoders[key]
