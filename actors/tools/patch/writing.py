"""Writes the files of a patch: all of them, or none."""

import errno
import os
import posixpath
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import attrs

from .disk import MISSING, Disk
from .errors import PatchNotWritten, describe
from .plan import Step

__all__ = ["write_steps"]

_T = TypeVar("_T")

_PREFIX: Final = ".treadle-patch-"

_NO_LINK: Final = frozenset(
    {errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV}
)
"""What is said where there are no hard links, or where this file may have no other."""


def write_steps(steps: Sequence[Step], disk: Disk, token: str) -> tuple[str, ...]:
    """
    Take all steps, or none.

    First everything is looked at again, through descriptors of its folder that no
    change of the path can lead astray, and must be as planned; and what is new is
    written beside its place, with the rights of the file it replaces.  Only then
    files are renamed, each at one stroke and with its old self kept until the last
    is done.  Whatever fails, the renames are undone.  A power cut or SIGKILL between
    two renames is the one thing that leaves half a patch, and files whose names begin
    with ``.treadle-patch-``.

    A file that is replaced gets a new inode, so its other hard links keep the old
    content, and extended attributes are not carried over.

    Blocks.

    Args:
        token: Makes the names of files beside their place unique.

    Returns:
        Notes on what else happened, rarely any: files beside their place that are left.

    Raises:
        PatchNotWritten: Nothing was changed; or, when undoing failed as well, the text
            says what.
    """
    work = _Work(disk, token)
    try:
        work.prepare(steps)
        work.commit()
    except _Failure as failure:
        raise PatchNotWritten(_failure_text(str(failure), work.roll_back())) from failure
    except BaseException:
        work.roll_back()
        raise
    return work.clean_up()


def _failure_text(problem: str, left: Sequence[str]) -> str:
    if not left:
        return f"{problem}; no file was changed"
    return "\n".join([f"{problem}; undoing failed, too:", *left])


class _Failure(Exception):  # noqa: N818 -- never leaves this module
    """What could not be done."""


@attrs.define(eq=False, kw_only=True)
class _Job:
    """
    A step, and where it works.

    Attributes:
        folder: Descriptor of the step's folder, or of the nearest one above that exists.
        path: Of that folder.
        missing: Folders to make below it.
        name: Of the file.
        status: Of the old file as it was read; None for nothing.
        fresh: Name of the new file beside its place, in *folder*.
    """

    step: Step
    folder: int
    path: str
    missing: tuple[str, ...]
    name: str
    status: os.stat_result | None
    fresh: str = ""


@attrs.frozen
class _Undo:
    """
    Takes back one thing.

    Attributes:
        words: For when that fails.
        kept: Name of the file that is all there is of the old one; empty for none.
    """

    words: str
    action: Callable[[], None]
    kept: str = ""


@attrs.define(eq=False)
class _Work:
    """
    One patch on its way to the disk.

    Folders stay open from the first look to the last clean-up: as many descriptors
    as the patch has folders.
    """

    _disk: Disk
    _token: str
    _count: int = attrs.field(default=0, init=False)
    _jobs: list[_Job] = attrs.field(factory=list[_Job], init=False)
    _folders: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    # Names of files beside their place, with the folder they are in.
    _litter: dict[str, tuple[int, str]] = attrs.field(
        factory=dict[str, tuple[int, str]], init=False
    )
    _undo: list[_Undo] = attrs.field(factory=list[_Undo], init=False)  # oldest first

    def prepare(self, steps: Sequence[Step]) -> None:
        """Look at everything again and write what is new beside its place."""
        gone = {step.place for step in steps if step.after == MISSING}
        for step in steps:
            self._jobs.append(_tried(step, self._find, step, gone))
        for job in self._jobs:
            if job.step.after != MISSING:
                _tried(job.step, self._write_beside, job)

    def commit(self) -> None:
        """Rename everything into place; removals first, since a folder may follow a file."""
        for job in self._jobs:
            if job.step.after == MISSING:
                _tried(job.step, self._set_aside, job, job.folder)
        for job in self._jobs:
            if job.step.after != MISSING:
                _tried(job.step, self._put, job)

    def roll_back(self) -> tuple[str, ...]:
        """Take back what was done, latest first; return what could not be."""
        left: list[str] = []
        while self._undo:
            undo = self._undo.pop()
            try:
                undo.action()
            except OSError as error:
                left.append(f"Failed to {undo.words}: {describe(error)}")
                self._litter.pop(undo.kept, None)
        return (*left, *self.clean_up())

    def clean_up(self) -> tuple[str, ...]:
        """Remove what lies beside its place and close all folders; return what is left."""
        left: list[str] = []
        for name, (folder, path) in self._litter.items():
            try:
                self._disk.remove(folder, name)
            except FileNotFoundError:
                pass  # never made, or renamed back
            except OSError as error:
                left.append(f"Failed to remove {path}/{name}: {describe(error)}")
        self._litter.clear()
        for folder in self._folders.values():
            self._disk.close(folder)
        self._folders.clear()
        return tuple(left)

    def _find(self, step: Step, gone: set[str]) -> _Job:
        """Open the folder of a step, and see that everything is as it was planned with."""
        path, name = os.path.split(step.place)
        missing: tuple[str, ...] = ()
        refusal: OSError | None = None
        while (folder := self._folders.get(path)) is None:
            try:
                folder = self._folders[path] = self._disk.open_folder(path)
            except (FileNotFoundError, NotADirectoryError) as error:
                refusal = error
                path, last = os.path.split(path)
                missing = (last, *missing)
        # In the way may be only a file that this very patch removes.
        in_the_way = posixpath.join(path, *missing[:1])
        if isinstance(refusal, NotADirectoryError) and in_the_way not in gone:
            raise _changed(step)
        now = MISSING if missing else self._disk.read(folder, name)
        if now != step.before:
            raise _changed(step)
        return _Job(
            step=step, folder=folder, path=path, missing=missing, name=name, status=now.status
        )

    def _write_beside(self, job: _Job) -> None:
        job.fresh = self._name_beside(job.folder, job.path)
        entry = job.step.after
        if job.status is not None and entry.status is job.step.before.status:
            entry = attrs.evolve(entry, status=job.status)  # its rights as they are now
        self._disk.create(job.folder, job.fresh, entry)

    def _put(self, job: _Job) -> None:
        folder = self._make_folders(job)
        if job.step.before == MISSING:
            self._put_new(job, folder)
            self._undo.append(
                _Undo(f"remove {job.step.shown}", lambda: self._disk.remove(folder, job.name))
            )
            return
        undo = self._keep_old(job)
        self._rename(job, folder)
        if undo is not None:
            self._undo.append(undo)

    def _put_new(self, job: _Job, folder: int) -> None:
        """Give the new file its name, which nobody may have taken meanwhile."""
        disk = self._disk
        try:
            disk.link(job.folder, job.fresh, folder, job.name)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if disk.read(folder, job.name) != MISSING:
                raise _changed(job.step) from error
            self._rename(job, folder)

    def _rename(self, job: _Job, folder: int) -> None:
        self._disk.move(job.folder, job.fresh, folder, job.name)
        del self._litter[job.fresh]

    def _keep_old(self, job: _Job) -> _Undo | None:
        """
        Give the old file a second name, by which it can come back once it is replaced.

        None where there is no second name: it has another one now, and comes back anyway.
        """
        disk, folder = self._disk, job.folder
        kept = self._name_beside(folder, job.path)
        try:
            disk.link(folder, job.name, folder, kept)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._set_aside(job, folder)  # for a moment there is no such file
            return None
        self._check(job, folder, kept)
        return self._return(job, folder, kept)

    def _set_aside(self, job: _Job, folder: int) -> None:
        """Rename the old file, so that it is gone but can come back."""
        kept = self._name_beside(folder, job.path)
        self._disk.move(folder, job.name, folder, kept)
        self._undo.append(self._return(job, folder, kept))
        self._check(job, folder, kept)

    def _return(self, job: _Job, folder: int, kept: str) -> _Undo:
        words = f"restore {job.step.shown}, which is kept as {job.path}/{kept}"
        return _Undo(words, lambda: self._disk.move(folder, kept, folder, job.name), kept)

    def _check(self, job: _Job, folder: int, kept: str) -> None:
        """See that what was kept is what was read, whoever was quick in between."""
        now = self._disk.status(folder, kept)
        if job.status is None or _stamp(now) != _stamp(job.status):
            raise _changed(job.step)

    def _make_folders(self, job: _Job) -> int:
        folder, path = job.folder, job.path
        for name in job.missing:
            path = posixpath.join(path, name)
            folder = self._make_folder(folder, name, path)
        return folder

    def _make_folder(self, parent: int, name: str, path: str) -> int:
        if (known := self._folders.get(path)) is not None:
            return known
        try:
            self._disk.make_folder(parent, name)
        except FileExistsError:
            pass  # somebody else was first; a link is not entered below
        else:
            self._undo.append(
                _Undo(f"remove folder {path}", lambda: self._disk.remove_folder(parent, name))
            )
        folder = self._folders[path] = self._disk.enter_folder(parent, name)
        return folder

    def _name_beside(self, folder: int, path: str) -> str:
        name = f"{_PREFIX}{self._token}-{self._count}"
        self._count += 1
        self._litter[name] = (folder, path)
        return name


def _tried(step: Step, action: Callable[..., _T], *args: object) -> _T:
    try:
        return action(*args)
    except OSError as error:
        raise _Failure(f"Failed to {_doing(step)} {step.shown}: {describe(error)}") from error


def _doing(step: Step) -> str:
    if step.after != MISSING:
        return "write file"
    return "remove original" if step.moved else "delete file"


def _changed(step: Step) -> _Failure:
    return _Failure(
        f"Failed to {_doing(step)} {step.shown}: it changed since the patch was verified"
    )


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
