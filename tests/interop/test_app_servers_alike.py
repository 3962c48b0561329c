"""
Our app-server and Codex's, given the same model and the same client, say the same.

Whole transcripts are compared: answers with all their members, notifications, questions,
and what the model was asked.  What may differ is in one table, `differences`.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.interop.alike.comparing import compare
from tests.interop.alike.playing import (
    CaseResults,
    Group,
    play_group,
    read_results,
    write_results,
)
from tests.interop.alike.server_cases import SERVER
from tests.interop.alike.thread_cases import RESTARTS, THREADS
from tests.interop.alike.tool_cases import TOOLS
from tests.interop.alike.turn_cases import TURNS
from tests.interop.alike.validity import Checker, Said
from tests.interop.codex_binary import CODEX_VERSION
from tests.interop.differences import DIFFERENCES
from tests.interop.schemas import NEWEST_VERSION, schema_folder, why_no_schemas
from tests.interop.sdk.driving import make_treadle

pytestmark = pytest.mark.slow

GROUPS: Final = (TURNS, TOOLS, THREADS, RESTARTS, SERVER)
CASES: Final = [(group, case.name) for group in GROUPS for case in group.cases]


@attrs.define(eq=False)
class Stage:
    """
    Plays each group once, whoever asks first; all processes of a test run share what came.

    Attributes:
        folder: Of the whole test run.
    """

    codex: Path
    folder: Path
    _known: dict[str, dict[str, CaseResults]] = attrs.field(factory=dict)

    def play(self, group: Group) -> dict[str, CaseResults]:
        """Play a group, or wait until another process has."""
        if group.name not in self._known:
            results = self.folder / f"alike-{group.name}.json"
            with self._alone(group):
                if not results.exists():
                    write_results(results, self._play(group))
            self._known[group.name] = read_results(results)
        return self._known[group.name]

    def _play(self, group: Group) -> dict[str, CaseResults]:
        folder = self.folder / f"alike-{group.name}"
        folder.mkdir()
        programs = {"theirs": self.codex, "ours": make_treadle(folder)}
        return play_group(group.cases, programs, folder)

    @contextmanager
    def _alone(self, group: Group) -> Iterator[None]:
        with (self.folder / f"alike-{group.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
            yield


@pytest.fixture(scope="session")
def stage(
    codex: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Stage:
    """Where the cases are played, and what came."""
    base = tmp_path_factory.getbasetemp()
    return Stage(codex, base.parent if hasattr(request.config, "workerinput") else base)


@pytest.mark.parametrize(("group", "name"), CASES, ids=[name for _, name in CASES])
def test_case_is_told_alike(stage: Stage, group: Group, name: str) -> None:
    """The same entries in the same order with the same values, but for the table's rows."""
    results = stage.play(group)[name]

    problems, _ = compare(name, results["theirs"].entries, results["ours"].entries, DIFFERENCES)

    assert (results["theirs"].crash, results["ours"].crash) == (None, None)
    assert not problems, "\n".join(problems)


def test_each_row_of_the_table_is_needed(stage: Stage) -> None:
    """In one case at least of each pattern: what is alike now is no difference any more."""
    used: set[tuple[int, str]] = set()
    for group in GROUPS:
        for name, results in stage.play(group).items():
            theirs, ours = results["theirs"].entries, results["ours"].entries
            used |= compare(name, theirs, ours, DIFFERENCES)[1]

    dead = [
        f"{row.what} [{pattern}]"
        for number, row in enumerate(DIFFERENCES)
        for pattern in row.cases
        if (number, pattern) not in used
    ]
    assert not dead, "\n".join(dead)


def test_names_of_cases_are_their_own() -> None:
    """The table goes by them."""
    counts = Counter(name for _, name in CASES)

    assert [name for name, count in counts.items() if count > 1] == []


def test_every_message_of_ours_is_valid(stage: Stage) -> None:
    """By the schemas of both generations; what one does not know, the other does."""
    folders = [schema_folder(each) for each in (CODEX_VERSION, NEWEST_VERSION)]
    if None in folders:
        pytest.skip(why_no_schemas())
    messages: list[Said] = [
        said
        for group in GROUPS
        for results in stage.play(group).values()
        for said in results["ours"].raw
    ]

    old, new = (Checker(folder).check(messages) for folder in folders if folder is not None)

    assert old.problems + new.problems == []
    assert set(old.unknown) & set(new.unknown) == set()
    kinds = {"ServerNotification", "ServerRequest", "answer", "error"}
    assert set(old.valid) == set(new.valid) == kinds
