"""Families whose agents go deeper, and the task they are given."""

import attrs

from messages.content import TextInput
from messages.ids import ThreadId
from messages.settings import SubAgentKind, SubAgentWrapper

from .family import FAMILY

NOBODY = ThreadId("00000000-0000-7000-8000-000000000000")
PROMPT = (TextInput(text="task"),)
REVIEW = SubAgentWrapper(subagent=SubAgentKind.REVIEW)
DEEP = attrs.evolve(FAMILY, agent_max_depth=3)
ONE = attrs.evolve(FAMILY, agent_max_threads=1)
