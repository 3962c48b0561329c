"""Recorders for tests of the journal."""

from pathlib import Path

from actors.rollout import PersistMode, Recorder, WriteTrouble
from actors.rollout.journal import Journal

from .samples import meta

LIMITED = PersistMode.LIMITED


def no_trouble(trouble: WriteTrouble) -> None:
    raise AssertionError(trouble)


def new_recorder(journal: Journal, path: Path, mode: PersistMode = LIMITED) -> Recorder:
    return journal.recorder(path, meta(), mode, on_trouble=no_trouble)
