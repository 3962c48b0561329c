"""A configuration is read again when something that counts has changed, and only then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.config import Config, ConfigCache, ConfigError, ConfigLayer
from actors.config.looks import Looks, noted, real_path

from .places import Places

LATER = 4_000_000_000.0
"""Wall clock for which no file is young."""


def cache(places: Places, now: float = LATER) -> ConfigCache:
    return ConfigCache(places.home, lambda: now, system=places.system)


async def load(cached: ConfigCache, places: Places) -> Config:
    return await cached.load(cwd=places.sub)


def edit(places: Places) -> None:
    places.user.write_text('model = "two"\n')


def replace_by_one_as_long(places: Places) -> None:
    other = places.write("home/other", 'model = "two"\n')
    stamp = places.user.stat()
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    other.rename(places.user)


def delete(places: Places) -> None:
    places.user.unlink()


def make_system_file(places: Places) -> None:
    places.write(places.system, 'review_model = "r"\n')


def write_instructions(places: Places) -> None:
    places.write("project/AGENTS.md", "Be brief.")


def write_own_instructions(places: Places) -> None:
    places.write("home/AGENTS.override.md", "Be kind.")


def choose_profile(places: Places) -> None:
    places.user.write_text('profile = "p"\n[profiles.p]\nmodel = "three"\n')


def trust_project(places: Places) -> None:
    places.write("project/.codex/config.toml", 'model = "four"\n')
    places.user.write_text(places.trust)


def make_root(places: Places) -> None:
    (places.sub / ".git").mkdir()


def lock(places: Places) -> None:
    places.write("project/AGENTS.md", "Be brief.").chmod(0)


CHANGES: list[Callable[[Places], None]] = [
    choose_profile,
    delete,
    edit,
    lock,
    make_root,
    make_system_file,
    replace_by_one_as_long,
    trust_project,
    write_instructions,
    write_own_instructions,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_what_changes_counts_at_once(
    places: Places, change: Callable[[Places], None]
) -> None:
    """What is returned then is what somebody reads who has never read before."""
    places.user.write_text('model = "one"\n')
    cached = cache(places)
    before = await load(cached, places)
    again = await load(cached, places)

    change(places)
    after = await load(cached, places)

    fresh = await load(cache(places), places)
    assert again is before
    assert after is not before
    assert (after, after.settings, after.layers) == (fresh, fresh.settings, fresh.layers)


async def test_project_file_that_is_trusted_counts_when_it_is_edited(places: Places) -> None:
    """Not only those files count that are there whatever happens."""
    trust_project(places)
    cached = cache(places)
    before = await load(cached, places)

    places.write("project/.codex/config.toml", 'model = "five"\n')

    assert before.model == "four"
    assert (await load(cached, places)).model == "five"


async def test_link_that_leads_elsewhere_counts(places: Places) -> None:
    """A folder that is reached through a link may be another one the next time."""
    (places.top / "other").mkdir()
    places.write("other/AGENTS.md", "Be other.")
    link = places.top / "link"
    link.symlink_to(places.project)
    cached = cache(places)
    before = await cached.load(cwd=link)

    link.unlink()
    link.symlink_to(places.top / "other")
    after = await cached.load(cwd=link)

    assert (before.user_instructions, after.user_instructions) == (None, "Be other.")


async def test_each_folder_and_each_override_has_its_own(places: Places) -> None:
    """Also overrides that only differ in the kind of a value, or in where they are from."""
    cached = cache(places)

    def layer(value: object, source: str | None = None) -> ConfigLayer:
        raw = {"model": "m", "agents": {"max_depth": value}}
        return ConfigLayer(raw=raw, source=source, folder=places.top)

    one = await cached.load(cwd=places.sub, overrides=layer(1))
    two = await cached.load(cwd=places.sub, overrides=layer(2))
    named = await cached.load(cwd=places.sub, overrides=layer(1, "--config"))
    elsewhere = await cached.load(cwd=places.project, overrides=layer(1))

    assert await cached.load(cwd=places.sub, overrides=layer(1)) is one
    assert (one.agent_max_depth, two.agent_max_depth) == (1, 2)
    assert {origin.source for origin in named.origins.values()} == {"--config"}
    assert elsewhere.cwd == str(places.project)
    with pytest.raises(ConfigError):
        await cached.load(cwd=places.sub, overrides=layer(True))


async def test_young_file_is_read_each_time(places: Places) -> None:
    """It may change once more without looking changed."""
    places.user.write_text('model = "one"\n')
    cached = cache(places, now=places.user.stat().st_mtime + 0.05)

    before = await load(cached, places)

    assert await load(cached, places) is not before


async def test_mistake_is_complained_of_until_it_is_mended(places: Places) -> None:
    """Nothing is kept of what could not be read, nor of what was there before."""
    places.user.write_text('model = "one"\n')
    cached = cache(places)
    before = await load(cached, places)

    places.user.write_text("model = ")
    for _ in range(2):
        with pytest.raises(ConfigError, match="no TOML"):
            await load(cached, places)
    places.user.write_text('model = "one"\n')

    assert await load(cached, places) == before


async def test_only_so_many_are_kept(places: Places) -> None:
    """Of more, those go that nobody asked for lately."""
    cached = cache(places)
    folders = [places.top / str(number) for number in range(33)]
    first = await cached.load(cwd=folders[0])
    second = await cached.load(cwd=folders[1])
    for folder in folders[2:32]:
        await cached.load(cwd=folder)

    again = await cached.load(cwd=folders[0])
    await cached.load(cwd=folders[32])

    assert again is first
    assert await cached.load(cwd=folders[0]) is first
    assert await cached.load(cwd=folders[1]) is not second


def test_two_answers_to_one_question_are_nothing_to_rely_on(tmp_path: Path) -> None:
    """The disk changed while it was looked at."""
    link = tmp_path / "link"
    with noted() as looks:
        real_path(link)
        link.symlink_to(tmp_path)
        real_path(link)

    assert not looks.settled(LATER, 0.1)
    assert Looks().settled(LATER, 0.1)
