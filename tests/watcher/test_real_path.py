"""Where a path leads, and what could make it lead elsewhere."""

from pathlib import Path

import pytest

from actors.watcher.real_path import Gate, follow


def gates(path: Path | str) -> list[Gate]:
    return list(follow(str(path)).gates)


def test_plain_folder_has_no_gates(tmp_path: Path) -> None:
    """Its own removal is heard from itself."""
    found = follow(str(tmp_path))

    assert found.folder == str(tmp_path.resolve())
    assert found.status == (tmp_path.stat().st_dev, tmp_path.stat().st_ino)
    assert gates(tmp_path.resolve()) == []


@pytest.mark.parametrize("below", ["a", "a/b", "a/b/c/skills"])
def test_missing_folder_waits_for_its_first_missing_name(tmp_path: Path, below: str) -> None:
    """Whatever comes into being comes from above."""
    tmp_path = tmp_path.resolve()

    found = follow(str(tmp_path / below))

    assert found.folder is None
    assert gates(tmp_path / below) == [Gate(str(tmp_path), "a")]


def test_file_is_no_folder(tmp_path: Path) -> None:
    """It may become one."""
    tmp_path = tmp_path.resolve()
    (tmp_path / "file").write_text("")

    assert follow(str(tmp_path / "file/deeper")).folder is None
    assert gates(tmp_path / "file") == [Gate(str(tmp_path), "file")]


def test_every_symbolic_link_on_the_way_is_a_gate(tmp_path: Path) -> None:
    """Relative and absolute ones, and what is missing behind them."""
    tmp_path = tmp_path.resolve()
    (tmp_path / "real/in").mkdir(parents=True)
    (tmp_path / "one").symlink_to("real")
    (tmp_path / "real/two").symlink_to(tmp_path / "one/in")
    (tmp_path / "real/in/up").symlink_to("../../one/./none")
    here = str(tmp_path)

    assert follow(f"{here}/one/two").folder == f"{here}/real/in"
    assert gates(f"{here}/one/two") == [
        Gate(here, "one"),
        Gate(f"{here}/real", "two"),
    ]
    assert gates(f"{here}/real/in/up") == [
        Gate(f"{here}/real/in", "up"),
        Gate(here, "one"),
        Gate(f"{here}/real", "none"),
    ]


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    """It ends, and says on which names that depends."""
    tmp_path = tmp_path.resolve()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    found = follow(str(tmp_path / "a"))

    assert found.folder is None
    assert set(found.gates) == {Gate(str(tmp_path), "a"), Gate(str(tmp_path), "b")}


def test_root_of_the_file_system_is_a_folder() -> None:
    """The one path without a name."""
    assert follow("/").folder == "/"
    assert follow("/../..").folder == "/"
