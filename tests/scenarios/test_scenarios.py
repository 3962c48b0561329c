"""Each scenario file does what its head says, whoever plays the model."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from tests.cli.running import Bench
from tests.safety import bubblewrap

from .played import FOLDER, Outcome, Script, Way, missing, play

SCRIPTS: Final = {path.stem: Script.read(path) for path in sorted(FOLDER.glob("*.toml"))}

OPS: Final = sorted(FOLDER.glob("ops/*.toml"))
"""Played in `test_ops`."""

FILES: Final[Mapping[str, Mapping[str, bytes]]] = {
    "apply_patch": {
        "docs/note.md": b"# Note\n",
        "hello.py": b'def greet(name):\n    print("hello", name)\n',
    },
    "patch_by_heredoc": {"src/hello.txt": b"hello, world\n"},
    "patch_fails": {"one.txt": b"one\n", "two.txt": b"two\n"},
    "refused": {},
    "sandbox": {"here": b"mine\n"},
    "shell": {"README": b"hello\n"},
}
"""What the working directory holds afterwards."""

SUBAGENTS: Final[Mapping[str, frozenset[str | None]]] = {
    "agents": frozenset({None, "collab_spawn"}),
    "compaction": frozenset({None, "compact"}),
}
"""What requests are marked with; the others are not marked."""

AS_PROCESSES: Final = ("apply_patch", "exec_session", "failure")
"""Played by real processes, too."""


@pytest.fixture(scope="session")
def played() -> dict[tuple[str, Way], Outcome]:
    """What was played already: each file is played once each way."""
    return {}


@pytest.fixture
def outcome_of(
    played: dict[tuple[str, Way], Outcome], bench_for: Callable[[Way], Bench]
) -> Callable[[str, Way], Outcome]:
    def find(name: str, way: Way) -> Outcome:
        if name == "sandbox" and (reason := bubblewrap.why_not()) is not None:
            pytest.skip(reason)
        if (name, way) not in played:
            played[name, way] = play(SCRIPTS[name], bench_for(way), way)
        return played[name, way]

    return find


@pytest.mark.slow
@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
@pytest.mark.parametrize("name", SCRIPTS)
def test_scenario_shows_what_its_head_says(
    name: str, way: Way, outcome_of: Callable[[str, Way], Outcome]
) -> None:
    """The exit code and the lines of the head, and the files of the table."""
    script = SCRIPTS[name]

    outcome = outcome_of(name, way)

    said = f"{outcome.out}\n--- errors\n{outcome.err}"
    assert outcome.code == script.code, said
    assert missing(script.out, outcome.out) is None, said
    assert missing(script.err, outcome.err) is None, said
    for line in script.anywhere:
        assert missing([line], outcome.out) is None, said
    if name in FILES:
        assert outcome.files == FILES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_scenario_comes_out_the_same_both_ways(
    name: str, outcome_of: Callable[[str, Way], Outcome]
) -> None:
    """What is shown, what is on disk and what is recorded do not depend on who plays the model."""
    scripted, http = outcome_of(name, Way.SCRIPTED), outcome_of(name, Way.HTTP)

    assert http.records == scripted.records
    assert http.files == scripted.files
    assert http.code == scripted.code
    shown = [lines_of(outcome.out, name) for outcome in (scripted, http)]
    assert shown[1] == shown[0]
    assert http.subagents == SUBAGENTS.get(name, frozenset({None}))


@pytest.mark.slow
@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
@pytest.mark.parametrize("name", AS_PROCESSES)
def test_scenario_comes_out_the_same_as_a_process(
    name: str,
    way: Way,
    outcome_of: Callable[[str, Way], Outcome],
    bench_for: Callable[[Way], Bench],
) -> None:
    """Nothing depends on running inside the process of the test."""
    inside = outcome_of(name, Way.SCRIPTED)

    alone = play(SCRIPTS[name], bench_for(way), way, as_process=True)

    assert alone.records == inside.records
    assert alone.files == inside.files
    assert alone.code == inside.code
    assert lines_of(alone.out, name) == lines_of(inside.out, name)


def test_every_scenario_is_played_and_says_what_to_expect() -> None:
    """None is left over."""
    by_ops = (FOLDER / "test_ops.py").read_text()

    assert all(s.commands and (s.out or s.err) for s in SCRIPTS.values())
    assert all(f'open_client("{p.stem}"' in by_ops or f'"{p.stem}",' in by_ops for p in OPS)


def lines_of(text: str, name: str) -> object:
    """The lines of a transcript; without their order where the machine decides on it."""
    lines = text.splitlines()
    if not SCRIPTS[name].anywhere:
        return lines
    # The heading of a call is repeated at its end when something came between.
    return {line.removesuffix(" (process ID)") for line in lines}
