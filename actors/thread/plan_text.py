"""Splits what the model writes in Plan mode into the plan and what it says around it."""

from typing import Final, TypeAlias

import attrs

__all__ = ["PlanBegan", "PlanSplitter", "PlanText", "Said", "Segment", "split_plan"]

_OPEN: Final = "<proposed_plan>"
_CLOSE: Final = "</proposed_plan>"

_LONGEST_TAG_LINE: Final = 200
"""Characters of a line that can be a tag, white space around it included."""


@attrs.frozen
class Said:
    """Text for the user, outside of any plan."""

    text: str


@attrs.frozen
class PlanBegan:
    """The line that opens a plan."""


@attrs.frozen
class PlanText:
    """Text of the plan that began last."""

    text: str


Segment: TypeAlias = Said | PlanBegan | PlanText


@attrs.define(eq=False)
class PlanSplitter:
    """
    Takes one message piece by piece, and tells its segments as soon as they are sure.

    A plan is what stands between a line ``<proposed_plan>`` and the next line
    ``</proposed_plan>``, or the end of the message.  White space around a tag does not
    matter, anything else on its line makes it ordinary text, as does an opening tag inside
    a plan or a closing one outside.  The lines of the tags belong to neither side.

    Invariant: however the message is cut into pieces, the texts of the segments, joined
    between two `PlanBegan`, are the same.

    Source:
        Codex, ``ProposedPlanParser``.
    """

    _in_plan: bool = attrs.field(default=False, init=False)
    # The last line, as long as it can still become a tag; else empty.
    _held: str = attrs.field(default="", init=False)
    # Whether the next character is the first one of its line.
    _fresh: bool = attrs.field(default=True, init=False)
    _segments: list[Segment] = attrs.field(factory=list[Segment], init=False)
    # Text of the kind that `_in_plan` says, to become the next segment.
    _run: list[str] = attrs.field(factory=list[str], init=False)

    def take(self, piece: str) -> list[Segment]:
        """Take the next piece; give back what is sure by now, neighbours of a kind joined."""
        text, self._held = self._held + piece, ""
        start = 0  # of what is not told yet
        while start < len(text):
            end = text.find("\n", start) + 1
            if not end:
                self._take_rest(text[start:])
                break
            self._take_line(text[start:end])
            start = end
        return self._told()

    def finish(self) -> list[Segment]:
        """Give back what was held; the message is over."""
        line, self._held = self._held, ""
        if line:
            self._take_line(line)
        return self._told()

    def _take_line(self, line: str) -> None:
        """Take a line up to its end; its beginning may be told already."""
        fresh, self._fresh = self._fresh, True
        if fresh and self._is_tag(line):
            self._switch()
        else:
            self._run.append(line)

    def _take_rest(self, text: str) -> None:
        """Take a last line whose end is not known yet."""
        if self._fresh and self._can_become_tag(text):
            self._held = text
        else:
            self._fresh = False
            self._run.append(text)

    def _is_tag(self, line: str) -> bool:
        line = line.removesuffix("\n")
        return len(line) <= _LONGEST_TAG_LINE and line.strip() == self._tag

    def _can_become_tag(self, beginning: str) -> bool:
        # The limit also bounds what is held, and the work of looking at it again.
        return len(beginning) <= _LONGEST_TAG_LINE and self._tag.startswith(beginning.strip())

    @property
    def _tag(self) -> str:
        return _CLOSE if self._in_plan else _OPEN

    def _switch(self) -> None:
        self._end_run()
        self._in_plan = not self._in_plan
        if self._in_plan:
            self._segments.append(PlanBegan())

    def _end_run(self) -> None:
        if self._run:
            kind = PlanText if self._in_plan else Said
            self._segments.append(kind("".join(self._run)))
            self._run.clear()

    def _told(self) -> list[Segment]:
        self._end_run()
        segments, self._segments = self._segments, []
        return segments


def split_plan(text: str) -> tuple[str, str | None]:
    """
    Split a whole message.

    Returns:
        What it says around its plans, and the last plan, which replaces those before;
        None without any.
    """
    splitter = PlanSplitter()
    said: list[str] = []
    plan: list[str] | None = None
    for segment in (*splitter.take(text), *splitter.finish()):
        match segment:
            case Said(text=piece):
                said.append(piece)
            case PlanBegan():
                plan = []
            case PlanText(text=piece):
                assert plan is not None  # it began first
                plan.append(piece)
    return "".join(said), None if plan is None else "".join(plan)
