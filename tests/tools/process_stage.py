"""What is told of the output of commands."""

import attrs
import trio
import trio.testing

from messages.events import ExecOutputStream

OUT = ExecOutputStream.STDOUT
ERR = ExecOutputStream.STDERR


@attrs.define(eq=False)
class Told:
    """What `on_output` was told, and a way to wait for it."""

    pieces: list[tuple[ExecOutputStream, bytes]] = attrs.field(factory=list)
    changed: trio.Event = attrs.field(factory=trio.Event)

    def __call__(self, stream: ExecOutputStream, piece: bytes) -> None:
        self.pieces.append((stream, piece))
        self.changed.set()
        self.changed = trio.Event()

    def of(self, stream: ExecOutputStream) -> bytes:
        return b"".join(piece for told, piece in self.pieces if told is stream)

    async def wait_for(self, text: bytes) -> None:
        while text not in self.of(OUT) + self.of(ERR):
            await self.changed.wait()
