"""Where skills are looked for, in which order."""

from pathlib import Path

import pytest

from actors.skills import SkillRoot, SkillScope, skill_roots

REPO, USER, SYSTEM, ADMIN = SkillScope


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for folder in ("project/.git", "project/a/b", "home", "user"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def roots(top: Path, cwd: str, **more: object) -> list[tuple[SkillScope, str]]:
    found = skill_roots(
        home=top / "home", user_home=top / "user", cwd=top / cwd, admin_folder=top / "etc", **more
    )
    return [(root.scope, root.path.removeprefix(f"{top}/")) for root in found]


FIXED = [
    (USER, "home/skills"),
    (USER, "user/.agents/skills"),
    (SYSTEM, "home/skills/.system"),
    (ADMIN, "etc/skills"),
]


def test_roots_are_those_of_the_project_the_user_the_system_and_the_machine(top: Path) -> None:
    """None of them exists; each may come into being."""
    assert roots(top, "project/a/b") == [
        (REPO, "project/a/b/.codex/skills"),
        (REPO, "project/a/.codex/skills"),
        (REPO, "project/.codex/skills"),
        *FIXED,
        (REPO, "project/.agents/skills"),
        (REPO, "project/a/.agents/skills"),
        (REPO, "project/a/b/.agents/skills"),
    ]


def test_layers_of_the_project_may_be_chosen(top: Path) -> None:
    """As the configuration says; the strongest comes first."""
    layers = (top / "project/a", top / "project")

    assert roots(top, "project/a/b", project_layers=layers)[:3] == [
        (REPO, "project/a/.codex/skills"),
        (REPO, "project/.codex/skills"),
        FIXED[0],
    ]
    assert roots(top, "project/a/b", project_layers=())[0] == FIXED[0]


@pytest.mark.parametrize(
    ("markers", "last"),
    [
        ((".git",), "project"),
        (("no", ".git"), "project"),
        ((), "project/a/b"),
        (("no",), "project/a/b"),
        (("b",), "project/a"),
    ],
)
def test_project_begins_at_the_nearest_marker(
    top: Path, markers: tuple[str, ...], last: str
) -> None:
    """Without one it is the working directory alone."""
    found = roots(top, "project/a/b", project_root_markers=markers)

    assert found[-1] == (REPO, "project/a/b/.agents/skills")
    assert found[found.index(FIXED[-1]) + 1] == (REPO, f"{last}/.agents/skills")


def test_links_of_the_working_directory_are_followed(top: Path) -> None:
    """Its project is the one that it is in, not the one it is linked from."""
    (top / "link").symlink_to(top / "project" / "a")

    assert roots(top, "link") == roots(top, "project/a")


def test_home_within_a_project_stays_the_users(top: Path) -> None:
    """Such as one whose settings are in git."""
    found = skill_roots(
        home=top / "project/.codex",
        user_home=top / "project",
        cwd=top / "project",
        admin_folder=top / "etc",
    )

    assert found == (
        SkillRoot(str(top / "project/.codex/skills"), USER),
        SkillRoot(str(top / "project/.agents/skills"), USER),
        SkillRoot(str(top / "project/.codex/skills/.system"), SYSTEM),
        SkillRoot(str(top / "etc/skills"), ADMIN),
    )


def test_further_roots_of_the_user_come_last_without_links_and_once(top: Path) -> None:
    """Whatever order they were given in."""
    (top / "z").symlink_to(top / "b")
    extra = (top / "c", top / "z", top / "b", top / "home/skills")

    found = roots(top, "home", extra_user_roots=extra)

    assert found[-2:] == [(USER, "b"), (USER, "c")]
    assert found.count((USER, "home/skills")) == 1


def test_no_path_is_fatal(top: Path) -> None:
    """Where nothing can be, nothing will be found."""
    assert roots(top, "a\0b")[0] == (REPO, "a\0b/.codex/skills")


def test_machine_has_its_place() -> None:
    """The one that Codex looks in, too."""
    found = skill_roots(home=Path("/h"), user_home=Path("/u"), cwd=Path("/"))

    assert SkillRoot("/etc/codex/skills", ADMIN) in found
