"""What patches need before they are applied."""

import itertools

import pytest

from actors.safety import Ask, Forbidden, Skip, patch_requirement
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    UnknownSandbox,
    WorkspaceWrite,
)

UNTRUSTED, ON_FAILURE, ON_REQUEST, NEVER = AskForApproval
OUTSIDE = "patch rejected: writing outside of the project; rejected by user approval settings"


@pytest.mark.parametrize(
    ("approval", "inside", "policy"),
    list(
        itertools.product(
            AskForApproval,
            (True, False),
            (ReadOnly(), WorkspaceWrite(), DangerFullAccess(), ExternalSandbox()),
        )
    ),
)
def test_patch_is_asked_about_where_it_writes_outside_or_nothing_is_trusted(
    tmp_path, approval, inside, policy
):
    """Every policy, and one path outside is enough."""
    paths = [f"{tmp_path}/a", f"{tmp_path}/b/c", *([] if inside else ["/etc/x"])]
    everywhere = isinstance(policy, DangerFullAccess | ExternalSandbox)
    writable = everywhere or (inside and isinstance(policy, WorkspaceWrite))

    requirement = patch_requirement(
        paths, approval=approval, policy=policy, cwd=str(tmp_path), environ={}
    )

    if approval is UNTRUSTED:
        assert requirement == Ask(bypass=not writable)
    elif writable:
        assert requirement == Skip()
    else:
        assert requirement == (Forbidden(OUTSIDE) if approval is NEVER else Ask(bypass=True))


def test_no_patch_is_applied_under_a_policy_that_nobody_knows():
    """It may forbid all writing."""
    requirement = patch_requirement(
        ["/tmp/x"],
        approval=ON_REQUEST,
        policy=UnknownSandbox(tag="new", raw={}),
        cwd="/tmp",
        environ={},
    )

    assert isinstance(requirement, Forbidden)
    assert "'new' is unknown" in requirement.reason
