"""Threads as clients see them: loaded ones, and stored ones by what their rollouts say."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from actors.rollout import (
    ListedThread,
    RolloutNotFound,
    RolloutUnreadable,
    ThreadNote,
    parse_time,
)
from messages.codec import decode_item
from messages.errors import DecodeError
from messages.events import UserMessage
from messages.rollout import RolloutItem, SessionMeta
from messages.rpc.settings import GitInfo, SessionSource
from messages.rpc.thread import NotLoadedThreadStatus, Thread, ThreadStatus
from messages.rpc.turn import Turn
from messages.settings import GitInfo as CoreGitInfo
from messages.settings import SubAgentThreadSpawn, SubAgentWrapper

from .settings_from_params import wire_source

__all__ = ["ThreadFacts", "facts_of_meta", "listed_thread", "preview_of", "read_facts"]

_HEAD_LINES: Final = 400
"""How far into a rollout the first words of the user are looked for."""

_REQUEST_MARKER: Final = "## My request for Codex:"


@attrs.frozen(kw_only=True)
class ThreadFacts:
    """
    What does not change about a thread, and what is known of it besides.

    Attributes:
        parent_id: The thread that it works for; None for one of a person's.
        preview: What the user said first; empty before that.
        created_at: In seconds since the Unix epoch; so is updated_at.
        path: Its rollout; None for an ephemeral one.
        daybreak: See `ThreadNote`.
    """

    id: str
    source: SessionSource
    model_provider: str
    cwd: str
    cli_version: str
    originator: str
    created_at: int
    updated_at: int
    path: str | None
    preview: str = ""
    git: GitInfo | None = None
    forked_from_id: str | None = None
    parent_id: str | None = None
    daybreak: bool | None = None

    def noted(self, note: ThreadNote | None) -> "ThreadFacts":
        """Say what clients said instead of what was recorded."""
        if note is None:
            return self
        changes: dict[str, Any] = {**note.git}
        git = attrs.evolve(self.git or GitInfo(), **changes)
        return attrs.evolve(self, git=None if git == GitInfo() else git, daybreak=note.daybreak)

    def thread(
        self,
        *,
        name: str | None,
        status: ThreadStatus | None = None,
        turns: tuple[Turn, ...] = (),
        root_id: str | None = None,
    ) -> Thread:
        """Say all of it; without a status it is only on disk."""
        return Thread(
            id=self.id,
            session_id=root_id or self.parent_id or self.id,
            preview=self.preview,
            ephemeral=self.path is None,
            model_provider=self.model_provider,
            created_at=self.created_at,
            updated_at=self.updated_at,
            recency_at=self.updated_at,
            status=status or NotLoadedThreadStatus(),
            cwd=self.cwd,
            cli_version=self.cli_version,
            source=self.source,
            path=self.path,
            git_info=self.git,
            name=name,
            forked_from_id=self.forked_from_id,
            parent_thread_id=self.parent_id,
            originator=self.originator or None,
            daybreak_enabled=self.daybreak,
            turns=turns,
        )


def preview_of(message: str) -> str:
    """Return what the user asked for, without what an editor put before it."""
    _, marker, request = message.partition(_REQUEST_MARKER)
    return (request if marker else message).strip()


def facts_of_meta(meta: SessionMeta, path: str | None, *, provider: str, now: float) -> ThreadFacts:
    """
    Tell what a thread's own record says.

    Args:
        provider: That of threads that name none.
        now: When it was changed last.
    """
    spawned = meta.source.subagent if isinstance(meta.source, SubAgentWrapper) else None
    created = parse_time(meta.timestamp)
    return ThreadFacts(
        id=meta.id,
        source=wire_source(meta.source),
        model_provider=meta.model_provider or provider,
        cwd=meta.cwd,
        cli_version=meta.cli_version,
        originator=meta.originator,
        created_at=int(now if created is None else created),
        updated_at=int(now),
        path=path,
        git=_git(meta.git),
        forked_from_id=meta.forked_from_id,
        parent_id=spawned.parent_thread_id if isinstance(spawned, SubAgentThreadSpawn) else None,
    )


def read_facts(path: Path, *, provider: str) -> ThreadFacts:
    """
    Tell what the beginning of a rollout says about its thread; blocks.

    Raises:
        RolloutNotFound: It is not there.
        RolloutUnreadable: It cannot be read, or does not say whose it is.
    """
    try:
        with path.open("rb") as file:
            meta, said = _head(file)
            changed = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        raise RolloutNotFound(path) from None
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc
    if meta is None:
        raise RolloutUnreadable(path, "it does not say whose rollout it is")
    facts = facts_of_meta(meta, str(path), provider=provider, now=changed)
    return facts if said is None else attrs.evolve(facts, preview=preview_of(said.message))


def listed_thread(
    listed: ListedThread,
    *,
    provider: str,
    name: str | None,
    status: ThreadStatus | None,
    note: ThreadNote | None,
) -> Thread:
    """Say a thread of a list."""
    source = listed.source
    spawned = source.subagent if isinstance(source, SubAgentWrapper) else None
    facts = ThreadFacts(
        id=listed.thread_id,
        source=wire_source(source),
        model_provider=listed.model_provider or provider,
        cwd=listed.cwd,
        cli_version=listed.cli_version,
        originator="",
        created_at=int(listed.created_at),
        updated_at=int(listed.updated_at),
        path=str(listed.path),
        preview=listed.first_user_message or "",
        git=_git(listed.git),
        parent_id=spawned.parent_thread_id if isinstance(spawned, SubAgentThreadSpawn) else None,
    )
    return facts.noted(note).thread(name=name, status=status)


def _head(lines: BinaryIO) -> tuple[SessionMeta | None, UserMessage | None]:
    """Read until it is known whose the rollout is and what the user said first."""
    meta: SessionMeta | None = None
    for item in _early_items(lines):
        if isinstance(item, SessionMeta) and meta is None:
            meta = item
        elif isinstance(item, UserMessage):
            return meta, item
    return meta, None


def _early_items(lines: BinaryIO) -> Iterator[RolloutItem]:
    for _, line in zip(range(_HEAD_LINES), lines, strict=False):
        if b'"session_meta"' in line or b'"user_message"' in line:
            try:
                yield decode_item(line)
            except DecodeError:
                continue


def _git(git: CoreGitInfo | None) -> GitInfo | None:
    if git is None:
        return None
    return GitInfo(sha=git.commit_hash, branch=git.branch, origin_url=git.repository_url)
