"""Rules that a project brings along: whom they bind, and who may write them."""

import json
from pathlib import Path

import pytest

from actors.config import load_config
from messages.settings import ReadOnly, WorkspaceWrite

from .arena import exec_command, open_arena, patch, shell

ALLOWS_TOUCH = 'prefix_rule(pattern=["touch"], decision="allow")\n'
FORBIDS_LS = 'prefix_rule(pattern=["ls"], decision="forbidden")\n'


def make_project(tmp_path: Path, trust: str | None) -> Path:
    """A project with rules in it, and a home that says whether it is trusted."""
    project = tmp_path / "project"
    for name in (".git", ".codex/rules", "sub/.codex", "sub/work"):
        (project / name).mkdir(parents=True)
    (project / ".codex" / "rules" / "x.rules").write_text(ALLOWS_TOUCH + FORBIDS_LS)
    (tmp_path / "home").mkdir()
    says = f"[projects.{json.dumps(str(project))}]\ntrust_level = {json.dumps(trust)}\n"
    (tmp_path / "home" / "config.toml").write_text(says if trust else "")
    return project


def rule_folders(tmp_path: Path, cwd: Path) -> tuple[str, ...]:
    return load_config(tmp_path / "home", cwd=cwd, system=None).thread_config().rule_folders


@pytest.mark.parametrize("trust", [None, "untrusted", "trusted"])
async def test_only_a_trusted_project_has_a_say_about_commands(
    tmp_path: Path, trust: str | None
) -> None:
    """What it allows runs outside of the sandbox; that is no project's own to decide."""
    project = make_project(tmp_path, trust)
    folders = rule_folders(tmp_path, project)
    async with open_arena(
        project, processes=True, sandbox_policy=ReadOnly(), rule_folders=folders
    ) as arena:
        listed = await arena.answer(shell("ls -a"))
        await arena.answer(shell("touch by-shell"))
        await arena.answer(exec_command("touch by-exec"))

    trusted = trust == "trusted"
    assert ("policy forbids commands starting with" in listed) is trusted
    written = {path.name for path in project.glob("by-*")}
    assert written == ({"by-shell", "by-exec"} if trusted else set())


@pytest.mark.slow
async def test_no_command_and_no_patch_writes_the_rules_that_it_is_under(tmp_path: Path) -> None:
    """Wherever they are in what may be written; also where there are none yet."""
    project = make_project(tmp_path, "trusted")
    work = project / "sub" / "work"
    policy = WorkspaceWrite(
        writable_roots=(str(project),), exclude_slash_tmp=True, exclude_tmpdir_env_var=True
    )
    async with open_arena(
        work, processes=True, sandbox_policy=policy, rule_folders=rule_folders(tmp_path, work)
    ) as arena:
        for target in ("../.codex", "../../.codex"):
            await arena.answer(shell(f"mkdir -p {target}/rules; echo > {target}/rules/y.rules"))
            await arena.answer(shell(f"mv {target} {target}2; mkdir -p {target}/rules"))
            await arena.answer(patch(f"*** Add File: {target}/rules/z.rules", "+x"))
        await arena.answer(shell("echo > ../beside"))

    assert {p.name for p in project.rglob("*") if p.is_file()} == {"x.rules", "beside"}
    assert not list(project.rglob(".codex2"))
