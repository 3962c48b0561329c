"""Whether a command may run, must be asked for, or may not run."""

import shlex
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

import attrs

from messages.settings import AskForApproval, SandboxPolicy, UnknownSandbox

from .command_class import CommandClass, classify_split, known_split, worst_class
from .decision_table import Case, Outcome, decide, policy_kind
from .plain_script import shell_script
from .rules import RuleBook, RuleMatch, Verdict
from .sandbox import NoSandbox, SandboxTool
from .script_split import ScriptForm, Split, Words, commands_within, has_pattern

__all__ = [
    "Ask",
    "Forbidden",
    "Requirement",
    "Skip",
    "command_requirement",
    "retry_allowed",
    "unknown_policy_text",
]


@attrs.frozen
class Skip:
    """
    Run it without asking.

    Attributes:
        bypass: Without a sandbox.
        amendment: First words that a rule could allow, to offer if it has to run again.
    """

    bypass: bool = False
    amendment: Words | None = None


@attrs.frozen
class Ask:
    """
    Ask a person first.

    Attributes:
        reason: What to tell the person; None leaves that to whoever wants it to run.
        amendment: First words that a rule could allow, to offer with the question.
        bypass: Once approved it runs without a sandbox.
    """

    reason: str | None = None
    amendment: Words | None = None
    bypass: bool = False


@attrs.frozen
class Forbidden:
    """Do not run it, for this reason."""

    reason: str


Requirement: TypeAlias = Skip | Ask | Forbidden

_UNASKED: Final = "approval required by policy, but AskForApproval is set to Never"

_WAY_OUT: Final = (
    "install bubblewrap (bwrap), or choose the policy danger-full-access or external-sandbox"
)

# fmt: off
_RUN_ANYTHING: Final = frozenset({
    "bash", "cmd", "env", "fish", "git", "node", "perl", "php", "python", "python3", "ruby", "sh",
    "sudo", "xargs", "zsh",
})
# fmt: on
"""Programs whose name alone says nothing about what a rule for it would allow."""

_FINAL: Final = frozenset({Verdict.PROMPT, Verdict.FORBIDDEN})
"""What rules say that no further rule can change."""

_RUNS: Final = frozenset({Outcome.RUN, Outcome.RUN_BARE})
_ASKS: Final = frozenset({Outcome.ASK, Outcome.ASK_BARE, Outcome.ASK_NO_SANDBOX})


def command_requirement(
    argv: Sequence[str],
    *,
    approval: AskForApproval,
    policy: SandboxPolicy,
    sandbox: SandboxTool,
    rules: RuleBook,
    search_path: str,
    escalated: bool = False,
    prefix_rule: Words | None = None,
) -> Requirement:
    """
    Decide what a command needs before it may run; blocks shortly.

    The facts are gathered here and the decision is looked up in `decision_table`.

    Args:
        sandbox: What builds sandboxes here, also when the policy needs none.
        search_path: The value of ``PATH``, as the command will find it.
        escalated: It asks to run without a sandbox.
        prefix_rule: First words that the model suggests for a rule.

    Source:
        Codex, ``ExecPolicyManager``.  There one allowed command unsandboxes all others of
        its script (L39), and rules do not see into scripts that are not plain.
    """
    split = known_split(argv, search_path=search_path)
    match = rules.check(
        split.commands,
        patterns=split.form is ScriptForm.PATTERNS,
        suspects=_suspects(argv, split),
    )
    kinds = classify_split(split, search_path=search_path)
    case = Case(
        approval=approval,
        policy=policy_kind(policy),
        sandbox=not isinstance(sandbox, NoSandbox),
        rule=None if match.verdict is Verdict.ALLOW and not all(match.allowed) else match.verdict,
        kind=worst_class([k for k, ok in zip(kinds, match.allowed, strict=True) if not ok]),
        escalated=escalated,
    )
    facts = _Facts(tuple(argv), split, kinds, match, case)
    outcome = decide(case)
    if outcome in _RUNS:
        return Skip(outcome is Outcome.RUN_BARE, facts.amendment(_RUNS, None))
    if outcome in _ASKS:
        bypass = outcome is not Outcome.ASK
        return Ask(_question(outcome, facts, sandbox), facts.amendment(_ASKS, prefix_rule), bypass)
    return Forbidden(_refusal(outcome, facts, policy, sandbox))


def retry_allowed(approval: AskForApproval, *, patch: bool = False) -> bool:
    """Whether what the sandbox held back may be tried without it, if a person agrees."""
    if patch:
        return approval is not AskForApproval.NEVER
    return approval in {AskForApproval.ON_FAILURE, AskForApproval.UNTRUSTED}


@attrs.frozen
class _Facts:
    """What was found out about a command line."""

    argv: Words
    split: Split
    kinds: tuple[CommandClass, ...]
    match: RuleMatch
    case: Case

    def amendment(self, outcomes: AbstractSet[Outcome], wished: Words | None) -> Words | None:
        """
        Choose the first words that a rule could allow.

        Those the model wishes for if they fit, or the first command that comes out as all do.
        """
        if self.match.verdict in _FINAL or (outcomes is _RUNS and self.match.verdict):
            return None
        if wished and any(_suits(wished, command) for command in self.split.commands):
            return wished
        # A rule about the program alone would also allow it with any other text.
        if self.split.form is ScriptForm.HEREDOC:
            return None
        for command, kind, allowed in zip(
            self.split.commands, self.kinds, self.match.allowed, strict=True
        ):
            alone = decide(attrs.evolve(self.case, rule=None, kind=kind))
            if command and not allowed and alone in outcomes and not self._is_vague(command):
                return command
        return None

    def _is_vague(self, command: Words) -> bool:
        return self.split.form is ScriptForm.PATTERNS and any(map(has_pattern, command))


def _suspects(argv: Sequence[str], split: Split) -> tuple[Words, ...]:
    """List what may run besides the commands that are known."""
    script = shell_script(argv)
    if script is None or split.form in {ScriptForm.PLAIN, ScriptForm.PATTERNS}:
        return ()
    return tuple(commands_within(script))


def _suits(prefix: Words, command: Words) -> bool:
    """Whether a rule for this prefix would be about the command, and not about anything."""
    if command[: len(prefix)] != prefix:
        return False
    name = prefix[0].rpartition("/")[2]
    return name not in _RUN_ANYTHING or any(not word.startswith("-") for word in prefix[1:])


def _question(outcome: Outcome, facts: _Facts, sandbox: SandboxTool) -> str | None:
    parts: list[str] = []
    rule, problem = facts.match.rule, facts.match.problem
    command = shlex.join(facts.argv)
    if problem is not None:
        parts.append(f"rules cannot be read, so every command requires approval: {problem}")
    elif rule is not None and rule.verdict is Verdict.PROMPT:
        why = f": {rule.justification}" if rule.justification else " by policy"
        parts.append(f"`{command}` requires approval{why}")
    if outcome is Outcome.ASK_NO_SANDBOX:
        parts.append(
            f"no sandbox works here ({_why_none(sandbox)}), so it would run with all your rights"
        )
    return "; ".join(parts) or None


def _refusal(outcome: Outcome, facts: _Facts, policy: SandboxPolicy, sandbox: SandboxTool) -> str:
    match outcome:
        case Outcome.NOT_UNDER_POLICY:
            return unknown_policy_text(policy)
        case Outcome.NOT_BY_RULE:
            return f"`{shlex.join(facts.argv)}` rejected: {_rule_text(facts.match)}"
        case Outcome.NOT_DANGEROUS:
            return f"`{shlex.join(facts.argv)}` rejected: blocked by policy"
        case Outcome.NOT_UNCONFINED:
            return (
                f"the sandbox policy needs a sandbox, and none works here "
                f"({_why_none(sandbox)}); {_WAY_OUT}"
            )
        case _:
            problem = facts.match.problem
            return _UNASKED if problem is None else f"{_UNASKED}; rules cannot be read: {problem}"


def unknown_policy_text(policy: SandboxPolicy) -> str:
    """Say that nothing runs under a policy that this version does not know."""
    tag = policy.tag if isinstance(policy, UnknownSandbox) else type(policy).__name__
    return (
        f"sandbox policy {tag!r} is unknown to this version, and nothing runs under it; "
        "choose another policy"
    )


def _rule_text(match: RuleMatch) -> str:
    if match.rule is not None and match.rule.justification:
        return match.rule.justification
    return f"policy forbids commands starting with `{shlex.join(match.prefix)}`"


def _why_none(sandbox: SandboxTool) -> str:
    return sandbox.reason if isinstance(sandbox, NoSandbox) else "it does not work"
