"""Random files and edits: what a patch is made from is what it makes."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.tools.patch.comparison import changed_lines
from actors.tools.patch.disk import Disk
from actors.tools.patch.errors import PatchError
from actors.tools.patch.parser import parse_patch
from actors.tools.patch.planning import plan_patch
from actors.tools.patch.writing import write_steps

from .trees import contents, patch, tree, update, write

# Few different lines: the worst case for finding the right place.  No line is such that
# an edit has a second place that fits as well, so all context above is given.
LINE = st.text(st.sampled_from("ab \t\u2013é'"), max_size=3)
FILE = st.lists(LINE, max_size=12)


def rendered(old: list[str], new: list[str]) -> list[str]:
    """The chunks that lead from old to new, each with all lines since the one before."""
    lines: list[str] = []
    position = 0
    for change in changed_lines(old, new):
        lines.append("@@")
        lines += [" " + line for line in old[position : change.start]]
        lines += ["-" + line for line in old[change.start : change.end]]
        lines += ["+" + line for line in new[change.new_start : change.new_end]]
        position = change.end
    return lines


@pytest.mark.slow
@given(FILE, FILE, st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_patch_made_of_two_texts_leads_from_one_to_the_other(
    old: list[str], new: list[str], end: str
) -> None:
    """Through the real parser, the real planner and the real disk."""
    lines = rendered(old, new)
    if not lines or not old:
        return
    if lines[1][0] == "+" and not any(line[0] in " -" for line in lines[1:]):
        return  # only adds: that goes to the end, by rule
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write(root, {"f": "".join(line + end for line in old)})
        # A chunk that only adds has no place of its own: give it the line above.
        chunks = _anchored(lines)
        if chunks is None:
            return

        planned = plan_patch(parse_patch(update("f", *chunks)), str(root), Disk())
        write_steps(planned.steps, Disk(), "t")

        assert contents(root) == {"f": "".join(line + end for line in new).encode()}


def _anchored(lines: list[str]) -> list[str] | None:
    """None where the first chunk has no line before it and none to remove."""
    groups: list[list[str]] = []
    for line in lines:
        if line == "@@":
            groups.append([])
        else:
            groups[-1].append(line)
    if any(all(line[0] == "+" for line in group) for group in groups):
        return None
    return [line for group in groups for line in ["@@", *group]]


NAMES = st.sampled_from(["a", "b", "d/a", "d", "a/x", "../e", "l"])
TEXT = st.lists(st.sampled_from(["1", "2", ""]), max_size=3)


@st.composite
def sections(draw: st.DrawFn) -> list[str]:
    name = draw(NAMES)
    body = draw(TEXT)
    match draw(st.sampled_from("admu")):
        case "a":
            return [f"*** Add File: {name}", *("+" + line for line in body)]
        case "d":
            return [f"*** Delete File: {name}"]
        case "m":
            return [f"*** Update File: {name}", f"*** Move to: {draw(NAMES)}", "@@", "+m", *body]
        case _:
            marks = draw(st.lists(st.sampled_from(" +-"), min_size=3, max_size=3))
            return [f"*** Update File: {name}", "@@", "+u", *map(str.__add__, marks, body)]


@pytest.mark.slow
@given(st.lists(sections(), max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_patch_is_applied_wholly_or_not_at_all(parts: list[list[str]]) -> None:
    """What the plan says is what is there afterwards, and nothing else changed."""
    text = patch(*(line for part in parts for line in part))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        write(root, {"a": "1\n2\n", "b": "", "d/a": "1"})
        (root / "l").symlink_to("b")
        before = tree(root.parent)
        try:
            planned = plan_patch(parse_patch(text), str(root), Disk())
        except PatchError:
            assert tree(root.parent) == before
            return

        assert write_steps(planned.steps, Disk(), "t") == ()

        after = contents(root.parent)
        expected = {name: data for name, (_, data) in before.items() if isinstance(data, bytes)}
        for step in planned.steps:
            name = str(Path(step.place).relative_to(root.parent))
            expected.pop(name, None)
            if step.after.status is not None or step.after.kind.value == "regular file":
                expected[name] = step.after.data
        assert after == expected
        assert {step.shown for step in planned.steps} <= set(planned.paths)
