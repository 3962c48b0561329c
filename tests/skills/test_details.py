"""The optional file beside a skill: what it may say, and that nothing in it is fatal."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.skills import SkillDependency, SkillInterface
from actors.skills.details import MAX_DETAILS_BYTES, SkillDetails, parse_details, read_details

from .trees import load, write_details, write_skill

PATH = "/skills/one/agents/openai.yaml"

FULL = """
interface:
  display_name: "One\\nthing"
  short_description: Does it.
  icon_small: ./assets/small.svg
  icon_large: assets/a/./large.png
  brand_color: "#1a2B3c"
  default_prompt: Do it.
  unknown: [1]
dependencies:
  tools:
    - {type: env_var, value: KEY, description: The key.}
    - type: mcp
      value: docs
      description: Docs
      transport: streamable_http
      command: docs --serve
      url: https://example.org/mcp
      more: x
policy:
  allow_implicit_invocation: false
unknown: {}
"""


def parse(text: str) -> SkillDetails:
    return parse_details(text, "/skills/one")


def test_all_that_may_be_said_is_read() -> None:
    """Keys that nobody knows say nothing."""
    assert parse(FULL) == SkillDetails(
        path=PATH,
        interface=SkillInterface(
            display_name="One thing",
            short_description="Does it.",
            icon_small="/skills/one/assets/small.svg",
            icon_large="/skills/one/assets/a/large.png",
            brand_color="#1a2B3c",
            default_prompt="Do it.",
        ),
        dependencies=(
            SkillDependency(type="env_var", value="KEY", description="The key."),
            SkillDependency(
                type="mcp",
                value="docs",
                description="Docs",
                transport="streamable_http",
                command="docs --serve",
                url="https://example.org/mcp",
            ),
        ),
        allow_implicit=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "interface:\ndependencies:\npolicy:\n",
        "interface: {}\ndependencies: {tools: []}\npolicy: {}",
        "interface: {display_name: ' ', brand_color: }\ndependencies: {tools: }",
        "policy: {allow_implicit_invocation: true}",
        "policy: {allow_implicit_invocation: }",
    ],
)
def test_file_that_says_nothing_changes_nothing(text: str) -> None:
    """There is no interface without anything in it."""
    assert parse(text) == SkillDetails(path=PATH)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("interface: 1", "invalid YAML: interface is a number, not a mapping; write lines of"),
        ("interface: {display_name: 1}", "invalid YAML: interface.display_name is a number, not a"),
        (
            "interface: {display_name: a, display_name: b}",
            "invalid YAML: duplicate field `display_name`; leave one of them",
        ),
        (
            f"interface: {{display_name: {'a' * 65}}}",
            "invalid interface.display_name: exceeds maximum length of 64 characters",
        ),
        (
            "interface: {brand_color: red}",
            "interface.brand_color is left out: it has to be like '#",
        ),
        ("interface: {brand_color: '#12345'}", "interface.brand_color is left out"),
        ("interface: {brand_color: '#1234567'}", "interface.brand_color is left out"),
        (
            "interface: {icon_small: /assets/a}",
            "interface.icon_small is left out: it has to be belo",
        ),
        ("interface: {icon_small: a.png}", "interface.icon_small is left out"),
        ("interface: {icon_small: assets/../../a}", "interface.icon_small is left out"),
        ("interface: {icon_large: ../assets/a}", "interface.icon_large is left out"),
        ("interface: {icon_large: assetsx/a}", "interface.icon_large is left out"),
        ("dependencies: []", "invalid YAML: dependencies is a list, not a mapping"),
        ("dependencies: {tools: {}}", "dependencies.tools is a mapping, not a list"),
        ("dependencies: {tools: [], tools: []}", "invalid YAML: duplicate field `tools`"),
        ("dependencies: {tools: [~]}", "dependencies.tools[0] is nothing, not a mapping"),
        ("dependencies: {tools: [a]}", "dependencies.tools[0] is a text, not a mapping"),
        (
            "dependencies: {tools: [{type: a}]}",
            "dependencies.tools[0] is left out: it needs a type and a value",
        ),
        ("policy: no", "invalid YAML: policy is a text, not a mapping"),
        (
            "policy: {allow_implicit_invocation: no}",
            "policy.allow_implicit_invocation is a text, not true or false",
        ),
    ],
)
def test_what_is_wrong_is_left_out_and_told(text: str, told: str) -> None:
    """Everything else counts."""
    details = parse(text)

    assert details.interface is None
    assert details.dependencies == ()
    assert details.allow_implicit
    [problem] = details.problems
    assert problem.startswith(told)


def test_one_bad_dependency_costs_only_itself() -> None:
    """And a bad part of one costs only that part."""
    details = parse(
        "dependencies: {tools: [{value: a}, {type: env_var, value: KEY, url: [1]}, {}, 1]}"
    )

    assert details.dependencies == (SkillDependency(type="env_var", value="KEY"),)
    assert [problem.split(" is ")[0] for problem in details.problems] == [
        "dependencies.tools[0]",
        "invalid YAML: dependencies.tools[1].url",
        "dependencies.tools[2]",
        "dependencies.tools[3]",
    ]


@pytest.mark.parametrize(("bad", "told"), [(10, 10), (11, 11), (500, 11)])
def test_the_first_ten_problems_are_told(bad: int, told: int) -> None:
    """Nobody reads more."""
    problems = parse(f"dependencies: {{tools: [{'1, ' * bad}]}}").problems

    assert len(problems) == told
    if bad > 10:
        assert problems[-1] == f"and {bad - 10} more"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff", "byte 0 is not UTF-8; save it as UTF-8"),
        (b"a: [", "invalid YAML: did not find expected node content (line 2, column 1)"),
        (b"- a", "invalid YAML: the whole is a list, not a mapping"),
        (b"#" * (MAX_DETAILS_BYTES + 1), "larger than 65536 bytes; make it shorter"),
    ],
)
def test_file_that_cannot_be_understood_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    """The skill is there all the same."""
    write_skill(tmp_path / "one")
    path = write_details(tmp_path / "one", "")
    path.write_bytes(data)

    outcome = load(tmp_path)

    assert [skill.name for skill in outcome.skills] == ["one"]
    [error] = outcome.errors
    assert error.path == str(path)
    assert error.message.startswith(told)


def test_file_at_its_limit_is_read(tmp_path: Path) -> None:
    """One more byte is too much, see above."""
    write_details(tmp_path, "#" * MAX_DETAILS_BYTES)

    assert read_details(str(tmp_path)).problems == ()


@pytest.mark.parametrize("kind", ["none", "folder instead", "file in place of the folder"])
def test_most_skills_have_no_such_file(tmp_path: Path, kind: str) -> None:
    """Nothing is told of it, except when something else has its name."""
    if kind == "folder instead":
        (tmp_path / "agents" / "openai.yaml").mkdir(parents=True)
    elif kind != "none":
        (tmp_path / "agents").write_text("")

    found = read_details(str(tmp_path))

    assert bool(found.problems) is (kind == "folder instead")


YAML_LIKE = st.lists(
    st.sampled_from(
        ["interface", "dependencies", "policy", "tools", "type", "value", "icon_small", "assets/",
         ": ", "\n", "  ", "    ", "- ", "[", "]", "{", "}", ", ", "a", "1", "'", "*a", "&a", "#"]
    )
).map("".join)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.one_of(YAML_LIKE.map(str.encode), st.binary()))
def test_any_file_is_read_or_told(data: bytes) -> None:
    """Never raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_details(Path(os.path.realpath(folder)), "")
        path.write_bytes(data)

        found = read_details(folder)

        assert isinstance(found, SkillDetails)
        assert all(found.problems)
