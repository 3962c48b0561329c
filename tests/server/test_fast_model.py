"""A model that speaks as fast as it can."""

from pathlib import Path

import pytest

from actors.models import ScriptedProvider
from actors.models.scenario_reader import read_scenario

from .app_stage import open_app

DELTA = "item/agentMessage/delta"


async def test_client_hears_each_piece_of_a_model_that_never_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no quicker than those who tell what it says."""
    words = " ".join(f"word{number}" for number in range(2000))
    reply = {"times": "always", "delta_chars": 2, "steps": [{"say": words}]}
    provider = ScriptedProvider(read_scenario({"name": "fast", "reply": [reply]}, "test"))
    async with open_app(tmp_path, provider=provider) as stage:
        client = await stage.connect()
        await client.completed(await client.start_turn(await client.start_thread()))

    pieces = [m["params"]["delta"] for m in client.stream.told if m.get("method") == DELTA]
    assert len(pieces) > 5000
    assert "".join(pieces) == words
    assert caplog.messages == []
