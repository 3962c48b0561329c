"""A recorded conversation as a page."""

from actors.cli.pieces import Look, Piece
from actors.cli.transcript import Transcript
from messages.content import InputImage, InputText, OutputText
from messages.events import (
    EnteredReviewMode,
    ErrorEvent,
    ExitedReviewMode,
    ReviewOutput,
    ThreadRolledBack,
    TokenCount,
    TurnAborted,
    TurnAbortReason,
    UncommittedChangesTarget,
)
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellAction,
    LocalShellCall,
    LocalShellStatus,
    Message,
    ReasoningItem,
    SearchAction,
    SummaryText,
    WebSearchCall,
)
from messages.rollout import CompactedItem, RolloutItem, UnknownRecord

from .said import completed


def pieces(*items: RolloutItem) -> list[Piece]:
    transcript = Transcript()
    return [piece for item in items for piece in transcript.take(item)]


def page(*items: RolloutItem) -> str:
    return "".join(piece.text for piece in pieces(*items))


def user(text: str) -> Message:
    return Message(role="user", content=(InputText(text=text),))


def assistant(text: str) -> Message:
    return Message(role="assistant", content=(OutputText(text=text),))


def shell(arguments: str, output: str, call_id: str = "c") -> tuple[RolloutItem, ...]:
    return (
        FunctionCall(name="shell", arguments=arguments, call_id=call_id),
        FunctionCallOutput(call_id=call_id, output=output),
    )


def test_a_conversation_reads_from_the_first_word_to_the_end_of_the_turn() -> None:
    """The golden page; what the runtime itself said is left out."""
    assert page(
        Message(role="developer", content=(InputText(text="rules"),)),
        user("<environment_context>\n</environment_context>"),
        user("hello\nyou"),
        ReasoningItem(summary=(SummaryText(text="one"), SummaryText(text="two"))),
        ReasoningItem(encrypted_content="xyz"),
        assistant("Hi.\n"),
        *shell(
            '{"command": ["bash", "-lc", "ls"]}',
            '{"output": "a\\nb\\n", "metadata": {"exit_code": 0, "duration_seconds": 0.1}}',
        ),
        TokenCount(),
        completed(),
    ) == (
        "user #1\n"
        "  hello\n"
        "  you\n"
        "\n"
        "thinking\n"
        "  one\n"
        "\n"
        "  two\n"
        "\n"
        "assistant\n"
        "  Hi.\n"
        "\n"
        "$ ls\n"
        "  a\n"
        "  b\n"
        "  exit 0\n"
        "\n"
        "-- turn completed --\n"
    )


def test_outputs_are_taken_out_of_their_frames() -> None:
    """Those of all shells, one in the other too; what is in no frame is shown as it is."""
    frames = {
        "Exit code: 3\nWall time: 0.1 seconds\nOutput:\nno": "  no\n  exit 3\n",
        "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 0\n"
        "Original token count: 2\nOutput:\nyes\n": "  yes\n  exit 0\n",
        "Wall time: 0 s\nOutput:\nExit code: 0\nTotal output lines: 9\nOutput:\nx": (
            "  x\n  exit 0\n"
        ),
        "Output:\nplain": "  Output:\n  plain\n",
        '{"other": 1}': '  {"other": 1}\n',
        "{broken": "  {broken\n",
        "": "",
    }

    shown = {output: page(*shell('{"cmd": "x"}', output)) for output in frames}

    assert shown == {output: f"$ x\n{text}" for output, text in frames.items()}


def test_failures_stand_out() -> None:
    """An exit code other than 0 is bad."""
    looks = [piece.look for piece in pieces(*shell("{}", "Exit code: 1\nOutput:\nx"))]

    assert looks == [Look.COMMAND, Look.FAINT, Look.BAD]


def test_calls_of_every_kind_have_a_line() -> None:
    """A script as it is, other arguments as they are, shortened."""
    local = LocalShellAction(command=("echo", "a b"))
    assert page(
        FunctionCall(name="shell", arguments='{"command": "a | b"}', call_id="1"),
        FunctionCall(name="plan", arguments='{"steps":\n 5}', call_id="2"),
        FunctionCall(name="odd", arguments="no json", call_id="3"),
        CustomToolCall(name="apply_patch", input="*** Begin\n+x", call_id="4"),
        LocalShellCall(status=LocalShellStatus.COMPLETED, action=local, call_id="5"),
        WebSearchCall(action=SearchAction(query="trio")),
        WebSearchCall(),
    ) == (
        '$ a | b\n\nplan {"steps": 5}\n\nodd no json\n\napply_patch: *** Begin +x\n\n'
        "$ echo 'a b'\n\nweb search: trio\n\nweb search\n"
    )


PATCH = """*** Begin Patch
*** Add File: new.txt
+a
+b
*** Update File: old.py
*** Move to: now.py
@@ def f():
 same
-gone
+come
*** Delete File: x
*** End Patch
"""


def test_calls_of_the_house_are_told_by_what_they_do() -> None:
    """A patch by its files, a plan by its steps, a process by what was typed into it."""

    def call(name: str, arguments: str) -> FunctionCall:
        return FunctionCall(name=name, arguments=arguments, call_id=name + arguments)

    step = '{"step": "look", "status": "in_progress"}'
    assert page(
        CustomToolCall(name="apply_patch", input=PATCH, call_id="1"),
        call("apply_patch", '{"input": "*** Begin Patch\\n*** Delete File: x\\n*** End Patch"}'),
        call("apply_patch", '{"input": "rubbish"}'),
        call("update_plan", f'{{"plan": [{step}, {{"step": "go", "status": "new"}}, 5]}}'),
        call("update_plan", '{"plan": 5}'),
        call("view_image", '{"path": "a.png"}'),
        call("write_stdin", '{"session_id": 7, "chars": "ls\\n"}'),
        call("write_stdin", '{"session_id": 7}'),
        call("mcp__my_docs__search__all", '{"q": 1}'),
        call("exec_command", '{"cmd": "make"}'),
    ).split("\n\n") == [
        "patch: 3 files +3 -1\n  A new.txt +2\n  M old.py -> now.py +1 -1\n  D x",
        "patch: 1 file\n  D x",
        'apply_patch {"input": "rubbish"}',
        "plan\n  [>] look\n  [ ] go",
        'update_plan {"plan": 5}',
        "image: a.png",
        "typed into process 7: 'ls\\n'",
        "wait for process 7",
        'my_docs.search__all {"q":1}',
        "$ make\n",
    ]


def test_an_output_that_does_not_follow_its_call_says_whose_it_is() -> None:
    """Calls may run at once, and damaged files lack some."""
    first, first_output = shell('{"cmd": "a"}', "1", "1")
    second, second_output = shell('{"cmd": "b"}', "2", "2")
    stray = CustomToolCallOutput(
        call_id="9", output=(InputText(text="x"), InputImage(image_url=""))
    )

    assert page(first, second, second_output, first_output, stray) == (
        "$ a\n\n$ b\n  2\n\n$ a\n  1\n\noutput of an unknown call\n  x\n  [image]\n"
    )


def test_images_are_marked() -> None:
    """Without the tags around them."""
    message = Message(
        role="user",
        content=(
            InputText(text='<image name="[Image #1]">'),
            InputImage(image_url="data:"),
            InputText(text="</image>"),
            InputText(text="look"),
        ),
    )

    assert page(message) == "user #1\n  [image]\n  look\n"


def test_numbers_are_used_again_after_a_rollback() -> None:
    """As forks count."""
    assert page(
        user("a"), user("b"), ThreadRolledBack(num_turns=1), user("c"), ThreadRolledBack(num_turns=9),
        user("d"),
    ) == (
        "user #1\n  a\n\nuser #2\n  b\n\n-- the last turn no longer counts --\n\n"
        "user #2\n  c\n\n-- the last 9 turns no longer count --\n\nuser #1\n  d\n"
    )  # fmt: skip


def test_marks_say_what_happened_between_the_messages() -> None:
    """Records of unknown kinds are of newer versions, and not shown; damaged ones are."""
    assert page(
        TurnAborted(reason=TurnAbortReason.INTERRUPTED),
        TurnAborted(reason=TurnAbortReason.REVIEW_ENDED),
        ErrorEvent(message="it\nbroke"),
        CompactedItem(message="so far"),
        EnteredReviewMode(target=UncommittedChangesTarget()),
        EnteredReviewMode(target=UncommittedChangesTarget(), user_facing_hint="it all"),
        ExitedReviewMode(),
        ExitedReviewMode(review_output=ReviewOutput()),
        UnknownRecord(kind="books", payload={}),
        UnknownRecord(kind="event_msg", payload={}, reason="expected text at $.message"),
    ).split("\n\n") == [
        "-- turn interrupted --",
        "-- turn review ended --",
        "-- error: it broke --",
        "-- history compacted: the model goes on from a summary --",
        "-- review --",
        "-- review of it all --",
        "-- review ended without a result --",
        "-- review ended --",
        "-- a event_msg that cannot be shown: expected text at $.message --\n",
    ]
