"""Changing the configuration over the app-server."""

from pathlib import Path
from typing import Any

import pytest

from actors.config import ConfigLayer

from .app_stage import Client, open_app

WRITE, BATCH = "config/value/write", "config/batchWrite"
CONFIG = '# mine\nmodel = "a" # now\n\n[mcp_servers.x]\ncommand = "y"\nenv = { KEY = "secret" }\n'


async def write(client: Client, key: str, value: Any, **more: Any) -> Any:
    return await client.ask(WRITE, keyPath=key, value=value, **{"mergeStrategy": "replace"} | more)


async def refused(client: Client, **params: Any) -> tuple[int, str, Any]:
    """Ask for what is refused; return its code, its message and what programs look at."""
    number = client.send(WRITE, **{"mergeStrategy": "replace", "value": "b"} | params)
    answer = await client.until(lambda m: m.get("id") == number)
    error = answer["error"]
    return error["code"], error["message"], error.get("data", {}).get("config_write_error_code")


async def test_a_value_is_written_and_read_again(tmp_path: Path) -> None:
    """Where it is, what version that makes, and that it holds; comments stay."""
    async with open_app(tmp_path, config=CONFIG) as stage:
        client, other = await stage.connect(), await stage.connect()
        before = await client.ask("config/read")
        version = before["origins"]["model"]["version"]
        written = await write(client, "model", "b", expectedVersion=version)
        after = await other.ask("config/read", includeLayers=True)
        text = (stage.home / "config.toml").read_text()

    assert written == {
        "status": "ok",
        "version": after["origins"]["model"]["version"],
        "filePath": str(tmp_path / "home" / "config.toml"),
        "overriddenMetadata": None,
    }
    [user] = [layer for layer in after["layers"] if layer["name"]["type"] == "user"]
    assert user["version"] == written["version"] != version
    assert after["config"]["model"] == "b"
    assert text == CONFIG.replace('"a"', '"b"')


async def test_the_version_of_an_empty_file_is_that_of_codex(tmp_path: Path) -> None:
    """So that both programs agree about a file."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        read = await client.ask("config/read", includeLayers=True)

    [user] = [layer for layer in read["layers"] if layer["name"]["type"] == "user"]
    assert user["version"].startswith("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c0")


async def test_several_values_are_written_or_none(tmp_path: Path) -> None:
    """One that cannot be keeps the others back."""
    good = {"keyPath": "model", "value": "b", "mergeStrategy": "replace"}
    env = {"keyPath": "mcp_servers.x", "value": {"args": ["1"]}, "mergeStrategy": "upsert"}
    bad = {"keyPath": "approval_policy", "value": "maybe", "mergeStrategy": "replace"}
    async with open_app(tmp_path, config=CONFIG) as stage:
        client = await stage.connect()
        path = stage.home / "config.toml"
        refusal = await client.refused(BATCH, edits=[good, bad])
        unchanged = path.read_text()
        written = await client.ask(BATCH, edits=[good, env], filePath=str(path))
        nothing = await client.ask(BATCH, edits=[])
        read = await client.ask("config/read")

    assert refusal[0] == -32600
    assert refusal[1].startswith("Invalid configuration: ")
    assert unchanged == CONFIG
    assert written["status"] == "ok"
    assert nothing["version"] == written["version"]
    assert read["config"]["model"] == "b"
    assert read["config"]["mcp_servers"]["x"]["args"] == ["1"]
    assert read["config"]["mcp_servers"]["x"]["command"] == "y"


@pytest.mark.parametrize(
    ("params", "problem", "code"),
    [
        ({"keyPath": ""}, "keyPath must not be empty", "configValidationError"),
        ({"keyPath": "a..b"}, "keyPath 'a..b' has", "configValidationError"),
        ({"keyPath": "model", "value": 5}, "Invalid configuration: ", "configValidationError"),
        ({"keyPath": "model.x"}, "Invalid configuration: ", "configValidationError"),
        ({"keyPath": "no.x", "value": None}, "Path not found", "configPathNotFound"),
        ({"keyPath": "x", "value": "********"}, "x: this is the mask", "configValidationError"),
        (
            {"keyPath": "model", "expectedVersion": "sha256:0"},
            "Configuration was modified since last read. Fetch latest version and retry.",
            "configVersionConflict",
        ),
        (
            {"keyPath": "model", "filePath": "/etc/other.toml"},
            "Only writes to the user config are allowed",
            "configLayerReadonly",
        ),
        ({"keyPath": "model", "mergeStrategy": "x"}, "Invalid request: ", None),
    ],
)
async def test_what_cannot_be_written_is_refused(
    tmp_path: Path, params: dict[str, Any], problem: str, code: str | None
) -> None:
    """With the code that programs look at; the file stays as it is."""
    async with open_app(tmp_path, config=CONFIG) as stage:
        client = await stage.connect()
        number, message, data = await refused(client, **params)
        text = (stage.home / "config.toml").read_text()

    assert number == -32600
    assert message.startswith(problem)
    assert data == code
    assert text == CONFIG


async def test_a_value_that_another_layer_overrides_is_written_and_told(tmp_path: Path) -> None:
    """By whom, and what holds; secrets are hidden."""
    overrides = ConfigLayer(
        raw={"model": "mine", "mcp_servers": {"x": {"env": {"KEY": "theirs"}}}},
        source="-c",
        folder=tmp_path,
    )
    async with open_app(tmp_path, config=CONFIG, overrides=overrides) as stage:
        client = await stage.connect()
        model = await write(client, "model", "b")
        secret = await write(client, "mcp_servers.x.env", {"KEY": "new"})
        free = await write(client, "review_model", "c")
        removed = await write(client, "model", None)
        read = await client.ask("config/read")

    said = model["overriddenMetadata"]
    assert model["status"] == removed["status"] == "okOverridden"
    assert said["message"] == "Overridden by session flags: -c"
    assert said["overridingLayer"]["name"] == {"type": "sessionFlags"}
    assert said["overridingLayer"]["version"] == read["origins"]["model"]["version"]
    assert said["effectiveValue"] == read["config"]["model"] == "mine"
    assert secret["overriddenMetadata"]["effectiveValue"] == "********"
    assert "theirs" not in str(secret)
    assert free["status"] == "ok"


async def test_a_profile_goes_before_the_file_that_it_is_in(tmp_path: Path) -> None:
    """Its settings have the version of that file, which is what is written."""
    config = 'profile = "p"\nmodel = "a"\n[profiles.p]\nmodel = "b"\n'
    async with open_app(tmp_path, config=config) as stage:
        client = await stage.connect()
        read = await client.ask("config/read")
        version = read["origins"]["model"]["version"]
        written = await write(client, "model", "c", expectedVersion=version)

    assert read["config"]["model"] == "b"
    assert written["status"] == "okOverridden"
    assert written["overriddenMetadata"]["effectiveValue"] == "b"
    assert written["overriddenMetadata"]["overridingLayer"]["version"] == written["version"]


# Skills -----------------------------------------------------------------------

SKILL = "---\nname: {0}\ndescription: Does {0}\n---\nDo it.\n"


def make_skill(folder: Path, name: str) -> Path:
    path = folder / name / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text(SKILL.format(name))
    return path


async def enabled(client: Client) -> dict[str, bool]:
    listed = await client.ask("skills/list")
    return {skill["name"]: skill["enabled"] for skill in listed["data"][0]["skills"]}


async def test_a_skill_is_switched_off_and_on_again(tmp_path: Path) -> None:
    """By its file or its name; the next list says so, and everybody is told of it."""
    one, _ = (make_skill(tmp_path / "home" / "skills", name) for name in ("one", "two"))
    async with open_app(tmp_path, config=CONFIG) as stage:
        client, other = await stage.connect(), await stage.connect()
        first = await client.ask("skills/config/write", path=str(one), enabled=False)
        await other.notified("skills/changed")
        off = await enabled(other)
        second = await client.ask("skills/config/write", name="two", enabled=False)
        both = await enabled(client)
        third = [
            await client.ask("skills/config/write", path=str(path), enabled=True)
            for path in (one.parent, tmp_path / "home" / "skills" / "two")
        ]
        on = await enabled(client)
        text = (stage.home / "config.toml").read_text()

    assert first == second == {"effectiveEnabled": False}
    assert off == {"one": False, "two": True}
    assert both == {"one": False, "two": False}
    assert third == [{"effectiveEnabled": True}] * 2
    assert on == {"one": True, "two": True}
    assert text.rstrip() == CONFIG.rstrip()


async def test_a_skill_that_another_layer_switches_off_stays_off(tmp_path: Path) -> None:
    """The answer says what holds."""
    path = make_skill(tmp_path / "home" / "skills", "one")
    raw: Any = {"skills": {"config": [{"path": str(path), "enabled": False}]}}
    overrides = ConfigLayer(raw=raw, source="-c", folder=tmp_path)
    async with open_app(tmp_path, overrides=overrides) as stage:
        client = await stage.connect()
        answer = await client.ask("skills/config/write", path=str(path), enabled=True)

    assert answer == {"effectiveEnabled": False}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"path": "rel/SKILL.md"}, "path must be absolute: rel/SKILL.md"),
        ({"name": "nobody"}, "skill not found: nobody"),
        ({}, "skills/config/write needs either path or name"),
        ({"path": "/x", "name": "x"}, "skills/config/write needs either path or name"),
        ({"path": 5}, "Invalid request: "),
    ],
)
async def test_what_is_no_skill_is_not_switched(
    tmp_path: Path, params: dict[str, Any], problem: str
) -> None:
    """Nothing is written."""
    async with open_app(tmp_path, config=CONFIG) as stage:
        client = await stage.connect()
        code, message = await client.refused("skills/config/write", enabled=False, **params)
        text = (stage.home / "config.toml").read_text()

    assert code == -32600
    assert message.startswith(problem)
    assert text == CONFIG


async def test_a_file_that_is_broken_is_not_made_worse(tmp_path: Path) -> None:
    """Neither by values nor by skills."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        (stage.home / "config.toml").write_text("model = \n")
        _, message, data = await refused(client, keyPath="model")
        skill = await client.refused("skills/config/write", path="/x/SKILL.md", enabled=False)
        text = (stage.home / "config.toml").read_text()

    assert data == "configValidationError"
    assert "line 1" in message
    assert skill[0] == -32600
    assert text == "model = \n"
