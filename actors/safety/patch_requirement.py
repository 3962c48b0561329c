"""Whether a patch may be applied, must be asked for, or may not be applied."""

from collections.abc import Collection, Iterable, Mapping

from messages.settings import AskForApproval, SandboxPolicy, UnknownSandbox

from .requirement import Ask, Forbidden, Requirement, Skip, unknown_policy_text
from .writable import may_write

__all__ = ["patch_requirement"]


def patch_requirement(
    paths: Iterable[str],
    *,
    approval: AskForApproval,
    policy: SandboxPolicy,
    cwd: str,
    environ: Mapping[str, str],
    guarded: Collection[str] = (),
) -> Requirement:
    """
    Decide what a patch needs before it may be applied; blocks shortly.

    ==========  =====================  ==================
    approval    all paths writable     another path
    ==========  =====================  ==================
    untrusted   ask                    ask
    never       skip                   forbidden
    any other   skip                   ask
    ==========  =====================  ==================

    Under a policy that nobody knows it is forbidden.

    Args:
        paths: Each file it touches and where it moves one to, absolute.
        cwd: The working directory that the policy is about: the turn's.
        guarded: Folders of rules; see `writable_roots`.

    Source:
        Codex, ``assess_patch_safety``, which takes paths by their letters, and lets a
        sandbox decide under on-failure; we write patches ourselves, and so decide at once.
    """
    if isinstance(policy, UnknownSandbox):
        return Forbidden(unknown_policy_text(policy))
    inside = all(
        may_write(path, policy, cwd=cwd, environ=environ, guarded=guarded) for path in paths
    )
    if approval is AskForApproval.UNTRUSTED:
        return Ask(bypass=not inside)
    if inside:
        return Skip()
    if approval is AskForApproval.NEVER:
        return Forbidden(
            "patch rejected: writing outside of the project; rejected by user approval settings"
        )
    return Ask(bypass=True)
