"""What agents ask of a user who is not there."""

from pathlib import Path

import trio

from actors.cli.agents import refuse_for_agents
from actors.config import ThreadConfig
from actors.models import ScriptedProvider, parse_scenario
from actors.supervisor import open_supervisor
from messages.content import TextInput
from messages.events import Event, ExecCommandEnd, ExecCommandStatus, TurnComplete
from messages.ops import UserInput
from messages.settings import AskForApproval
from tests.waiting import PATIENCE

SCENARIO = """
[[reply]]
times = "always"
when = { last = "user" }
[[reply.steps]]
call = "shell"
arguments = { command = ["touch", "x"] }
[[reply]]
times = "always"
[[reply.steps]]
say = "done"
"""


async def test_questions_of_agents_are_refused_so_that_nothing_hangs(tmp_path: Path) -> None:
    """Each agent's own, also when there are several."""
    provider = ScriptedProvider(parse_scenario(SCENARIO, syntax="toml"))
    config = ThreadConfig(cwd=str(tmp_path), approval_policy=AskForApproval.UNTRUSTED)
    ends: list[ExecCommandStatus] = []
    async with open_supervisor(home=tmp_path, provider=provider) as supervisor:
        created = supervisor.subscribe_thread_created()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse_for_agents, supervisor, created)
            agents = [await supervisor.start_thread(config) for _ in range(2)]
            readers = [agent.thread.subscribe() for agent in agents]
            for agent in agents:
                await agent.thread.submit(UserInput(items=(TextInput(text="shell"),)))
            with trio.fail_after(PATIENCE):
                for reader in readers:
                    async for event in reader:
                        assert isinstance(event, Event)
                        if isinstance(event.msg, ExecCommandEnd):
                            ends.append(event.msg.status)
                        if isinstance(event.msg, TurnComplete):
                            break
            nursery.cancel_scope.cancel()

    assert ends == [ExecCommandStatus.DECLINED] * 2
    assert not (tmp_path / "x").exists()
