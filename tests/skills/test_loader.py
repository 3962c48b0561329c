"""What a look at several roots brings."""

import errno
import os
from pathlib import Path

import pytest

from actors.skills import (
    Skill,
    SkillInterface,
    SkillRoot,
    SkillScope,
    SkillsOutcome,
    SkillsQuery,
    load_skills,
)
from messages.events import SkillError

from .trees import front, load, query, write_details, write_skill

REPO, USER, SYSTEM, ADMIN = SkillScope


def test_skills_of_all_roots_are_listed_by_scope_name_and_path(tmp_path: Path) -> None:
    """Skills of the same name are all there."""
    for folder in ("user", "repo", "admin", "system"):
        for place, name in (("b", "one"), ("a", "two"), ("a1", "two")):
            write_skill(tmp_path / folder / place, front(name))
    roots = tuple(SkillRoot(str(tmp_path / scope.value), scope) for scope in reversed(SkillScope))

    outcome = load_skills(SkillsQuery(roots=roots))

    assert [
        (skill.scope, skill.name, Path(skill.path).parent.name) for skill in outcome.skills
    ] == [
        (scope, name, place)
        for scope in (REPO, USER, SYSTEM, ADMIN)
        for name, place in (("one", "b"), ("two", "a"), ("two", "a1"))
    ]
    assert outcome.folders == tuple(root.path for root in roots)
    assert outcome.lasting


def test_skill_says_what_its_files_say(tmp_path: Path) -> None:
    """Both of them."""
    path = write_skill(tmp_path / "one", front(more="metadata:\n  short-description: Short.\n"))
    write_details(tmp_path / "one", "interface: {display_name: One}\npolicy: {}\n")

    assert load(tmp_path) == SkillsOutcome(
        skills=(
            Skill(
                name="one",
                description="Does one thing.",
                path=str(path),
                scope=USER,
                short_description="Short.",
                interface=SkillInterface(display_name="One"),
            ),
        ),
        folders=(str(tmp_path),),
    )


def test_file_that_several_roots_lead_to_has_the_scope_of_the_first(tmp_path: Path) -> None:
    """By whatever path; what is wrong with it is told once, too."""
    good = write_skill(tmp_path / "real" / "good")
    bad = write_skill(tmp_path / "real" / "bad", "")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "more").symlink_to(tmp_path / "real" / "good")
    roots = (
        SkillRoot(str(tmp_path / "other"), ADMIN),
        SkillRoot(str(tmp_path / "link"), REPO),
        SkillRoot(str(tmp_path / "real"), USER),
        SkillRoot(str(tmp_path / "real" / "good"), USER),
    )

    outcome = load_skills(SkillsQuery(roots=roots))

    assert [(skill.path, skill.scope) for skill in outcome.skills] == [(str(good), ADMIN)]
    assert [error.path for error in outcome.errors] == [str(bad)]
    assert outcome.folders == tuple(str(tmp_path / name) for name in ("other", "real/good", "real"))


def test_bad_files_are_told_except_those_of_the_system(tmp_path: Path) -> None:
    """The user can do nothing about these."""
    for scope in SkillScope:
        write_skill(tmp_path / scope.value / "bad", "---\nname: a\n---\n")
        write_skill(tmp_path / scope.value / "good")
        write_details(tmp_path / scope.value / "good", "[]")
    roots = tuple(SkillRoot(str(tmp_path / scope.value), scope) for scope in SkillScope)

    outcome = load_skills(SkillsQuery(roots=roots))

    assert len(outcome.skills) == 4
    assert outcome.errors == tuple(
        SkillError(path=str(tmp_path / scope.value / place), message=message)
        for scope in (REPO, USER, ADMIN)
        for place, message in (
            (
                "bad/SKILL.md",
                "missing field `description`; add a line description: ... to the frontmatter",
            ),
            (
                "good/agents/openai.yaml",
                "invalid YAML: the whole is a list, not a mapping; "
                "write lines of the form name: value",
            ),
        )
    )


def test_disabled_skills_are_there_and_not_enabled(tmp_path: Path) -> None:
    """Whatever path they were switched off by; paths that lead nowhere do nothing."""
    for name in ("off", "linked", "on"):
        write_skill(tmp_path / "real" / name)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    disabled = ("real/off/SKILL.md", "link/linked/SKILL.md", "real/no/SKILL.md", "a\0b", "real/on")
    off = tuple(tmp_path / name for name in disabled)

    outcome = load_skills(query(tmp_path / "real", disabled=off))

    assert [skill.name for skill in outcome.skills] == ["linked", "off", "on"]
    assert [skill.name for skill in outcome.enabled()] == ["on"]
    assert [outcome.is_enabled(skill) for skill in outcome.skills] == [False, False, True]
    assert [listed.enabled for listed in outcome.metadata] == [False, False, True]
    assert str(tmp_path / "real/linked/SKILL.md") in outcome.disabled_paths


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", os.fsdecode(b"\xff"), "a\u2028b"])
def test_skill_whose_path_would_spoil_the_prompt_is_told(tmp_path: Path, name: str) -> None:
    """It stands on a line of its own there."""
    write_skill(tmp_path / name, front())

    outcome = load(tmp_path)

    assert outcome.skills == ()
    [error] = outcome.errors
    assert error.message == "its path is not plain text; rename that folder"
    error.path.encode()


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ELOOP, errno.ENOTDIR])
def test_skill_that_goes_in_this_instant_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is as if it had gone before."""
    refuse(monkeypatch, "one/SKILL.md", code)
    write_skill(tmp_path / "one")

    assert load(tmp_path) == SkillsOutcome(folders=(str(tmp_path),))


@pytest.mark.parametrize("file", ["one/SKILL.md", "one/agents/openai.yaml"])
@pytest.mark.parametrize(
    ("code", "lasting"), [(errno.EMFILE, False), (errno.ENOMEM, False), (errno.EACCES, True)]
)
@pytest.mark.parametrize("scope", [USER, SYSTEM])
def test_trouble_of_the_system_is_told_and_does_not_last(  # noqa: PLR0917 -- a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    code: int,
    lasting: bool,
    scope: SkillScope,
) -> None:
    """The next look may find more; also where nothing is told."""
    refuse(monkeypatch, file, code)
    write_skill(tmp_path / "one")
    write_details(tmp_path / "one", "")

    outcome = load_skills(SkillsQuery(roots=(SkillRoot(str(tmp_path), scope),)))

    assert outcome.lasting is lasting
    told = [
        SkillError(path=str(tmp_path / file), message=f"failed to read file: {os.strerror(code)}")
    ]
    assert list(outcome.errors) == (told if scope is USER else [])
    assert len(outcome.skills) == (0 if file == "one/SKILL.md" else 1)


def refuse(monkeypatch: pytest.MonkeyPatch, end: str, code: int) -> None:
    real = os.open

    def fail(path, flags, *rest):
        if str(path).endswith(end):
            raise OSError(code, os.strerror(code))
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", fail)


@pytest.mark.slow
def test_home_without_skills_does_not_import_yaml() -> None:
    """Most runs need not wait for it."""
    import subprocess
    import sys

    code = (
        "import sys; from actors.skills import *; "
        "load_skills(SkillsQuery(roots=(SkillRoot('/no', SkillScope.USER),))); "
        "print('yaml' in sys.modules)"
    )
    root = Path(__file__).parent.parent.parent

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )

    assert ran.stdout == "False\n"
