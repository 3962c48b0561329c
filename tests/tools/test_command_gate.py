"""The gate: who is asked, what is started, and what comes of it."""

import itertools
import pickle
from functools import partial

import attrs
import pytest
import trio
import trio.testing

from actors.safety import (
    Ask,
    Bubblewrap,
    CommandKey,
    Forbidden,
    NoSandbox,
    Skip,
)
from actors.tools import ToolError, command_gate
from actors.tools.command_gate import (
    CommandGate,
    CommandRefused,
    CommandRequest,
    Launch,
    check_escalation,
)
from actors.tools.rules_source import RulesSource
from messages.events import ExecApprovalRequest, UnknownCommand, WarningEvent
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    NetworkAccess,
    ReadOnly,
    UnknownSandbox,
    WorkspaceWrite,
)
from messages.tool_settings import EnvironmentPolicy

from .fake_context import CALL, TURN, FakeContext

YES = ReviewDecisionKind.APPROVED
NO = ReviewDecisionKind.DENIED
SESSION = ReviewDecisionKind.APPROVED_FOR_SESSION
RETRY = "command failed; retry without sandbox?"
REJECTED = "exec command rejected by user"
REQUEST = CommandRequest(call_id=CALL, argv=("make", "all"), cwd="/work")
BWRAP = Bubblewrap("/usr/bin/bwrap")


@attrs.define(eq=False)
class FixedProbe:
    """A machine with this sandbox."""

    found: Bubblewrap | NoSandbox = BWRAP
    asked: int = 0

    async def tool(self):
        self.asked += 1
        await trio.lowlevel.checkpoint()
        return self.found


@attrs.define(eq=False)
class Attempts:
    """Commands that end as they are told to, and how they were started."""

    outcomes: list[str] = attrs.field(factory=lambda: ["ok", "ok"])
    launches: list[Launch] = attrs.field(factory=list)

    async def __call__(self, launch: Launch) -> str:
        await trio.lowlevel.checkpoint()
        self.launches.append(launch)
        return self.outcomes[len(self.launches) - 1]

    @property
    def sandboxed(self) -> list[bool]:
        return [launch.sandboxed for launch in self.launches]


def denied(outcome: str) -> bool:
    return outcome == "denied"


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


@pytest.fixture
def gate(tmp_path):
    return CommandGate(
        environ={"PATH": "/usr/bin:/bin"}, sandbox=FixedProbe(), rules=RulesSource(tmp_path)
    )


@pytest.fixture
def require(monkeypatch):
    """Fix what the tables say, and keep what they were asked."""
    asked: list[dict[str, object]] = []

    def require(requirement):
        def answer(argv, **facts):
            asked.append({"argv": argv, **facts})
            return requirement

        monkeypatch.setattr(command_gate, "command_requirement", answer)
        return asked

    return require


@pytest.fixture
def context() -> FakeContext:
    return FakeContext(
        cwd="/work", approval_policy=AskForApproval.UNTRUSTED, sandbox_policy=ReadOnly()
    )


def reasons(context: FakeContext) -> list[str | None]:
    return [request.reason for request in context.of(ExecApprovalRequest)]


# --- every path


REQUIREMENTS = [Skip(), Skip(bypass=True), Ask(), Ask(bypass=True), Forbidden("no way")]
POLICIES = [ReadOnly(), WorkspaceWrite(), DangerFullAccess(), ExternalSandbox()]


def foretell(requirement, approval, policy, answers, outcome):
    """Say it again, another way: questions, attempts, and what comes of it."""
    first, retry = answers
    confined = isinstance(policy, ReadOnly | WorkspaceWrite) and not getattr(
        requirement, "bypass", True
    )
    second = confined and outcome == "denied"
    second &= approval in {AskForApproval.ON_FAILURE, AskForApproval.UNTRUSTED}
    match requirement:
        case Forbidden():
            return [], [], ("no way", False)
        case Ask() if first is NO:
            return [None], [], (REJECTED, True)
        case Ask() if second:
            return [None], [True, False], "last"
        case Ask():
            return [None], [confined], outcome
        case Skip() if second and retry is NO:
            return [RETRY], [True], (REJECTED, True)
        case Skip() if second:
            return [RETRY], [True, False], "last"
        case _:
            return [], [confined], outcome


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=repr)
async def test_gate_asks_runs_and_answers_as_the_table_has_it(gate, require, requirement):
    """Every requirement under every policy, with every course of its attempts."""
    require(requirement)
    for approval, policy, first, retry, outcome in itertools.product(
        AskForApproval, POLICIES, (YES, NO), (YES, NO), ("ok", "failed", "denied")
    ):
        context = FakeContext(cwd="/work", approval_policy=approval, sandbox_policy=policy)
        answers = [first] if isinstance(requirement, Ask) else [retry]
        context.exec_answers.extend(answers)
        attempts = Attempts([outcome, "last"])

        try:
            result = await gate.run(REQUEST, context, attempts, denied=denied)
        except CommandRefused as refusal:
            result = (refusal.text, refusal.declined)

        found = (reasons(context), attempts.sandboxed, result)
        course = (approval, policy, (first, retry), outcome)
        assert found == foretell(requirement, *course), course


async def test_second_attempt_is_final(gate, require, context, attempts):
    """There is nothing left to take away."""
    require(Ask())
    context.exec_answers.append(YES)
    attempts.outcomes = ["denied", "denied"]

    assert await gate.run(REQUEST, context, attempts, denied=denied) == "denied"
    assert attempts.sandboxed == [True, False]


async def test_tables_get_all_that_is_known_of_the_command(gate, require, context, attempts):
    """The folders that programs are found in are those of the command."""
    asked = require(Skip())
    gate.environment_policy = EnvironmentPolicy(set={"PATH": "/elsewhere"})
    request = attrs.evolve(REQUEST, escalated=True, prefix_rule=("make",))

    await gate.run(request, context, attempts, denied=denied)

    assert asked == [
        {
            "argv": ("make", "all"),
            "approval": AskForApproval.UNTRUSTED,
            "policy": ReadOnly(),
            "sandbox": BWRAP,
            "rules": await gate.rules.book(),
            "search_path": "/elsewhere",
            "escalated": True,
            "prefix_rule": ("make",),
        }
    ]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
async def test_sandbox_is_looked_for_only_where_it_is_needed(
    gate, context, attempts, require, policy
):
    """With full access nothing is tried out."""
    require(Skip())
    context.sandbox_policy = policy

    await gate.run(REQUEST, context, attempts, denied=denied)

    assert gate.sandbox.asked == isinstance(policy, ReadOnly | WorkspaceWrite)


# --- what is started


async def test_sandboxed_attempt_is_wrapped_and_told_that_the_network_is_closed(
    gate, require, context, attempts
):
    """The command itself comes last in what is started."""
    require(Skip())

    await gate.run(REQUEST, context, attempts, denied=denied)

    (launch,) = attempts.launches
    assert launch.argv[0] == "/usr/bin/bwrap"
    assert launch.argv[-2:] == ("make", "all")
    assert launch.env_extra == {"CODEX_SANDBOX_NETWORK_DISABLED": "1"}


async def test_sandbox_with_network_does_not_say_that_it_is_closed(
    gate, require, context, attempts
):
    """The variable is true wherever it is set."""
    require(Skip())
    context.sandbox_policy = WorkspaceWrite(network_access=True)

    await gate.run(REQUEST, context, attempts, denied=denied)

    (launch,) = attempts.launches
    assert (launch.sandboxed, launch.env_extra) == (True, {})


@pytest.mark.parametrize("access", list(NetworkAccess))
async def test_sandbox_of_somebody_else_closes_the_network_if_it_says_so(
    gate, require, context, attempts, access
):
    """Ours does not come on top of it."""
    require(Skip())
    context.sandbox_policy = ExternalSandbox(network_access=access)

    await gate.run(REQUEST, context, attempts, denied=denied)

    (launch,) = attempts.launches
    assert (launch.argv, launch.sandboxed) == (("make", "all"), False)
    closed = {"CODEX_SANDBOX_NETWORK_DISABLED": "1"}
    assert launch.env_extra == (closed if access is NetworkAccess.RESTRICTED else {})


async def test_attempt_without_sandbox_is_the_command_itself(gate, require, context, attempts):
    """Also the second one; its network is open, whatever the policy says."""
    require(Ask())
    context.exec_answers.append(YES)
    attempts.outcomes = ["denied", "ok"]

    await gate.run(REQUEST, context, attempts, denied=denied)

    assert attempts.launches[1] == Launch(argv=("make", "all"), sandboxed=False, env_extra={})


async def test_command_that_needs_a_sandbox_does_not_run_without_one(
    gate, require, context, attempts
):
    """Should the tables ever let it through: closed is closed."""
    require(Skip())
    gate.sandbox.found = NoSandbox("nothing here")

    with pytest.raises(CommandRefused) as caught:
        await gate.run(REQUEST, context, attempts, denied=denied)

    assert caught.value.text.endswith("there is none: nothing here")
    assert (caught.value.declined, attempts.launches) == (False, [])


# --- the tables themselves


@pytest.mark.parametrize("approval", list(AskForApproval))
async def test_command_without_a_sandbox_is_asked_for_or_refused(gate, context, attempts, approval):
    """It is never run as if there were one; the reason names the way out."""
    gate.sandbox.found = NoSandbox("bubblewrap is missing")
    context.approval_policy = approval
    context.exec_answers.append(YES)

    if approval is AskForApproval.NEVER:
        with pytest.raises(CommandRefused) as caught:
            await gate.run(REQUEST, context, attempts, denied=denied)
        assert "bubblewrap is missing" in caught.value.text
        assert (caught.value.declined, attempts.sandboxed) == (False, [])
        return
    assert await gate.run(REQUEST, context, attempts, denied=denied) == "ok"
    assert "bubblewrap is missing" in reasons(context)[0]
    assert attempts.sandboxed == [False]


@pytest.mark.parametrize("approval", list(AskForApproval))
async def test_nothing_runs_under_a_sandbox_policy_that_is_not_known(
    gate, context, attempts, approval
):
    """Nobody can say what it allows; it is a refusal by policy, not by a person."""
    context.approval_policy = approval
    context.sandbox_policy = UnknownSandbox(tag="moon-base", raw={"type": "moon-base"})

    with pytest.raises(CommandRefused) as caught:
        await gate.run(REQUEST, context, attempts, denied=denied)

    assert "moon-base" in caught.value.text
    assert (caught.value.declined, attempts.launches, context.events) == (False, [], [])


async def test_rule_that_changes_on_disk_counts_for_the_next_command(
    gate, context, attempts, tmp_path
):
    """Allowed, forbidden, and nothing said: the file decides each time."""
    context.approval_policy = AskForApproval.NEVER
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "mine.rules"

    path.write_text('prefix_rule(pattern=["make"], decision="allow")\n')
    await gate.run(REQUEST, context, attempts, denied=denied)
    path.write_text(
        'prefix_rule(pattern=["make"], decision="forbidden", justification="not today")\n'
    )
    with pytest.raises(CommandRefused) as caught:
        await gate.run(REQUEST, context, attempts, denied=denied)
    path.unlink()
    await gate.run(REQUEST, context, attempts, denied=denied)

    assert attempts.sandboxed == [False, True]
    assert caught.value.text == "`make all` rejected: not today"


async def test_broken_rules_let_no_command_run_by_itself(gate, context, attempts, tmp_path):
    """A forbidding rule may be among those that cannot be read (L39)."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.rules").write_text("prefix_rule(")
    context.approval_policy = AskForApproval.ON_REQUEST
    context.exec_answers.append(NO)

    with pytest.raises(CommandRefused):
        await gate.run(REQUEST, context, attempts, denied=denied)
    assert "mine.rules" in reasons(context)[0]

    context.approval_policy = AskForApproval.NEVER
    with pytest.raises(CommandRefused) as caught:
        await gate.run(REQUEST, context, attempts, denied=denied)
    assert (caught.value.declined, attempts.launches) == (False, [])
    assert "mine.rules" in caught.value.text


# --- questions


async def test_question_shows_the_command_and_why(gate, require, context, attempts):
    """The table's reason goes before the model's."""
    require(Ask(reason="a rule says so", amendment=("make",)))
    context.exec_answers.append(YES)

    await gate.run(
        attrs.evolve(REQUEST, justification="to build"), context, attempts, denied=denied
    )

    assert context.events == [
        ExecApprovalRequest(
            call_id=CALL,
            turn_id=TURN,
            command=("make", "all"),
            cwd="/work",
            parsed_cmd=(UnknownCommand(cmd="make all"),),
            reason="a rule says so",
            proposed_execpolicy_amendment=("make",),
        )
    ]


async def test_question_without_a_reason_shows_that_of_the_model(gate, require, context, attempts):
    """Better than none."""
    require(Ask())
    context.exec_answers.append(YES)

    await gate.run(
        attrs.evolve(REQUEST, justification="to build"), context, attempts, denied=denied
    )

    assert reasons(context) == ["to build"]


async def test_question_about_a_retry_offers_the_amendment(gate, require, context, attempts):
    """Whoever says yes now may say it for good."""
    require(Skip(amendment=("make",)))
    context.exec_answers.append(YES)
    attempts.outcomes = ["denied", "ok"]

    await gate.run(REQUEST, context, attempts, denied=denied)

    (request,) = context.of(ExecApprovalRequest)
    assert (request.reason, request.proposed_execpolicy_amendment) == (RETRY, ("make",))


@pytest.mark.parametrize("answer", [NO, ReviewDecisionKind.ABORT])
async def test_person_who_says_no_declines(gate, require, context, attempts, answer):
    """Abort stops the turn besides, which is not the gate's business."""
    require(Ask())
    context.exec_answers.append(answer)

    with pytest.raises(CommandRefused) as caught:
        await gate.run(REQUEST, context, attempts, denied=denied)

    assert (caught.value.text, caught.value.declined) == (REJECTED, True)
    assert attempts.launches == []


async def test_cancelled_question_starts_nothing(gate, require, context, attempts):
    """And nothing is remembered."""
    require(Ask())
    with trio.move_on_after(0.01) as scope:
        await gate.run(REQUEST, context, attempts, denied=denied)

    assert scope.cancelled_caught
    assert (attempts.launches, gate.approvals.allowed()) == ([], frozenset())


# --- approvals for the session


async def test_approval_for_the_session_is_good_for_the_same_command(
    gate, require, context, attempts
):
    """Place, rights and terminal are parts of it."""
    require(Ask())
    attempts.outcomes = ["ok"] * 9
    context.exec_answers.append(SESSION)
    await gate.run(REQUEST, context, attempts, denied=denied)
    for argv in (("make", "all"), ("bash", "-lc", "make   'all'")):
        await gate.run(attrs.evolve(REQUEST, argv=argv), context, attempts, denied=denied)
    assert len(context.of(ExecApprovalRequest)) == 1
    assert gate.approvals.allowed() == {CommandKey(("make", "all"), "/work")}

    others = [{"argv": ("make",)}, {"cwd": "/"}, {"escalated": True}, {"tty": True}]
    for change in others:
        context.exec_answers.append(NO)
        with pytest.raises(CommandRefused):
            await gate.run(attrs.evolve(REQUEST, **change), context, attempts, denied=denied)
    assert len(context.of(ExecApprovalRequest)) == 1 + len(others)


async def test_approval_of_a_retry_is_good_for_the_next_retry(gate, require, context, attempts):
    """The sandbox is tried first all the same."""
    require(Skip())
    attempts.outcomes = ["denied", "ok"] * 2
    context.exec_answers.append(SESSION)

    for _ in range(2):
        await gate.run(REQUEST, context, attempts, denied=denied)

    assert reasons(context) == [RETRY]
    assert attempts.sandboxed == [True, False, True, False]


@pytest.mark.parametrize(
    "change", [{"approval_policy": AskForApproval.ON_FAILURE}, {"sandbox_policy": ReadOnly()}]
)
async def test_approval_for_the_session_ends_with_the_policy_it_was_given_under(
    gate, require, context, attempts, change
):
    """A stricter policy must not be undone by an old yes (L42)."""
    require(Ask())
    context.sandbox_policy = WorkspaceWrite()
    context.exec_answers.extend([SESSION, NO])
    await gate.run(REQUEST, context, attempts, denied=denied)

    with pytest.raises(CommandRefused):
        await gate.run(REQUEST, attrs.evolve(context, **change), attempts, denied=denied)


async def test_answer_that_comes_after_a_change_of_policy_counts_under_the_old_one(
    gate, require, context, attempts
):
    """Two turns of a thread: the first one's person answers while the second one asks."""
    require(Ask())
    later = FakeContext(approval_policy=AskForApproval.ON_REQUEST, sandbox_policy=ReadOnly())
    async with trio.open_nursery() as nursery:
        for turn in (context, later):
            nursery.start_soon(partial(gate.run, denied=denied), REQUEST, turn, attempts)
            await turn.wait_for(ExecApprovalRequest)
        context.exec_answers.append(SESSION)
        await trio.testing.wait_all_tasks_blocked()
        later.exec_answers.append(YES)

    later.exec_answers.append(NO)
    with pytest.raises(CommandRefused):
        await gate.run(REQUEST, later, attempts, denied=denied)


# --- rules that a person adds


async def test_amendment_is_saved_told_to_the_model_and_good_from_then_on(
    gate, context, attempts, tmp_path
):
    """The next such command is not asked about, and runs without a sandbox."""
    context.exec_answers.append(
        ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("make",))
    )

    await gate.run(REQUEST, context, attempts, denied=denied)
    await gate.run(attrs.evolve(REQUEST, argv=("make", "b")), context, attempts, denied=denied)

    assert attempts.sandboxed == [True, False]
    assert len(context.events) == 1
    assert context.input_texts() == [("developer", 'Approved command prefix saved:\n- ["make"]')]
    assert (tmp_path / "rules" / "default.rules").read_text() == (
        'prefix_rule(pattern=["make"], decision="allow")\n'
    )


async def test_amendment_that_cannot_be_saved_approves_this_once(
    gate, require, context, attempts, tmp_path
):
    """And says so; the yes counts."""
    require(Ask())
    (tmp_path / "rules").write_text("in the way")
    context.exec_answers.append(
        ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("make",))
    )

    assert await gate.run(REQUEST, context, attempts, denied=denied) == "ok"

    (warning,) = context.of(WarningEvent)
    assert warning.message.startswith("Failed to apply execpolicy amendment: ")
    assert context.inputs == []


async def test_amendment_without_words_approves_this_once(gate, require, context, attempts):
    """It would allow everything."""
    require(Ask())
    context.exec_answers.append(ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=()))

    assert await gate.run(REQUEST, context, attempts, denied=denied) == "ok"
    assert context.of(WarningEvent) == [
        WarningEvent(
            message="Failed to apply execpolicy amendment: prefix rule requires at least one token"
        )
    ]


# --- escalation


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (AskForApproval.NEVER, "Never"),
        (AskForApproval.ON_FAILURE, "OnFailure"),
        (AskForApproval.UNTRUSTED, "UnlessTrusted"),
    ],
)
def test_escalation_is_refused_where_it_cannot_be_asked_for(policy, name):
    """In the words of the reference; nobody minds a call that does not ask."""
    with pytest.raises(ToolError) as caught:
        check_escalation(policy, escalated=True)

    assert str(caught.value) == (
        f"approval policy is {name}; reject command — you should not ask for escalated "
        f"permissions if the approval policy is {name}"
    )
    check_escalation(policy, escalated=False)
    check_escalation(AskForApproval.ON_REQUEST, escalated=True)


def test_refusal_survives_pickle():
    """As every error does."""
    refusal = pickle.loads(pickle.dumps(CommandRefused("no", declined=True)))

    assert (refusal.text, refusal.declined, str(refusal)) == ("no", True, "no")


def test_gate_does_not_show_variables(gate):
    """They may hold secrets."""
    assert "PATH" not in repr(gate)
