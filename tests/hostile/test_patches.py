"""Patches that want out of the project, or in where no file is, in a whole thread."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from messages.events import (
    ApplyPatchApprovalRequest,
    ApplyPatchStatus,
    ExecCommandBegin,
    PatchApplyBegin,
    PatchApplyEnd,
    TurnDiff,
)
from messages.ops import PatchApproval, ReviewDecisionKind
from messages.settings import AskForApproval, WorkspaceWrite

from ..tools.patch.trees import contents, tree, write
from .arena import SOON, call, open_arena, patch, shell

WORKSPACE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
UPDATE = "*** Update File: "
ADD = "*** Add File: "
DELETE = "*** Delete File: "

OUTSIDE = "patch rejected: writing outside of the project; rejected by user approval settings"
NO_FILE = "it is a device, socket or FIFO, no regular file"
FOLDER = "Is a directory (os error 21)"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A project with traps in it, and beside it what is none of the model's business."""
    write(
        tmp_path,
        {
            "out/secret": "secret\n",
            "project/in": "in\n",
            "project/folder/f": "f\n",
            "project/.git/hooks/old": "old\n",
        },
    )
    root = tmp_path / "project"
    os.mkfifo(root / "fifo")
    (root / "to folder").symlink_to("../out")
    (root / "to file").symlink_to("../out/secret")
    (root / "to nowhere").symlink_to("../out/new")
    (root / "to device").symlink_to("/dev/null")
    (root / "loop").symlink_to("loop")
    with (root / "large").open("wb") as file:
        file.truncate(65 << 20)
    (root / "binary").write_bytes(bytes(range(256)))
    return tmp_path


@pytest.fixture
def root(world: Path) -> Iterator[Path]:
    """The project, of which nothing may have changed when the test is over."""
    root = world / "project"
    (root / "large").unlink()
    before = tree(world)
    with (root / "large").open("wb") as file:
        file.truncate(65 << 20)
    yield root
    (root / "large").unlink()
    assert tree(world) == before


REJECTED = {
    "up": ([ADD + "../out/x", "+x"], OUTSIDE),
    "up and down": ([ADD + "folder/../../out/x", "+x"], OUTSIDE),
    "absolute": ([ADD + "/nowhere/x", "+x"], OUTSIDE),
    "by a link to a folder": ([ADD + "to folder/x", "+x"], OUTSIDE),
    "below a link to a folder": ([UPDATE + "to folder/secret", "-secret", "+x"], OUTSIDE),
    "by a link to a file": ([UPDATE + "to file", "-secret", "+x"], OUTSIDE),
    "by a link to nothing": ([ADD + "to nowhere", "+x"], OUTSIDE),
    "a file moved out": ([UPDATE + "in", "*** Move to: ../out/in", "-in", "+x"], OUTSIDE),
    "a file moved in": ([UPDATE + "../out/secret", "*** Move to: x", "-secret", "+x"], OUTSIDE),
    "a file outside removed": ([DELETE + "../out/secret"], OUTSIDE),
    "a new hook": ([ADD + ".git/hooks/post-commit", "+x"], OUTSIDE),
    "an old hook": ([UPDATE + ".git/hooks/old", "-old", "+x"], OUTSIDE),
    "git's settings": ([ADD + "folder/../.git/config", "+x"], OUTSIDE),
    "our rules": ([ADD + ".treadle/rules/x.rules", "+x"], OUTSIDE),
    "one of two outside": ([ADD + "fine", "+x", DELETE + "../out/secret"], OUTSIDE),
    "a device": ([ADD + "/dev/null", "+x"], NO_FILE),
    "a device, changed": ([UPDATE + "/dev/zero", "-x", "+y"], NO_FILE),
    "a link to a device": ([UPDATE + "to device", "-x", "+y"], NO_FILE),
    "a FIFO": ([UPDATE + "fifo", "-x", "+y"], NO_FILE),
    "a FIFO, written": ([ADD + "fifo", "+y"], NO_FILE),
    "a FIFO, removed": ([DELETE + "fifo"], NO_FILE),
    "a folder": ([UPDATE + "folder", "-x", "+y"], FOLDER),
    "a folder, written": ([ADD + "folder", "+y"], FOLDER),
    "a folder, removed": ([DELETE + "folder"], FOLDER),
    "the project": ([ADD + ".", "+y"], FOLDER),
    "below a file": ([ADD + "in/x", "+y"], "Not a directory"),
    "a link to itself": ([UPDATE + "loop", "-x", "+y"], "Too many levels of symbolic links"),
    "our own memory": ([UPDATE + "/proc/self/mem", "-x", "+y"], "os error"),
    "65 MiB": ([UPDATE + "large", "-x", "+y"], "larger than the 64 MiB that a patch may touch"),
    "binary": ([UPDATE + "binary", "-x", "+y"], "it is not valid UTF-8 text (byte 128)"),
    "NUL": ([ADD + "a\0b", "+y"], "'a\\x00b' is not the path of a file"),
    "a long name": ([ADD + "a" * 5000, "+y"], "File name too long"),
    "a deep path": ([ADD + "a/" * 3000 + "x", "+y"], "File name too long"),
    "no name": ([ADD, "+y"], "is not a valid hunk header"),
    "no hunk": ([], "patch rejected: empty patch"),
    "rubbish": (["\x00\x1b[2J"], "is not a valid hunk header"),
    "lines that are not there": ([UPDATE + "in", "-out", "+x"], "Failed to find expected lines"),
}


async def test_patch_that_may_not_be_or_cannot_be_changes_nothing_and_says_why(root: Path) -> None:
    """Nothing blocks on what is no file, and what was announced has its end."""
    async with open_arena(root, resumes=True, sandbox_policy=WORKSPACE) as arena:
        for name, (lines, says) in REJECTED.items():
            assert says in await arena.answer(patch(*lines)), name

        ends = arena.of(PatchApplyEnd)
        assert len(ends) == len(arena.of(PatchApplyBegin))
        assert len(ends) == sum(says is OUTSIDE for _, says in REJECTED.values())
        assert {end.status for end in ends} == {ApplyPatchStatus.FAILED}
        assert arena.of(TurnDiff) == []


async def test_patch_by_a_command_gets_no_further(root: Path) -> None:
    """Nor after a change of folder; it is a patch, not a command."""
    text = "\n".join(["*** Begin Patch", ADD + "secret", "+x", "*** End Patch"])
    async with open_arena(root, sandbox_policy=WORKSPACE) as arena:
        for folder in ("../out", "to folder"):
            script = f"cd '{folder}' && apply_patch <<'EOF'\n{text}\nEOF"
            assert await arena.answer(shell(script)) == OUTSIDE
        direct = call(
            "exec_command", {"cmd": f"apply_patch <<'EOF'\n{text}\nEOF", "workdir": "../out"}
        )
        assert await arena.answer(direct) == OUTSIDE
        assert arena.of(ExecCommandBegin) == []


async def test_patch_outside_shows_the_person_where_links_lead(root: Path) -> None:
    """And a no is final."""
    settings = {"sandbox_policy": WORKSPACE, "approval_policy": AskForApproval.ON_REQUEST}
    async with open_arena(root, **settings) as arena:
        await arena.start_calls(patch(UPDATE + "to file", "-secret", "+x"))
        with trio.fail_after(SOON):
            asked = await arena.wait_for(ApplyPatchApprovalRequest)
        assert asked.reason == f"{root}/to file leads to {root.parent}/out/secret"
        await arena.do(PatchApproval(id="c", decision=ReviewDecisionKind.DENIED))

        assert await arena.outputs() == ["patch rejected by user"]

        assert [end.status for end in arena.of(PatchApplyEnd)] == [ApplyPatchStatus.DECLINED]


@pytest.mark.slow
async def test_patch_of_ten_thousand_hunks_is_applied_once_and_wholly(tmp_path: Path) -> None:
    """Within seconds, and the loop serves others meanwhile."""
    write(tmp_path, {"f": "".join(f"line {n}\n" for n in range(10_000))})
    chunks = [line for n in range(10_000) for line in ("@@", f"-line {n}", f"+LINE {n}")]
    async with open_arena(tmp_path) as arena:
        answer = await arena.answer(patch(UPDATE + "f", *chunks))
        wrong = await arena.answer(patch(UPDATE + "f", *chunks))

        assert answer.endswith("M f\n")
        assert "Failed to find expected lines" in wrong
    assert contents(tmp_path) == {"f": b"".join(b"LINE %d\n" % n for n in range(10_000))}


@pytest.mark.slow
async def test_patch_of_a_thousand_files_is_all_or_nothing(tmp_path: Path) -> None:
    """One of them cannot be written, so none is."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "999").mkdir()
    lines = [line for n in range(1000) for line in (f"{ADD}n/{n}", "+x")]
    async with open_arena(tmp_path) as arena:
        assert "n/999: Is a directory" in await arena.answer(patch(*lines))
        assert list((tmp_path / "n").iterdir()) == [tmp_path / "n" / "999"]

        (tmp_path / "n" / "999").rmdir()
        assert (await arena.answer(patch(*lines))).count("\nA n/") == 1000
    assert len(contents(tmp_path)) == 1000


@pytest.mark.slow
async def test_file_of_millions_of_lines_is_removed_in_moments(
    tmp_path: Path,
) -> None:
    """The diff of the turn says all of it, and is not worked out line by line."""
    (tmp_path / "f").write_bytes(b"x\n" * 5_000_000)
    async with open_arena(tmp_path) as arena:
        assert (await arena.answer(patch(DELETE + "f"))).endswith("D f\n")

        assert arena.of(TurnDiff)[-1].unified_diff.count("\n-x") == 5_000_000
    assert contents(tmp_path) == {}


async def test_line_ends_of_a_file_stay_as_they_are(tmp_path: Path) -> None:
    """Whatever the patch has."""
    write(tmp_path, {"dos": "a\r\nb\r\nc\r\n", "unix": "a\nb\nc\n"})
    async with open_arena(tmp_path) as arena:
        lines = ("@@", " a", "-b", "+B")
        await arena.answer(patch(UPDATE + "dos", *lines, UPDATE + "unix", *lines))
        carried = patch(UPDATE + "unix", "@@", "-c", "+C")
        await arena.answer(call("apply_patch", {"input": carried.input.replace("\n", "\r\n")}))

    assert contents(tmp_path) == {"dos": b"a\r\nB\r\nc\r\n", "unix": b"a\nB\nC\n"}


async def test_text_that_utf8_cannot_say_does_not_reach_the_disk(tmp_path: Path) -> None:
    """The call, the answer and the file have the same question marks."""
    async with open_arena(tmp_path) as arena:
        answer = await arena.answer(patch(ADD + "s\ud800", "+y\udfff"))

        assert answer.endswith("A s?\n")
    assert contents(tmp_path) == {"s?": b"y?\n"}
