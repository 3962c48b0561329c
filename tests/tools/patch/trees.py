"""Folders of files as values, and patches as text."""

import os
import stat
from pathlib import Path

from actors.tools.patch.disk import Disk
from actors.tools.patch.parser import parse_patch
from actors.tools.patch.plan import PatchPlan
from actors.tools.patch.planning import plan_patch
from actors.tools.patch.writing import write_steps


def patch(*lines: str) -> str:
    """A patch of these lines."""
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def update(path: str, *lines: str) -> str:
    """A patch that changes one file."""
    return patch(f"*** Update File: {path}", *lines)


def plan(root: Path, text: str, disk: Disk | None = None) -> PatchPlan:
    return plan_patch(parse_patch(text), str(root), disk or Disk())


def apply(root: Path, text: str) -> PatchPlan:
    """Verify and write, without asking anybody."""
    planned = plan(root, text)
    assert write_steps(planned.steps, Disk(), "token") == ()
    return planned


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def tree(root: Path) -> dict[str, tuple[int, str | bytes | None]]:
    """Everything below a folder: rights and content; links by where they lead, folders None."""
    found: dict[str, tuple[int, str | bytes | None]] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            status = path.lstat()
            content: str | bytes | None = None
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes() if os.access(path, os.R_OK) else b"?"
            found[str(path.relative_to(root))] = (status.st_mode, content)
    return found


def contents(root: Path) -> dict[str, bytes]:
    """The regular files below a folder."""
    return {
        name: content for name, (_, content) in tree(root).items() if isinstance(content, bytes)
    }
