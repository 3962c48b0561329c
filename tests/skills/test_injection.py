"""Reading a skill when it is mentioned, and what the model gets of it."""

import os
import pickle
from pathlib import Path

import pytest
import trio

from actors.rollout import is_user_message
from actors.skills import SkillsError, SkillUnreadable, read_skill, skill_message
from actors.skills.injection import MAX_SKILL_BYTES
from messages.content import InputText
from messages.items import Message
from tests.waiting import PATIENCE

from .trees import front, skill, write_skill


async def test_skill_is_read_as_it_is_now(tmp_path: Path) -> None:
    """From the disk at each time, front matter and all."""
    path = write_skill(tmp_path / "one")
    one = skill("one", str(path))
    assert await read_skill(one) == front("one")

    path.write_bytes("new ä\r\n".encode() + b"\xff")

    assert await read_skill(one) == "new ä\r\n\ufffd"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("gone", "No such file or directory"),
        ("folder", "failed to read file: it is not a regular file"),
        ("pipe", "failed to read file: it is not a regular file"),
        ("link", "Too many levels of symbolic links"),
        ("long", "larger than 1048576 bytes; make it shorter"),
        ("null", "embedded null byte"),
    ],
)
async def test_skill_that_cannot_be_read_says_why(tmp_path: Path, kind: str, told: str) -> None:
    """In the words that clients get as a warning."""
    path = tmp_path / ("a\0b" if kind == "null" else "SKILL.md")
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(write_skill(tmp_path / "one"))
        case "long":
            path.write_bytes(b"x" * (MAX_SKILL_BYTES + 1))
        case _:
            pass

    with trio.fail_after(PATIENCE), pytest.raises(SkillUnreadable) as caught:
        await read_skill(skill("one", str(path)))

    assert str(caught.value) == f"Failed to load skill one at {path}: {told}"
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, SkillsError)


async def test_skill_at_its_limit_is_read(tmp_path: Path) -> None:
    """One more byte is too much, see above."""
    path = tmp_path / "SKILL.md"
    path.write_bytes(b"x" * MAX_SKILL_BYTES)

    assert len(await read_skill(skill("one", str(path)))) == MAX_SKILL_BYTES


def test_error_survives_pickle() -> None:
    """With all its fields."""
    error = SkillUnreadable("one", "/p", "why")

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.name, copy.path, copy.problem, str(copy)) == ("one", "/p", "why", str(error))


def test_message_is_marked_as_no_words_of_the_user() -> None:
    """It begins no turn when the thread is resumed."""
    message = skill_message(skill("one", "/p/SKILL.md"), "Do it.\n")

    assert message == Message(
        role="user",
        content=(
            InputText(
                text="<skill>\n<name>one</name>\n<path>/p/SKILL.md</path>\nDo it.\n\n</skill>"
            ),
        ),
    )
    assert not is_user_message(message)


@pytest.mark.parametrize("text", ["<skills are good", "<skill", "<skilled> x", " <skill>"])
def test_words_of_the_user_that_only_look_like_a_skill_begin_a_turn(text: str) -> None:
    """The exact tag decides."""
    assert is_user_message(Message(role="user", content=(InputText(text=text),)))
