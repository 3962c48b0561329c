"""What the system is to watch, and which roots an event of the system concerns."""

import os
from collections.abc import Iterable, Mapping
from typing import Self

import attrs

from .notify import DELETED
from .real_path import Gate, Identity
from .tree import Tree

__all__ = ["Plan"]


@attrs.frozen(kw_only=True)
class Plan:
    """
    Which folders are watched, and for whom.

    Attributes:
        folders:
            By real path, with what tells each from a later one at its path.
            Never more than there are folders below the roots, and one for each
            symbolic link or missing name on the way to a root.
        contents: For which roots everything in a folder matters, by its real path.
        gates: For which roots a single name in a folder matters.
    """

    folders: dict[str, Identity] = attrs.field(factory=dict[str, Identity])
    contents: dict[str, set[str]] = attrs.field(factory=dict[str, set[str]])
    gates: dict[Gate, set[str]] = attrs.field(factory=dict[Gate, set[str]])

    @classmethod
    def of(cls, trees: Mapping[str, Tree]) -> Self:
        """Plan for these trees, by root; blocks shortly."""
        plan = cls()
        for root, tree in trees.items():
            plan.folders.update(tree.folders)
            for folder in tree.folders:
                plan.contents.setdefault(folder, set()).add(root)
            for gate, status in tree.gates.items():
                plan.gates.setdefault(gate, set()).add(root)
                # The system refuses to watch what we may not read.
                if gate.folder not in plan.folders and os.access(gate.folder, os.R_OK):
                    plan.folders[gate.folder] = status
        return plan

    def touched(self, events: Iterable[tuple[int, str]]) -> set[str]:
        """Find the roots that must be looked at after these events."""
        roots = set[str]()
        for _, path in events:
            folder, _, name = path.rpartition("/")
            roots |= self.gates.get(Gate(folder or "/", name), set())
            if not name.startswith("."):
                roots |= self.contents.get(folder or "/", set())
            if path in self.folders:  # it was moved or removed itself
                roots |= self._roots_of(path)
        return roots

    def lost(self, events: Iterable[tuple[int, str]]) -> bool:
        """
        Tell whether the system may have stopped watching one of the folders.

        Asked of the events and not of the folders: a new folder may have the inode
        number of the one that was removed.
        """
        return any(kind == DELETED and path in self.folders for kind, path in events)

    def _roots_of(self, folder: str) -> set[str]:
        gated = (roots for gate, roots in self.gates.items() if gate.folder == folder)
        return self.contents.get(folder, set()).union(*gated)
