"""Puts the text of a skill into the conversation."""

from typing import Final

import trio

from messages.content import InputText
from messages.items import Message

from .errors import BadSkillFile, SkillUnreadable
from .files import read_whole
from .skill import Skill

__all__ = ["MAX_SKILL_BYTES", "read_skill", "skill_message"]

MAX_SKILL_BYTES: Final = 1024 * 1024
"""How long a skill may be to be injected; more than any model reads."""


async def read_skill(skill: Skill) -> str:
    """
    Read the whole ``SKILL.md`` as it is now; bytes that are not UTF-8 are replaced.

    Raises:
        SkillUnreadable: It is gone, too long or may not be read; an `OSError`.

    Cancellation:
        Takes effect at once; the file is read to its end unseen.
    """
    return await trio.to_thread.run_sync(_read, skill, abandon_on_cancel=True)


def skill_message(skill: Skill, text: str) -> Message:
    """Wrap the text of a skill as the message that carries it, right behind the user's own."""
    wrapped = f"<skill>\n<name>{skill.name}</name>\n<path>{skill.path}</path>\n{text}\n</skill>"
    return Message(role="user", content=(InputText(text=wrapped),))


def _read(skill: Skill) -> str:
    try:
        return read_whole(skill.path, MAX_SKILL_BYTES).decode("utf-8", "replace")
    except BadSkillFile as error:
        raise SkillUnreadable(skill.name, skill.path, error.problem) from error
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        problem = (isinstance(error, OSError) and error.strerror) or str(error)
        raise SkillUnreadable(skill.name, skill.path, problem) from error
