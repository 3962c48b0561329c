"""Rules as the files say at each moment."""

import os

import pytest
import trio

from actors.tools import rules_source
from actors.tools.rules_source import RulesSource, show_prefix


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


@pytest.fixture
def loads(monkeypatch):
    """How often files were read."""
    counted: list[object] = []
    load = rules_source.load_rules

    def counting(folders):
        counted.append(folders)
        return load(folders)

    monkeypatch.setattr(rules_source, "load_rules", counting)
    return counted


def rule(*words: str, decision: str = "allow") -> str:
    return f"prefix_rule(pattern={list(words)!r}, decision={decision!r})\n"


async def test_home_without_rules_has_none(tmp_path):
    """The folder need not exist; nothing creates it by reading."""
    book = await RulesSource(tmp_path).book()

    assert (book.rules, book.problem) == ((), None)
    assert not (tmp_path / "rules").exists()


async def test_files_are_read_once_while_they_stay_as_they_are(tmp_path, folder, loads):
    """A command costs a look at the folder, not a reading."""
    (folder / "a.rules").write_text(rule("git", "status"))
    source = RulesSource(tmp_path)

    first = await source.book()

    assert await source.book() is first
    assert first.allowed_prefixes() == (("git", "status"),)
    assert len(loads) == 1


async def test_rules_of_other_folders_count_beside_those_of_the_home(tmp_path, folder, loads):
    """Read as theirs are; threads with the same folders share them."""
    other, missing = tmp_path / "project" / ".codex" / "rules", tmp_path / "missing"
    other.mkdir(parents=True)
    (folder / "a.rules").write_text(rule("home"))
    (other / "a.rules").write_text(rule("project"))
    home = RulesSource(tmp_path)

    source = home.with_folders((str(other), str(missing)))

    assert (await source.book()).allowed_prefixes() == (("home",), ("project",))
    assert (await home.with_folders(source.beside).book()) is await source.book()
    assert len(loads) == 1
    assert source.folders == (str(folder), str(other), str(missing))
    assert (await home.book()).allowed_prefixes() == (("home",),)
    assert home.with_folders(()) is home

    (other / "a.rules").write_text(rule("changed"))
    assert (await source.book()).allowed_prefixes() == (("changed",), ("home",))
    assert await source.add_prefix(("saved",)) is None
    assert (folder / "default.rules").exists()
    assert ("saved",) in (await source.book()).allowed_prefixes()


async def test_every_change_of_a_file_counts_for_the_next_command(tmp_path, folder):
    """A new one, another text of the same length, one more file, one less, no folder."""
    source = RulesSource(tmp_path)
    seen = [(await source.book()).allowed_prefixes()]

    async def look() -> None:
        seen.append((await source.book()).allowed_prefixes())

    (folder / "a.rules").write_text(rule("one"))
    await look()
    (folder / "new").write_text(rule("two"))
    (folder / "new").replace(folder / "a.rules")
    await look()
    (folder / "b.rules").write_text(rule("ten"))
    (folder / "c.txt").write_text(rule("not", "a", "rule"))
    await look()
    (folder / "a.rules").unlink()
    await look()
    (folder / "b.rules").unlink()
    (folder / "c.txt").unlink()
    folder.rmdir()
    await look()

    assert seen == [(), (("one",),), (("two",),), (("ten",), ("two",)), (("ten",),), ()]


async def test_broken_file_is_a_problem_until_it_is_mended(tmp_path, folder):
    """What it said before does not go on silently."""
    path = folder / "a.rules"
    path.write_text(rule("one"))
    source = RulesSource(tmp_path)
    await source.book()

    path.write_text("prefix_rule(pattern=")
    broken = await source.book()
    path.write_text(rule("two"))
    mended = await source.book()

    assert str(path) in broken.problem
    assert (mended.problem, mended.allowed_prefixes()) == (None, (("two",),))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path, folder):
    """Forbidding rules may be in it."""
    source = RulesSource(tmp_path)
    folder.chmod(0)
    try:
        assert (await source.book()).problem is not None
    finally:
        folder.chmod(0o700)


async def test_saved_prefix_is_in_force_at_once_and_for_others(tmp_path):
    """It is in the file of the home, as the reference reads it."""
    source = RulesSource(tmp_path)
    await source.book()

    assert await source.add_prefix(("touch", 'it\'s "here"')) is None

    assert (await source.book()).allowed_prefixes() == (("touch", 'it\'s "here"'),)
    assert (await RulesSource(tmp_path).book()).allowed_prefixes() == (("touch", 'it\'s "here"'),)
    assert (tmp_path / "rules" / "default.rules").read_text() == (
        'prefix_rule(pattern=["touch", "it\'s \\"here\\""], decision="allow")\n'
    )


async def test_prefixes_saved_at_the_same_moment_are_all_kept(tmp_path):
    """Also by two sources, as two programs would have."""
    sources = (RulesSource(tmp_path), RulesSource(tmp_path))
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(sources[number % 2].add_prefix, ("make", str(number)))

    saved = (await sources[0].book()).allowed_prefixes()
    assert set(saved) == {("make", str(number)) for number in range(8)}


async def test_prefix_without_words_is_not_saved(tmp_path):
    """It would allow everything."""
    source = RulesSource(tmp_path)

    assert await source.add_prefix(()) == "prefix rule requires at least one token"
    assert not (tmp_path / "rules").exists()


async def test_prefix_that_cannot_be_saved_is_not_in_force(tmp_path):
    """The caller gets to know why."""
    (tmp_path / "rules").write_text("a file, not a folder")
    source = RulesSource(tmp_path)

    problem = await source.add_prefix(("touch",))

    assert str(tmp_path / "rules") in problem
    assert (await source.book()).allowed_prefixes() == ()


def test_prefix_is_shown_as_it_is_written_in_rules():
    """Letters outside ASCII stay as they are."""
    assert show_prefix(("touch", "ä b.txt")) == '["touch", "ä b.txt"]'
