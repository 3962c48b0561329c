"""The table of what a command needs, every cell of it."""

import itertools
from pathlib import Path

import pytest

from actors.safety import CommandClass, Verdict
from actors.safety.decision_table import Case, Outcome, PolicyKind, decide, policy_kind
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    FullReadAccess,
    ReadOnly,
    RestrictedReadAccess,
    UnknownSandbox,
    WorkspaceWrite,
)

PRINTED = Path(__file__).parent / "decision_table.txt"

UNTRUSTED, ON_FAILURE, ON_REQUEST, NEVER = AskForApproval
READS, CONTAINED, UNKNOWN, DANGEROUS = CommandClass
RULES = [None, *Verdict]


def said(case: Case) -> Outcome:
    """State the rules anew, as one would tell them."""
    needs_sandbox = case.policy not in {PolicyKind.FULL, PolicyKind.EXTERNAL}
    may_ask = case.approval is not NEVER
    # Outside of a sandbox it may not run unless somebody says so.
    outside = needs_sandbox and (case.escalated or not case.sandbox)
    ask_outside = Outcome.ASK_BARE if case.escalated else Outcome.ASK_NO_SANDBOX

    if case.policy is PolicyKind.UNKNOWN:
        return Outcome.NOT_UNDER_POLICY
    if case.rule is Verdict.FORBIDDEN:
        return Outcome.NOT_BY_RULE
    if case.rule is Verdict.ALLOW:
        return Outcome.RUN_BARE
    if case.rule is Verdict.PROMPT:
        if not may_ask:
            return Outcome.NOT_UNASKED
        return ask_outside if outside else Outcome.ASK

    if case.kind is DANGEROUS:
        if not may_ask:
            return Outcome.NOT_DANGEROUS
        return ask_outside if outside else Outcome.ASK
    if outside:
        if case.kind is READS and case.policy is not PolicyKind.RESTRICTED_READ:
            return Outcome.RUN_BARE
        if may_ask:
            return ask_outside
        return Outcome.NOT_UNASKED if case.escalated else Outcome.NOT_UNCONFINED
    harmless = case.kind is READS or (case.kind is CONTAINED and case.policy is not PolicyKind.FULL)
    return Outcome.ASK if case.approval is UNTRUSTED and not harmless else Outcome.RUN


def cases() -> list[Case]:
    axes = itertools.product(
        PolicyKind, (True, False), RULES, CommandClass, (False, True), AskForApproval
    )
    return [
        Case(approval=approval, policy=policy, sandbox=sandbox, rule=rule, kind=kind, escalated=esc)
        for policy, sandbox, rule, kind, esc, approval in axes
    ]


def test_every_cell_is_as_the_rules_say():
    """All 1536 of them."""
    wrong = [(case, decide(case), said(case)) for case in cases() if decide(case) != said(case)]

    assert len(cases()) == 1536
    assert wrong == []


def test_every_outcome_happens():
    """None is there for nothing."""
    assert {decide(case) for case in cases()} == set(Outcome)


@pytest.mark.parametrize("case", [case for case in cases() if case.approval is NEVER][::7])
def test_who_never_asks_is_never_asked(case):
    """By any way through the table."""
    assert decide(case) not in {Outcome.ASK, Outcome.ASK_BARE, Outcome.ASK_NO_SANDBOX}


def test_nothing_leaves_the_sandbox_unasked_but_by_rule_or_to_read():
    """Whatever else changes."""
    for case in cases():
        if decide(case) is Outcome.RUN_BARE:
            assert case.rule is Verdict.ALLOW or (case.rule is None and case.kind is READS)
        if decide(case) is Outcome.RUN and case.policy in {
            PolicyKind.READ_ONLY,
            PolicyKind.WORKSPACE_WRITE,
            PolicyKind.RESTRICTED_READ,
        }:
            assert case.sandbox


def rows(policy: PolicyKind, sandbox: bool) -> list[tuple[list[str], list[str]]]:
    """Print cells, rows that say the same for several values as one."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for rule, escalated in itertools.product(RULES, (False, True)):
        by_outcomes: dict[tuple[str, ...], list[str]] = {}
        for kind in CommandClass:
            outcomes = tuple(
                decide(
                    Case(
                        approval=approval,
                        policy=policy,
                        sandbox=sandbox,
                        rule=rule,
                        kind=kind,
                        escalated=escalated,
                    )
                ).value
                for approval in AskForApproval
            )
            by_outcomes.setdefault(outcomes, []).append(kind.value)
        for outcomes, kinds in by_outcomes.items():
            kind = "any" if len(kinds) == len(CommandClass) else ", ".join(kinds)
            key = (rule.value if rule else "none", kind, *outcomes)
            found.setdefault(key, {})["yes" if escalated else "no"] = []
    return [
        ([key[0], key[1], "any" if len(escalations) == 2 else next(iter(escalations))], [*key[2:]])
        for key, escalations in found.items()
    ]


def printed() -> str:
    lines = [
        "What a command needs before it may run.",
        'Written by tests/safety/test_decision_table.py; "bare" is without a sandbox.',
    ]
    heads = [
        "rule",
        "kind of command",
        "escalated",
        *(approval.value for approval in AskForApproval),
    ]
    for policy in PolicyKind:
        tables = [rows(policy, sandbox) for sandbox in (True, False)]
        same = tables[0] == tables[1]
        for sandbox, table in zip(("works", "does not work"), tables, strict=True):
            if same and sandbox != "works":
                continue
            lines += ["", f"{policy.value}" + ("" if same else f", the sandbox {sandbox}")]
            for row in [heads, *([*key, *outcomes] for key, outcomes in table)]:
                widths = (10, 27, 10, 19, 19, 19, 19)
                cells = "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                lines.append("  " + cells.rstrip())
    return "\n".join(lines) + "\n"


def test_printed_table_is_the_table():
    """To read it; after a change, write what this test expects to the file and read it again."""
    assert PRINTED.read_text() == printed()


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        (ReadOnly(), PolicyKind.READ_ONLY),
        (ReadOnly(access=FullReadAccess()), PolicyKind.READ_ONLY),
        (ReadOnly(access=RestrictedReadAccess()), PolicyKind.RESTRICTED_READ),
        (WorkspaceWrite(), PolicyKind.WORKSPACE_WRITE),
        (WorkspaceWrite(network_access=True), PolicyKind.WORKSPACE_WRITE),
        (WorkspaceWrite(read_only_access=RestrictedReadAccess()), PolicyKind.RESTRICTED_READ),
        (DangerFullAccess(), PolicyKind.FULL),
        (ExternalSandbox(), PolicyKind.EXTERNAL),
        (UnknownSandbox(tag="new", raw={}), PolicyKind.UNKNOWN),
    ],
)
def test_policy_is_of_one_kind(policy, kind):
    """By what it promises about reading and writing."""
    assert policy_kind(policy) is kind
