"""What a patch comes to, before anything is written."""

import os
from pathlib import Path

import pytest

from actors.tools.patch import disk as disk_module
from actors.tools.patch.errors import PatchMismatch
from messages.events import AddFile, DeleteFile, UpdateFile

from .trees import patch, plan, tree, update, write


def refusal(root: Path, text: str) -> str:
    before = tree(root)
    with pytest.raises(PatchMismatch) as caught:
        plan(root, text)
    assert tree(root) == before
    return str(caught.value)


def test_changes_show_each_file_under_its_absolute_path(tmp_path: Path) -> None:
    """Content for new and removed files, a diff with one line around for others."""
    write(tmp_path, {"a": "1\n2\n3\n4\n5\n", "b": "gone\n", "c": "x\n"})

    planned = plan(
        tmp_path,
        patch(
            "*** Update File: a", "-3", "+three",
            "*** Delete File: b",
            "*** Update File: c", "*** Move to: d/e", "-x", "+y",
            "*** Add File: n", "+new",
        ),
    )  # fmt: skip

    assert planned.changes == {
        f"{tmp_path}/a": UpdateFile(unified_diff="@@ -2,3 +2,3 @@\n 2\n-3\n+three\n 4\n"),
        f"{tmp_path}/b": DeleteFile(content="gone\n"),
        f"{tmp_path}/c": UpdateFile(
            unified_diff="@@ -1 +1 @@\n-x\n+y\n", move_path=f"{tmp_path}/d/e"
        ),
        f"{tmp_path}/n": AddFile(content="new\n"),
    }
    assert planned.summary == ("Success. Updated the following files:\nA n\nM a\nM d/e\nD b\n")
    assert planned.paths == tuple(f"{tmp_path}/{name}" for name in ("a", "b", "c", "d/e", "n"))
    assert tree(tmp_path).keys() == {"a", "b", "c"}


def test_sections_for_one_file_add_up(tmp_path: Path) -> None:
    """L40: the second sees what the first left, not the disk."""
    write(tmp_path, {"a": "1\n2\n"})

    planned = plan(
        tmp_path,
        patch("*** Update File: a", "-1", "+one", "*** Update File: ./a", " one", "-2", "+two"),
    )

    [step] = planned.steps
    assert step.after.data == b"one\ntwo\n"
    assert planned.changes == {
        f"{tmp_path}/a": UpdateFile(unified_diff="@@ -1,2 +1,2 @@\n-1\n-2\n+one\n+two\n")
    }


@pytest.mark.parametrize(
    ("lines", "expected", "summary"),
    [
        (["*** Add File: n", "+1", "*** Update File: n", "-1", "+2"], {"n": b"2\n"}, "A n\nM n\n"),
        (["*** Delete File: a", "*** Add File: a", "+2"], {"a": b"2\n"}, "A a\n"),
        (["*** Add File: n", "+1", "*** Delete File: n"], {}, "D n\n"),
        (["*** Add File: a", "+2"], {"a": b"2\n"}, "A a\n"),
        (
            ["*** Update File: a", "*** Move to: b", "-1", "+2", "*** Add File: a", "+3"],
            {"a": b"3\n", "b": b"2\n"},
            "A a\nM b\n",
        ),
        (
            ["*** Update File: a", "*** Move to: ./a", "-1", "+2"],
            {"a": b"2\n"},
            "M ./a\n",
        ),
        (
            [
                "*** Update File: a", "*** Move to: b", "-1", "+2",
                "*** Update File: b", "*** Move to: c", "-2", "+3",
            ],
            {"a": None, "c": b"3\n"},
            "M c\n",
        ),
        (
            [
                "*** Update File: a", "*** Move to: t", "-1", "+2",
                "*** Update File: k", "*** Move to: a", "-k", "+K",
                "*** Update File: t", "*** Move to: k", "-2", "+3",
            ],
            {"a": b"K\n", "k": b"3\n"},
            "M a\nM k\n",
        ),
    ],
)  # fmt: skip
def test_each_section_sees_what_those_before_it_did(
    tmp_path: Path, lines: list[str], expected: dict[str, bytes | None], summary: str
) -> None:
    """Steps are what is left in the end; the summary says what is true in the end."""
    write(tmp_path, {"a": "1\n", "k": "k\n"})

    planned = plan(tmp_path, patch(*lines))

    assert {
        str(Path(step.place).relative_to(tmp_path)): step.after.data or None
        for step in planned.steps
    } == expected
    assert planned.summary == f"Success. Updated the following files:\n{summary}"


def test_file_that_is_overwritten_is_shown_as_changed(tmp_path: Path) -> None:
    """Who allows a patch sees what is lost: by an addition, and by a move."""
    write(tmp_path, {"a": "1\n", "b": "old\n", "c": b"\xff"})

    added = plan(tmp_path, patch("*** Add File: b", "+new", "*** Add File: c", "+x")).changes
    moved = plan(tmp_path, update("a", "*** Move to: b", "-1", "+new")).changes

    overwritten = UpdateFile(unified_diff="@@ -1 +1 @@\n-old\n+new\n")
    assert added == {f"{tmp_path}/b": overwritten, f"{tmp_path}/c": AddFile(content="x\n")}
    assert moved == {
        f"{tmp_path}/a": UpdateFile(
            unified_diff="@@ -1 +1 @@\n-1\n+new\n", move_path=f"{tmp_path}/b"
        ),
        f"{tmp_path}/b": overwritten,
    }


def test_moved_file_keeps_its_rights(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1\n"})
    (tmp_path / "a").chmod(0o751)

    planned = plan(tmp_path, update("a", "*** Move to: b", "-1", "+2"))

    assert planned.origins == {f"{tmp_path}/b": f"{tmp_path}/a"}
    [_, step] = planned.steps
    assert step.after.git_mode == "100755"


NO_FILE = "No such file or directory (os error 2)"


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    """Texts that models know, with the path as it is on the disk."""
    write(tmp_path, {"d/f": "1\n", "binary": b"a\xff", "sub/x": ""})
    at = str(tmp_path)

    assert (
        refusal(tmp_path, update("no", "-x")) == f"Failed to read file to update {at}/no: {NO_FILE}"
    )
    assert refusal(tmp_path, patch("*** Delete File: no")) == f"Failed to read {at}/no: {NO_FILE}"
    assert refusal(tmp_path, patch("*** Delete File: d")) == (
        f"Failed to read {at}/d: Is a directory (os error 21)"
    )
    assert refusal(tmp_path, update("d", "-x")) == (
        f"Failed to read file to update {at}/d: Is a directory (os error 21)"
    )
    assert refusal(tmp_path, patch("*** Add File: d", "+x")) == (
        f"Failed to write file {at}/d: Is a directory (os error 21)"
    )
    assert refusal(tmp_path, patch("*** Add File: .", "+x")) == (
        f"Failed to write file {at}: Is a directory (os error 21)"
    )
    assert refusal(tmp_path, patch("*** Add File: d/f/g", "+x")) == (
        f"Failed to create parent directories for {at}/d/f/g: Not a directory (os error 20)"
    )
    assert refusal(tmp_path, update("binary", "-a")) == (
        f"Failed to read file to update {at}/binary: it is not valid UTF-8 text (byte 1)"
    )
    assert refusal(tmp_path, patch("*** Delete File: binary")) == (
        f"Failed to read {at}/binary: it is not valid UTF-8 text (byte 1)"
    )
    assert refusal(tmp_path, update("d/f", "@@ q", "+x")) == (
        f"Failed to find context 'q' in {at}/d/f"
    )
    assert refusal(tmp_path, update("d/f", "-q", "-r")) == (
        f"Failed to find expected lines in {at}/d/f:\nq\nr"
    )
    assert refusal(tmp_path, patch("*** Add File: u", "+\ud800")) == (
        f"Failed to write file {at}/u: its new content is no valid Unicode text"
    )


def test_earlier_section_can_be_what_does_not_fit(tmp_path: Path) -> None:
    """A patch that contradicts itself is refused as a whole."""
    write(tmp_path, {"a": "1\n"})
    at = str(tmp_path)

    assert refusal(tmp_path, patch("*** Delete File: a", "*** Update File: a", "-1")) == (
        f"Failed to read file to update {at}/a: {NO_FILE}"
    )
    assert refusal(tmp_path, patch("*** Add File: n", "+1", "*** Add File: n/m", "+2")) == (
        f"Failed to create parent directories for {at}/n/m: Not a directory (os error 20)"
    )
    assert refusal(tmp_path, patch("*** Add File: n/m", "+1", "*** Add File: n", "+2")) == (
        f"Failed to write file {at}/n: Is a directory (os error 21)"
    )


@pytest.mark.parametrize("name", ["a\0b", "a/", "\udcff", "\ud800"])
def test_path_of_no_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "is not the path of a file" in refusal(tmp_path, patch(f"*** Add File: {name}", "+x"))


def test_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is taken, above it is not; what it would become counts, too."""
    monkeypatch.setattr(disk_module, "FILE_LIMIT_BYTES", 4)
    monkeypatch.setattr("actors.tools.patch.planning.FILE_LIMIT_BYTES", 4)
    write(tmp_path, {"a": "123\n", "b": "1234\n"})
    limit = "it is larger than the 64 MiB that a patch may touch"

    assert plan(tmp_path, update("a", "-123", "+abc")).steps
    assert refusal(tmp_path, update("b", "-1234")) == (
        f"Failed to read file to update {tmp_path}/b: {limit}"
    )
    assert refusal(tmp_path, update("a", "+5")) == f"Failed to write file {tmp_path}/a: {limit}"


def test_file_with_holes_above_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate((64 << 20) + 1)

    assert "64 MiB" in refusal(tmp_path, update("a", "-x"))


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path: Path, kind: str) -> None:
    """A FIFO would make us wait for ever, a device might act."""
    path = tmp_path / "odd"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path = Path("/dev/null")
    problem = "it is a device, socket or FIFO, no regular file"

    assert refusal(tmp_path, update(str(path), "-x")) == (
        f"Failed to read file to update {path}: {problem}"
    )
    assert refusal(tmp_path, patch(f"*** Add File: {path}", "+x")) == (
        f"Failed to write file {path}: {problem}"
    )
    assert (
        refusal(tmp_path, patch(f"*** Delete File: {path}")) == f"Failed to read {path}: {problem}"
    )


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1\n"})

    class Unreadable(disk_module.Disk):
        def _read_file(self, folder: int, name: str) -> disk_module.Entry:
            raise PermissionError(13, "")

    with pytest.raises(PatchMismatch, match=r"Permission denied \(os error 13\)"):
        plan(tmp_path, patch("*** Delete File: a"), Unreadable())


def test_folder_may_take_the_place_of_a_file_that_goes(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1\n"})

    planned = plan(tmp_path, patch("*** Delete File: a", "*** Add File: a/b", "+2"))

    assert [step.place for step in planned.steps] == [f"{tmp_path}/a", f"{tmp_path}/a/b"]
