"""Who is asked, and what a yes is good for."""

import pytest

from actors.safety import ApprovalCache, CommandKey, PatchKey, canonical_command
from messages.settings import AskForApproval, ReadOnly, WorkspaceWrite

KEY = CommandKey(("ls",), "/")


def test_yes_for_the_session_is_remembered_listed_and_taken_back():
    """By key; taking back what is not there does nothing."""
    cache = ApprovalCache()
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())
    assert not cache.allows(KEY)

    cache.allow(KEY)
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())

    assert cache.allows(KEY)
    assert not cache.allows(CommandKey(("ls",), "/", escalated=True))
    assert not cache.allows(CommandKey(("ls",), "/", tty=True))
    assert cache.allowed() == {KEY}
    cache.revoke(KEY)
    cache.revoke(KEY)
    assert cache.allowed() == frozenset()


def test_yes_counts_only_when_all_that_is_asked_for_has_one():
    """Each file of a patch; and nothing asked for is no reason to skip the question."""
    cache = ApprovalCache()
    cache.enter(AskForApproval.UNTRUSTED, ReadOnly())
    one, two = PatchKey("/one"), PatchKey("/two")

    cache.allow(one, KEY)

    assert cache.allows(one)
    assert not cache.allows(one, two)
    assert not cache.allows()
    cache.allow(two)
    assert cache.allows(one, two, KEY)
    cache.clear()
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
