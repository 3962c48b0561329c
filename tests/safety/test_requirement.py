"""What commands and patches need before they may run, and what people are told."""

import pytest

from actors.safety import (
    Ask,
    Bubblewrap,
    Forbidden,
    NoSandbox,
    PrefixRule,
    Requirement,
    RuleBook,
    Skip,
    Verdict,
    command_requirement,
    retry_allowed,
)
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

UNTRUSTED, ON_FAILURE, ON_REQUEST, NEVER = AskForApproval
WORKS = Bubblewrap("/usr/bin/bwrap")
MISSING = NoSandbox("bwrap is not installed")
WRITE = WorkspaceWrite()


def rule(text: str, verdict: Verdict, justification: str | None = None) -> PrefixRule:
    return PrefixRule(tuple((word,) for word in text.split()), verdict, justification)


BOOK = RuleBook(
    (
        rule("npm test", Verdict.ALLOW),
        rule("npm publish", Verdict.PROMPT),
        rule("deploy", Verdict.PROMPT, "tell the others"),
        rule("curl", Verdict.FORBIDDEN),
        rule("curl -x", Verdict.FORBIDDEN),
        rule("wget", Verdict.FORBIDDEN, "use the mirror"),
    )
)


def require(
    command: str | list[str],
    approval: AskForApproval = ON_REQUEST,
    policy: SandboxPolicy = WRITE,
    *,
    sandbox: Bubblewrap | NoSandbox = WORKS,
    rules: RuleBook = BOOK,
    escalated: bool = False,
    prefix_rule: tuple[str, ...] | None = None,
) -> Requirement:
    argv = ["bash", "-lc", command] if isinstance(command, str) else command
    return command_requirement(
        argv,
        approval=approval,
        policy=policy,
        sandbox=sandbox,
        rules=rules,
        search_path="/usr/local/bin:/usr/bin:/bin",
        escalated=escalated,
        prefix_rule=prefix_rule,
    )


@pytest.mark.parametrize(
    ("command", "requirement"),
    [
        ("npm test", Skip(bypass=True)),
        ("npm test && npm test -- x", Skip(bypass=True)),
        # One allowed command does not let the rest of the script out of the sandbox (L39).
        ("npm test && make", Skip()),
        ("npm test; ls", Skip()),
        ("npm test > log", Skip(amendment=("bash", "-lc", "npm test > log"))),
        ("npm test *", Skip(bypass=True)),
        ("npm {test,publish}", Skip()),
        ("npm test <<'E'\nx\nE", Skip(bypass=True)),
        ("npm test <<E\n$(rm x)\nE", Skip(amendment=("bash", "-lc", "npm test <<E\n$(rm x)\nE"))),
        ("make all; ls", Skip(amendment=("make", "all"))),
        ("make *; touch x", Skip(amendment=("touch", "x"))),
        ("python3 <<'E'\nx\nE", Skip()),
    ],
)
def test_script_runs_without_a_sandbox_only_when_all_its_commands_are_allowed(command, requirement):
    """By rules; and only where it is sure which commands there are."""
    assert require(command) == requirement


def test_rule_that_allows_does_not_trust_a_foreign_shell():
    """What it runs nobody knows; a rule may name it."""
    argv = ["/tmp/bash", "-c", "npm test"]

    assert require(argv) == Skip(amendment=tuple(argv))
    assert require(argv, rules=RuleBook((PrefixRule(tuple((word,) for word in argv)),))) == Skip(
        bypass=True
    )
    assert isinstance(require(["/tmp/bash", "-c", "curl x"]), Forbidden)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["curl", "x"], "`curl x` rejected: policy forbids commands starting with `curl`"),
        (["curl", "-x"], "`curl -x` rejected: policy forbids commands starting with `curl -x`"),
        (["wget", "a b"], "`wget 'a b'` rejected: use the mirror"),
        ("ls; wget x", "`bash -lc 'ls; wget x'` rejected: use the mirror"),
        ("(wget x) > y", "`bash -lc '(wget x) > y'` rejected: use the mirror"),
        ("/usr/bin/wget $X", "`bash -lc '/usr/bin/wget $X'` rejected: use the mirror"),
    ],
)
def test_what_a_rule_forbids_is_told_with_its_reason(command, reason):
    """Under every policy, also inside of scripts that are not plain."""
    for approval in AskForApproval:
        assert require(command, approval, DangerFullAccess()) == Forbidden(reason)


def test_what_a_rule_wants_asked_is_asked_with_its_reason():
    """No further rule could change that, so none is offered."""
    assert require("npm publish", prefix_rule=("npm", "publish")) == Ask(
        "`bash -lc 'npm publish'` requires approval by policy"
    )
    assert require(["deploy", "x"], ON_FAILURE) == Ask(
        "`deploy x` requires approval: tell the others"
    )
    assert require("npm publish && npm test", NEVER) == Forbidden(
        "approval required by policy, but AskForApproval is set to Never"
    )


def test_dangerous_command_is_asked_about_and_stays_in_its_sandbox():
    """Or refused where nobody may be asked."""
    assert require(["rm", "-rf", "x"]) == Ask(amendment=("rm", "-rf", "x"))
    assert require("git reset --hard", UNTRUSTED, DangerFullAccess()) == Ask(
        amendment=("git", "reset", "--hard")
    )
    assert require("(rm -rf x)", NEVER, DangerFullAccess()) == Forbidden(
        "`bash -lc '(rm -rf x)'` rejected: blocked by policy"
    )


def test_escalated_command_is_asked_about_and_then_runs_free():
    """The reason is the model's own, so there is none here."""
    assert require("make", escalated=True) == Ask(amendment=("make",), bypass=True)
    assert require("ls", escalated=True) == Skip(bypass=True, amendment=("ls",))
    assert require("git log; make", escalated=True) == Ask(amendment=("git", "log"), bypass=True)


@pytest.mark.parametrize(
    ("wished", "offered"),
    [
        (("make",), ("make",)),
        (("make", "all"), ("make", "all")),
        (("bash", "-x"), ("make", "all")),
        (("other",), ("make", "all")),
        ((), ("make", "all")),
        (("git",), ("make", "all")),
        (("python3",), ("make", "all")),
        (("python3", "-c"), ("make", "all")),
        (("python3", "-c", "1"), ("python3", "-c", "1")),
    ],
)
def test_rule_that_the_model_wishes_for_is_offered_if_it_is_about_the_command(wished, offered):
    """And not about anything that a program like a shell may be told to do."""
    requirement = require("make all; git fetch; python3 -c 1", UNTRUSTED, prefix_rule=wished)

    assert requirement == Ask(amendment=offered)


def test_where_no_sandbox_works_only_what_reads_runs():
    """Everything else is told with the reason, and with the way out."""
    assert require("ls", sandbox=MISSING) == Skip(bypass=True, amendment=("ls",))
    assert require("make", sandbox=MISSING) == Ask(
        "no sandbox works here (bwrap is not installed), so it would run with all your rights",
        ("make",),
        bypass=True,
    )
    assert require("git log", NEVER, ReadOnly(), sandbox=MISSING) == Forbidden(
        "the sandbox policy needs a sandbox, and none works here (bwrap is not installed); install "
        "bubblewrap (bwrap), or choose the policy danger-full-access or external-sandbox"
    )
    assert require("npm test", NEVER, sandbox=MISSING) == Skip(bypass=True)
    assert require(["deploy"], sandbox=MISSING) == Ask(
        "`deploy` requires approval: tell the others; "
        "no sandbox works here (bwrap is not installed), so it would run with all your rights",
        bypass=True,
    )
    assert require("make", NEVER, DangerFullAccess(), sandbox=MISSING) == Skip(amendment=("make",))


def test_rules_that_cannot_be_read_leave_every_command_to_a_person():
    """Also what is harmless, because a rule may have said otherwise."""
    broken = RuleBook(BOOK.rules, "'/x.rules': line 1: no")

    assert require("ls", rules=broken) == Ask(
        "rules cannot be read, so every command requires approval: '/x.rules': line 1: no"
    )
    assert require("npm test", NEVER, rules=broken) == Forbidden(
        "approval required by policy, but AskForApproval is set to Never; "
        "rules cannot be read: '/x.rules': line 1: no"
    )
    assert require(["wget"], rules=broken) == Forbidden("`wget` rejected: use the mirror")


def test_nothing_runs_under_a_policy_that_nobody_knows():
    """Not even what a rule allows."""
    requirement = require("npm test", policy=UnknownSandbox(tag="new", raw={}))

    assert requirement == Forbidden(
        "sandbox policy 'new' is unknown to this version, and nothing runs under it; "
        "choose another policy"
    )


def test_no_words_need_no_more_than_others():
    """They fail when they are started."""
    assert require([], UNTRUSTED) == Ask(amendment=None)


@pytest.mark.parametrize(
    ("approval", "command", "patch"),
    [
        (UNTRUSTED, True, True),
        (ON_FAILURE, True, True),
        (ON_REQUEST, False, True),
        (NEVER, False, False),
    ],
)
def test_what_the_sandbox_held_back_is_tried_again_by_policy(approval, command, patch):
    """Commands and patches differ."""
    assert retry_allowed(approval) is command
    assert retry_allowed(approval, patch=True) is patch
