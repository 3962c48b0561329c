"""The history as a model sees it."""

from hypothesis import given
from hypothesis import strategies as st

from actors.thread.prompt import ABORTED_OUTPUT, call_id_of, for_model, without_images
from messages.content import InputImage, InputText
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    GhostCommit,
    GhostSnapshot,
    LocalShellAction,
    LocalShellCall,
    LocalShellStatus,
    Message,
)

HELLO = Message(role="user", content=(InputText(text="hello"),))
CALL = FunctionCall(name="shell", arguments="{}", call_id="c1")
OUTPUT = FunctionCallOutput(call_id="c1", output="done")
CUSTOM = CustomToolCall(call_id="c2", name="apply_patch", input="x")
LOCAL = LocalShellCall(
    call_id="c3", status=LocalShellStatus.COMPLETED, action=LocalShellAction(command=("ls",))
)
IMAGE = InputImage(image_url="data:image/png;base64,AA==")


def test_answered_calls_pass_unchanged() -> None:
    """Nothing is added to what is whole."""
    assert for_model([HELLO, CALL, OUTPUT], images=True) == (HELLO, CALL, OUTPUT)


def test_calls_without_output_get_one_right_behind_them() -> None:
    """Of the kind that fits the call."""
    seen = for_model([CALL, CUSTOM, LOCAL, HELLO], images=True)

    assert seen == (
        CALL,
        FunctionCallOutput(call_id="c1", output=ABORTED_OUTPUT),
        CUSTOM,
        CustomToolCallOutput(call_id="c2", output=ABORTED_OUTPUT),
        LOCAL,
        FunctionCallOutput(call_id="c3", output=ABORTED_OUTPUT),
        HELLO,
    )


def test_outputs_without_call_and_snapshots_are_left_out() -> None:
    """A provider would refuse the first and does not know the second."""
    snapshot = GhostSnapshot(ghost_commit=GhostCommit(id="abc"))

    assert for_model([OUTPUT, snapshot, HELLO], images=True) == (HELLO,)


def test_images_become_text_for_a_model_without_eyes() -> None:
    """In messages and in outputs; everything else stays the same object."""
    message = Message(role="user", content=(InputText(text="look"), IMAGE))
    output = FunctionCallOutput(call_id="c1", output=(IMAGE,))

    seen = for_model([message, CALL, output, HELLO], images=False)

    assert IMAGE not in seen[0].content  # type: ignore[union-attr]
    assert IMAGE not in seen[2].output  # type: ignore[union-attr]
    assert seen[3] is HELLO


def test_images_of_the_last_output_are_replaced() -> None:
    """Only where the last of output and user message is an output with an image."""
    output = FunctionCallOutput(call_id="c1", output=(IMAGE,))

    mended = without_images([HELLO, CALL, output], "Invalid image")

    replaced = FunctionCallOutput(call_id="c1", output=(InputText(text="Invalid image"),))
    assert mended == (HELLO, CALL, replaced)
    assert without_images([CALL, output, HELLO], "x") is None
    assert without_images([CALL, OUTPUT], "x") is None
    assert without_images([], "x") is None


ITEMS = st.one_of(
    st.just(HELLO),
    st.builds(
        FunctionCall, name=st.just("f"), arguments=st.just("{}"), call_id=st.sampled_from("abc")
    ),
    st.builds(FunctionCallOutput, call_id=st.sampled_from("abc"), output=st.just("o")),
    st.builds(CustomToolCall, name=st.just("f"), input=st.just(""), call_id=st.sampled_from("xyz")),
    st.builds(CustomToolCallOutput, call_id=st.sampled_from("xyz"), output=st.just("o")),
)


@given(st.lists(ITEMS, max_size=12))
def test_every_call_has_an_answer_and_every_answer_a_call(items: list[object]) -> None:
    """Whatever the history holds; and doing it twice changes nothing more."""
    seen = for_model(items, images=True)  # type: ignore[arg-type]

    calls = {call_id_of(item) for item in seen} - {None}
    outputs = {
        item.call_id for item in seen if isinstance(item, FunctionCallOutput | CustomToolCallOutput)
    }
    assert calls == outputs
    assert for_model(seen, images=True) == seen
