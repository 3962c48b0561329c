"""No path leads out of what may be written, whatever the patch or the disk plays."""

import os
from pathlib import Path
from typing import Any

import pytest

from actors.safety import ApprovalCache
from actors.tools.errors import ToolError
from actors.tools.patch import Patcher
from actors.tools.patch.disk import Disk
from actors.tools.patch.errors import PatchNotWritten
from actors.tools.patch.writing import write_steps
from messages.events import ApplyPatchApprovalRequest
from messages.ops import ReviewDecisionKind
from messages.settings import AskForApproval, DangerFullAccess, WorkspaceWrite

from ..fake_context import FakeContext, custom_call
from .trees import apply, contents, patch, plan, tree, update, write


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A project, and beside it what is none of the model's business."""
    write(tmp_path, {"project/in": "in\n", "project/d/f": "f\n", "out/secret": "secret\n"})
    return tmp_path


@pytest.fixture
def root(world: Path) -> Path:
    return world / "project"


async def attempt(root: Path, text: str, approval: AskForApproval = AskForApproval.NEVER) -> str:
    """Apply a patch with nobody to ask; return what the model reads."""
    policy = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    context = FakeContext(cwd=str(root), approval_policy=approval, sandbox_policy=policy)
    patcher = Patcher(approvals=ApprovalCache(), environ={})
    try:
        output = await patcher.apply(
            text, cwd="", call=custom_call("apply_patch", text), context=context
        )
    except ToolError as error:
        return error.text
    return str(output.output)


LINKS = {
    "file link": lambda root: (root / "link").symlink_to("../out/secret"),
    "folder link": lambda root: (root / "link").symlink_to("../out"),
    "chain": lambda root: [(root / "l").symlink_to("../out"), (root / "link").symlink_to("l")],
    "absolute": lambda root: (root / "link").symlink_to(root.parent / "out"),
    "dangling": lambda root: (root / "link").symlink_to("../out/new"),
}


@pytest.mark.parametrize(
    ("prepare", "lines"),
    [
        (None, ["*** Add File: ../out/x", "+x"]),
        (None, ["*** Add File: OUT/x", "+x"]),
        (None, ["*** Update File: ../out/secret", "-secret"]),
        (None, ["*** Delete File: d/../../out/secret"]),
        (None, ["*** Update File: in", "*** Move to: ../out/in", "-in"]),
        (None, ["*** Update File: ../out/secret", "*** Move to: mine", "-secret"]),
        (None, ["*** Add File: .git/hooks/post-commit", "+x"]),
        (None, ["*** Add File: d/../.git/config", "+x"]),
        (None, ["*** Add File: .treadle/rules/x", "+x"]),
        ("file link", ["*** Update File: link", "-secret"]),
        ("file link", ["*** Add File: link", "+x"]),
        ("file link", ["*** Update File: in", "*** Move to: link", "-in"]),
        ("folder link", ["*** Add File: link/x", "+x"]),
        ("folder link", ["*** Update File: link/secret", "-secret"]),
        ("folder link", ["*** Delete File: link/secret"]),
        ("folder link", ["*** Add File: link/a/b/c", "+x"]),
        ("chain", ["*** Add File: link/x", "+x"]),
        ("absolute", ["*** Delete File: link/secret"]),
        ("dangling", ["*** Add File: link", "+x"]),
        ("dangling", ["*** Add File: link/x", "+x"]),
    ],
)
async def test_nothing_outside_is_written_unasked(
    world: Path, root: Path, prepare: str | None, lines: list[str]
) -> None:
    """By "..", by absolute paths, by links in any part of the path, into git's own folder."""
    if prepare is not None:
        LINKS[prepare](root)
    before = tree(world)

    text = await attempt(root, patch(*lines).replace("OUT", str(world / "out")))

    assert text == (
        "patch rejected: writing outside of the project; rejected by user approval settings"
    )
    assert tree(world) == before


async def test_one_path_outside_spoils_the_whole_patch(world: Path, root: Path) -> None:
    before = tree(world)

    await attempt(root, patch("*** Add File: n", "+x", "*** Delete File: ../out/secret"))

    assert tree(world) == before


async def test_link_outside_that_leads_inside_is_not_removed_unasked(
    world: Path, root: Path
) -> None:
    """Removing it changes the folder it is in, wherever it leads."""
    (world / "out" / "link").symlink_to(root / "in")
    before = tree(world)

    assert "outside of the project" in await attempt(root, patch("*** Delete File: ../out/link"))

    assert tree(world) == before


async def test_dots_are_resolved_as_text_and_so_shown_and_so_written(
    world: Path, root: Path
) -> None:
    """``link/../x`` is ``x`` here; the kernel would take it for a neighbour of the target."""
    (root / "link").symlink_to("../out")

    assert "Exit code: 0" in await attempt(root, patch("*** Add File: link/../x", "+x"))

    assert (root / "x").exists()
    assert not (world / "x").exists()


async def test_link_inside_is_followed_and_stays(root: Path) -> None:
    """A patch to a link changes the file; a removal removes the link."""
    (root / "link").symlink_to("d/f")

    await attempt(root, update("link", "-f", "+g"))
    assert (root / "link").is_symlink()
    assert (root / "d" / "f").read_text() == "g\n"

    await attempt(root, patch("*** Delete File: link"))
    assert contents(root) == {"in": b"in\n", "d/f": b"g\n"}


def test_move_of_a_link_moves_the_content_and_removes_the_link(root: Path) -> None:
    (root / "link").symlink_to("d/f")

    apply(root, update("link", "*** Move to: n", "-f", "+g"))

    assert contents(root) == {"in": b"in\n", "d/f": b"f\n", "n": b"g\n"}
    assert not (root / "link").is_symlink()


def test_link_loop_is_refused(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")

    with pytest.raises(Exception, match=r"Too many levels of symbolic links \(os error 40\)"):
        plan(root, update("a", "-x"))


def test_hard_link_to_a_file_outside_is_not_written_through(world: Path, root: Path) -> None:
    """A replaced file is a new one: the other name keeps the old content."""
    os.link(world / "out" / "secret", root / "hard")

    apply(root, update("hard", "-secret", "+x"))

    assert (root / "hard").read_text() == "x\n"
    assert (world / "out" / "secret").read_text() == "secret\n"


SWAPS = {
    "file by link": lambda root: [
        (root / "d" / "f").unlink(),
        (root / "d" / "f").symlink_to("../../out/secret"),
    ],
    "folder by link": lambda root: [
        (root / "d").rename(root / "old"),
        (root / "d").symlink_to("../out"),
    ],
    "folder by file": lambda root: [(root / "d").rename(root / "old"), (root / "d").touch()],
    "file by fifo": lambda root: [(root / "d" / "f").unlink(), os.mkfifo(root / "d" / "f")],
    "file by folder": lambda root: [(root / "d" / "f").unlink(), (root / "d" / "f").mkdir()],
}
TOUCHING = [
    update("d/f", "-f", "+g"),
    patch("*** Delete File: d/f"),
    update("in", "*** Move to: d/f", "-in", "+x"),
]


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("text", TOUCHING)
def test_swap_between_verification_and_writing_is_noticed(
    world: Path, root: Path, swap: str, text: str
) -> None:
    """The place is looked at again, through folders that were opened without links."""
    write(world, {"out/f": "f\n"})
    planned = plan(root, text)
    SWAPS[swap](root)
    before = tree(world)

    with pytest.raises(PatchNotWritten, match="no file was changed"):
        write_steps(planned.steps, Disk(), "token")

    assert tree(world) == before


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("text", [*TOUCHING, patch("*** Add File: d/n/m", "+x")])
@pytest.mark.parametrize("method", ["create", "link", "move"])
def test_swap_while_writing_changes_nothing_outside(
    world: Path, root: Path, swap: str, text: str, method: str
) -> None:
    """Even in the last instant: what is outside stays as it is, and no file is lost."""
    write(world, {"out/f": "f\n"})
    planned = plan(root, text)

    def swap_first(self: Disk, *args: Any) -> None:
        if not self.swapped:  # type: ignore[attr-defined]
            self.swapped = True  # type: ignore[attr-defined]
            SWAPS[swap](root)
        getattr(Disk, method)(self, *args)

    disk = type("Swapping", (Disk,), {method: swap_first, "swapped": False})()
    try:
        write_steps(planned.steps, disk, "token")
    except PatchNotWritten as error:
        assert "undoing failed" not in str(error)

    assert contents(world / "out") == {"secret": b"secret\n", "f": b"f\n"}
    assert not any(".treadle-patch-" in name for name in tree(world))


async def test_session_approval_of_a_link_ends_where_the_link_leads_elsewhere(
    world: Path, root: Path
) -> None:
    """What was allowed is the place that was shown; and the person reads where links lead."""
    write(world, {"out/other": "other\n"})
    (root / "link").symlink_to("../out/secret")
    policy = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    context = FakeContext(
        cwd=str(root), approval_policy=AskForApproval.ON_REQUEST, sandbox_policy=policy
    )
    context.patch_answers.extend(
        [ReviewDecisionKind.APPROVED_FOR_SESSION, ReviewDecisionKind.DENIED]
    )
    patcher = Patcher(approvals=ApprovalCache(), environ={})

    async def run(text: str) -> bool | None:
        call = custom_call("apply_patch", text)
        return (await patcher.apply(text, cwd="", call=call, context=context)).success

    assert await run(update("link", "-secret", "+1"))
    assert await run(update("link", "-1", "+2"))
    (root / "link").unlink()
    (root / "link").symlink_to("../out/other")
    assert not await run(update("link", "-other", "+3"))

    reasons = [request.reason for request in context.of(ApplyPatchApprovalRequest)]
    assert reasons == [
        f"{root}/link leads to {world}/out/secret",
        f"{root}/link leads to {world}/out/other",
    ]
    assert (world / "out" / "other").read_text() == "other\n"


async def test_full_access_writes_anywhere_but_only_what_is_shown(world: Path, root: Path) -> None:
    context = FakeContext(cwd=str(root), sandbox_policy=DangerFullAccess())
    patcher = Patcher(approvals=ApprovalCache(), environ={})
    text = patch("*** Add File: .git/hooks/x", "+x", "*** Delete File: ../out/secret")

    await patcher.apply(text, cwd="", call=custom_call("apply_patch", text), context=context)

    assert contents(world) == {
        "project/in": b"in\n",
        "project/d/f": b"f\n",
        "project/.git/hooks/x": b"x\n",
    }
