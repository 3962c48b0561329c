"""What a server is made of, and how that is handed to another process."""

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import trio

from actors.config import ConfigError
from actors.models import ResponsesProvider
from actors.rollout import Durability
from actors.server.serving import ServeRecipe, check_recipe, open_serving, prepare

VARIABLE = "CODEX_INTERNAL_ORIGINATOR_OVERRIDE"


def recipe_for(folder: Path, **changes: Any) -> ServeRecipe:
    return ServeRecipe(**{"home": str(folder), "cwd": str(folder), **changes})


def test_a_recipe_survives_json(tmp_path: Path) -> None:
    """As bytes, because that is how another process gets it."""
    recipe = recipe_for(
        tmp_path,
        overrides={"model": "m", "features": {"collab": True}},
        overrides_source="--config",
        overrides_folder="/",
        warnings=("careful",),
        scenario="s.toml",
        durability=Durability.FSYNC,
        originator="me",
    )

    assert ServeRecipe.from_json(json.loads(orjson.dumps(recipe.to_json()))) == recipe


def test_a_date_among_the_overrides_becomes_text(tmp_path: Path) -> None:
    """TOML has dates and JSON has none; no setting is one."""
    recipe = recipe_for(tmp_path, overrides={"model": dt.date(2026, 1, 2)})

    read = ServeRecipe.from_json(json.loads(orjson.dumps(recipe.to_json())))

    assert read.overrides == {"model": "2026-01-02"}


async def test_what_is_wrong_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """With the words of the configuration, and the place where it was said."""
    recipe = recipe_for(tmp_path, overrides={"approval_policy": 3}, overrides_source="--config")
    with pytest.raises(ConfigError, match="--config") as caught:
        await check_recipe(recipe, {})

    assert caught.value.key == "approval_policy"
    await check_recipe(recipe_for(tmp_path), {})


@pytest.mark.parametrize(("name", "told"), [("", "treadle"), (" ide ", "ide")])
def test_the_service_is_told_the_name_of_the_server(tmp_path: Path, name: str, told: str) -> None:
    """Not that of the command that runs single turns, unless somebody says otherwise."""
    environ = {"OPENAI_API_KEY": "k", VARIABLE: name}

    provider = prepare(recipe_for(tmp_path), environ).provider

    assert isinstance(provider, ResponsesProvider)
    assert provider._originator == told


def test_a_name_that_no_header_can_hold_is_refused(tmp_path: Path) -> None:
    """Before the first request fails of it."""
    with pytest.raises(ConfigError, match="ASCII"):
        prepare(recipe_for(tmp_path), {"OPENAI_API_KEY": "k", VARIABLE: "a\nb"})


async def test_a_server_is_there_for_the_block(tmp_path: Path) -> None:
    """It has the warnings, the folder and the originator of its recipe."""
    recipe = recipe_for(tmp_path, warnings=("careful",), originator="me")
    async with open_serving(recipe, {}) as app:
        setup, originator = app.ground.setup, app.ground.originator
        home = app.ground.home

    assert setup.warnings[0] == "careful"
    assert "no API key" in setup.warnings[-1]
    assert (setup.cwd, home, originator) == (tmp_path, tmp_path, "me")


_SERVER: Final = """
import gc, sys, trio
from actors.server.serving import ServeRecipe, open_serving, relieve_collector

async def main():
    recipe = ServeRecipe(home=sys.argv[1], cwd=sys.argv[1], overrides={"model": "scripted"})
    async with open_serving(recipe):
        relieve_collector()
        print({"uuid_utils", "watchfiles"} <= set(sys.modules))
        print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0] > 700)

trio.run(main)
"""


@pytest.mark.slow
async def test_the_first_thread_finds_all_that_it_needs(tmp_path: Path) -> None:
    """What it needs is not loaded beside those that follow, nor looked among for cycles."""
    told = await trio.run_process(
        [sys.executable, "-c", _SERVER, str(tmp_path)], capture_stdout=True
    )

    assert told.stdout.decode().split() == ["True", "True", "True"]
