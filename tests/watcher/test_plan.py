"""What is watched, and what an event of the system means."""

import threading
from pathlib import Path

from actors.watcher.notify import DELETED
from actors.watcher.plan import Plan
from actors.watcher.tree import Limits, read_tree
from tests.watcher.stage import save_skill

ADDED, MODIFIED = 1, 2


def plan_of(*roots: Path) -> Plan:
    return Plan.of({str(root): read_tree(str(root), Limits(), threading.Event()) for root in roots})


def test_event_concerns_the_roots_its_folder_belongs_to(tmp_path: Path) -> None:
    """Roots in roots share watches; hidden names and strangers concern nobody."""
    outer, inner, other = tmp_path / "outer", tmp_path / "outer/inner", tmp_path / "other"
    file = save_skill(inner / "skill")
    save_skill(other)
    plan = plan_of(outer, inner, other)

    assert len(plan.folders) == 4
    assert plan.touched([(MODIFIED, str(file))]) == {str(outer), str(inner)}
    assert plan.touched([(ADDED, str(outer / "new"))]) == {str(outer)}
    assert plan.touched([(ADDED, str(outer / ".hidden"))]) == set()
    assert plan.touched([(ADDED, str(tmp_path / "outer-not"))]) == set()
    assert plan.touched([(DELETED, str(other))]) == {str(other)}


def test_folder_above_a_missing_root_is_watched_for_one_name(tmp_path: Path) -> None:
    """A home folder is busy; only the root's way through it matters."""
    root = tmp_path / "a/b"
    plan = plan_of(root)

    assert list(plan.folders) == [str(tmp_path)]
    assert plan.touched([(ADDED, str(tmp_path / "noise"))]) == set()
    assert plan.touched([(ADDED, str(tmp_path / "a"))]) == {str(root)}
    assert plan.touched([(DELETED, str(tmp_path))]) == {str(root)}


def test_watch_is_lost_when_its_folder_went_away(tmp_path: Path) -> None:
    """Also if another one is there by now, even of the same inode."""
    save_skill(tmp_path / "one")
    plan = plan_of(tmp_path)

    assert plan.lost([(DELETED, str(tmp_path / "one"))])
    assert not plan.lost([(ADDED, str(tmp_path / "one"))])
    assert not plan.lost([(DELETED, str(tmp_path / "one/SKILL.md"))])
