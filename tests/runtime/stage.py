"""Children that do as they are told, and a log of what they did."""

from collections import Counter

import attrs
import trio

from actors.runtime import ChildSpec, Mailbox, Restart


class Boom(Exception):  # noqa: N818
    """What children on the stage raise; equal if the name is."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Boom) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


@attrs.define(eq=False)
class Stage:
    """
    Makes child specs, and logs what the children do.

    Attributes:
        log: "start a", "stop a" (was told), "cancel a", in order of events.
        bad_starts: How many of the next starts of a child crash.
        alive: How often each child runs now; never more than once.
        clean_up: Seconds a child takes after it was told to stop.
    """

    log: list[str] = attrs.field(factory=list[str])
    bad_starts: Counter[str] = attrs.field(factory=Counter[str])
    alive: Counter[str] = attrs.field(factory=Counter[str])
    clean_up: dict[str, float] = attrs.field(factory=dict[str, float])
    _inboxes: dict[str, Mailbox[str]] = attrs.field(factory=dict[str, Mailbox[str]], init=False)

    def spec(
        self,
        name: str,
        restart: Restart = Restart.PERMANENT,
        *,
        shutdown: float = 5.0,
        polite: bool = True,
    ) -> ChildSpec:
        """Return the spec of a child; *polite* ones are told to stop, others cancelled."""

        async def run(*, task_status: "trio.TaskStatus[str]") -> None:
            await self._run(name, task_status)

        return ChildSpec(
            id=name,
            run=run,
            restart=restart,
            shutdown=shutdown,
            stop=(lambda: self.tell(name, "stop")) if polite else None,
        )

    def tell(self, name: str, command: str) -> None:
        """Make a child "crash", "return" or "stop"."""
        self._inboxes[name].send_nowait(command)

    def is_up(self, name: str) -> bool:
        """Whether a child runs and has started."""
        return name in self._inboxes and not self._inboxes[name].closed

    def take_log(self) -> list[str]:
        """Return the log and begin a new one."""
        log, self.log = self.log, []
        return log

    async def _run(self, name: str, task_status: "trio.TaskStatus[str]") -> None:
        self.alive[name] += 1
        assert self.alive[name] == 1, f"{name} runs twice"
        inbox = self._inboxes[name] = Mailbox[str](name)
        try:
            if self.bad_starts[name]:
                self.bad_starts[name] -= 1
                self.log.append(f"bad start {name}")
                raise Boom(name)
            self.log.append(f"start {name}")
            task_status.started(f"value of {name}")
            await self._obey(name, inbox)
        except trio.Cancelled:
            self.log.append(f"cancel {name}")
            raise
        finally:
            inbox.close()
            self.alive[name] -= 1

    async def _obey(self, name: str, inbox: Mailbox[str]) -> None:
        command = await inbox.receive()
        if command == "crash":
            raise Boom(name)
        if command == "stop":
            self.log.append(f"stop {name}")
            await trio.sleep(self.clean_up.get(name, 0))
            if self.clean_up.get(name, 0):
                self.log.append(f"stopped {name}")
