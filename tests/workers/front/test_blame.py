"""What the death of a worker is held against, and what it is not."""

from pathlib import Path
from typing import Never

import pytest
import trio
import trio.testing

from actors.workers.process import adoption
from actors.workers.quarantine import Quarantine

from .stage import open_stage


async def test_worker_that_dies_before_it_begins_with_a_thread_did_not_die_of_it(
    tmp_path: Path,
) -> None:
    """It hung, say, for whatever reason, when it was told to take it over."""
    quarantine = Quarantine(crashes=1)
    async with open_stage(tmp_path, workers=3, quarantine=quarantine) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        await stage.simple_turn(client, thread)
        worker = stage.worker_of(thread)
        hanging, last = stage.others(worker)
        hanging.may_adopt = trio.Event()

        worker.kill()
        await hanging.adopting.wait()
        hanging.kill()

        assert await stage.settled(thread) is last
        assert len(quarantine) == 0


async def test_worker_that_dies_while_it_takes_a_thread_over_may_have_died_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one after another would."""

    async def hang(*_: object) -> Never:
        await trio.sleep_forever()

    quarantine = Quarantine(crashes=1)
    async with open_stage(tmp_path, workers=3, quarantine=quarantine) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        await stage.simple_turn(client, thread)
        worker = stage.worker_of(thread)
        heir, last = stage.others(worker)
        monkeypatch.setattr(adoption, "_adopt", hang)

        worker.kill()
        await heir.adopting.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        heir.kill()
        held = await client.until(
            lambda m: m.get("method") == "warning" and "quarantine" in m["params"]["message"]
        )

        assert held["params"]["threadId"] == thread
        assert last.adopted == []
