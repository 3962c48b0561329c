"""Who is asked, and what a yes is good for."""

import itertools

import pytest

from actors.safety import (
    ApprovalCache,
    ApprovalKey,
    Ask,
    Forbidden,
    Skip,
    approval_requirement,
    canonical_command,
    lacks_sandbox,
)
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    UnknownSandbox,
    WorkspaceWrite,
)

KNOWN = [DangerFullAccess(), ReadOnly(), ExternalSandbox(), WorkspaceWrite()]
UNKNOWN = UnknownSandbox(tag="new", raw={})
KEY = ApprovalKey(("ls",), "/")


@pytest.mark.parametrize(
    ("approval", "sandbox"), list(itertools.product(AskForApproval, [*KNOWN, UNKNOWN]))
)
def test_requirement_follows_the_table(approval, sandbox):
    """Never skips, all else asks, and nothing runs in a sandbox that nobody knows."""
    requirement = approval_requirement(approval, sandbox)

    if sandbox is UNKNOWN:
        assert isinstance(requirement, Forbidden)
        assert "'new'" in requirement.reason
    else:
        assert requirement == (Skip() if approval is AskForApproval.NEVER else Ask())


@pytest.mark.parametrize(
    ("sandbox", "lacks"),
    [
        (DangerFullAccess(), False),
        (ExternalSandbox(), False),
        (ReadOnly(), True),
        (WorkspaceWrite(), True),
        (UNKNOWN, True),
    ],
)
def test_sandbox_is_missing_where_a_policy_promises_one(sandbox, lacks):
    """Full access promises none, and an external one is somebody else's promise."""
    assert lacks_sandbox(sandbox) is lacks


def test_yes_for_the_session_is_remembered_listed_and_taken_back():
    """By key; taking back what is not there does nothing."""
    cache = ApprovalCache()
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())
    assert not cache.allows(KEY)

    cache.allow(KEY)
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())

    assert cache.allows(KEY)
    assert not cache.allows(ApprovalKey(("ls",), "/", escalated=True))
    assert cache.allowed() == {KEY}
    cache.revoke(KEY)
    cache.revoke(KEY)
    assert cache.allowed() == frozenset()


@pytest.mark.parametrize(
    "policies",
    [
        (AskForApproval.ON_REQUEST, ReadOnly()),
        (AskForApproval.UNTRUSTED, WorkspaceWrite()),
    ],
)
def test_yes_for_the_session_ends_with_its_policies(policies):
    """Also when they come back."""
    cache = ApprovalCache()
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())
    cache.allow(KEY)

    cache.enter(*policies)
    assert not cache.allows(KEY)
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())
    assert not cache.allows(KEY)


@pytest.mark.parametrize(
    ("argv", "canonical"),
    [
        (["ls", "-l"], ("ls", "-l")),
        (["/bin/bash", "-lc", "ls   -l"], ("ls", "-l")),
        (["bash", "-lc", "ls '-l'"], ("ls", "-l")),
        (["sh", "-c", "ls -l"], ("ls", "-l")),
        (["bash", "-lc", "ls; rm x"], ("__codex_shell_script__", "-lc", "ls; rm x")),
        (["bash", "-lc", "rm *"], ("__codex_shell_script__", "-lc", "rm *")),
        (["bash", "-c", "echo $HOME"], ("__codex_shell_script__", "-c", "echo $HOME")),
        (["/tmp/bash", "-lc", "ls"], ("/tmp/bash", "-lc", "ls")),
        (["./bash", "-lc", "ls"], ("./bash", "-lc", "ls")),
        (["bash", "-x", "ls"], ("bash", "-x", "ls")),
        (["bash", "-lc", "ls", "extra"], ("bash", "-lc", "ls", "extra")),
        (["python", "-c", "ls"], ("python", "-c", "ls")),
    ],
)
def test_commands_that_do_the_same_have_one_canonical_form(argv, canonical):
    """And only those: a shell elsewhere, an expansion or a second command is another thing."""
    assert canonical_command(argv) == canonical
