"""Front matter: read, refused, and never fatal."""

import os
import tempfile
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.skills import load_skills, plain_yaml
from actors.skills.errors import BadSkillFile
from actors.skills.files import MAX_HEAD_BYTES, read_head
from actors.skills.skill_file import FrontMatter, parse_front_matter
from tests.effort import examples

from .trees import front, load, query, write_skill

NO_FENCES = "missing YAML frontmatter delimited by ---; begin the file with a line ---, "


def problem(text: str) -> str:
    with pytest.raises(BadSkillFile) as caught:
        parse_front_matter(text)
    return caught.value.problem


def head(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "SKILL.md"
    path.write_bytes(data)
    return read_head(str(path))


# Fences ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"---\na\n---\n", "a\n"),
        (b"---\na\n---", "a\n"),
        (b"---\r\na\r\n---\r\nb", "a\r\n"),
        (b" ---\t\na: '---'\n --- \nb\n---\n", "a: '---'\n"),
        (b"---\na\n----\n--- b\n---\n", "a\n----\n--- b\n"),
        (b"\xef\xbb\xbf---\na\n---\n", "a\n"),
        (b"---\n\n\na\n---\n\xff\xfe", "\n\na\n"),
        ("---\nä\n---\n".encode(), "ä\n"),
    ],
)
def test_head_is_what_is_between_the_first_two_fences(
    tmp_path: Path, data: bytes, found: str
) -> None:
    """What comes after them may be anything."""
    assert head(tmp_path, data) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-",
        b"---",
        b"---\n",
        b"---\n---\n",
        b"---\n\n \n---\n",
        b"---\na\n",
        b"---\na\n--",
        b"---\na\n---b",
        b"--- \xc2\xa0\na\n---\n",
        b"\n---\na\n---\n",
        b"# Title\n---\na\n---\n",
        b"x" * MAX_HEAD_BYTES * 2,
        b"\0" * 100,
    ],
)
def test_file_without_fences_says_how_to_begin(tmp_path: Path, data: bytes) -> None:
    """The text begins as Codex's does."""
    with pytest.raises(BadSkillFile, match=NO_FENCES):
        head(tmp_path, data)


@pytest.mark.parametrize("size", [8191, 8192, 8193, 16384, MAX_HEAD_BYTES - 8])
@pytest.mark.parametrize("end", [b"---", b"---\n", b"---\nmore", b"---  \r\n"])
def test_head_ends_at_its_fence_wherever_reads_end(tmp_path: Path, size: int, end: bytes) -> None:
    """The fence may be cut in two by the way it is read."""
    for less in range(6):
        filling = b"a" * (size - less - 5)

        assert head(tmp_path, b"---\n" + filling + b"\n" + end) == filling.decode() + "\n"


def test_head_that_does_not_end_is_read_to_the_limit_only(tmp_path: Path) -> None:
    """A file of any size costs little."""
    path = tmp_path / "SKILL.md"
    with path.open("wb") as file:
        file.write(b"---\nname: a\n")
        file.truncate(1 << 40)  # sparse

    with pytest.raises(BadSkillFile, match="frontmatter is not closed within 65536 bytes; end it"):
        read_head(str(path))


def test_head_that_is_no_utf_8_says_in_which_line(tmp_path: Path) -> None:
    """Counted as an editor does."""
    with pytest.raises(BadSkillFile, match="line 3 is not UTF-8; save it as UTF-8"):
        head(tmp_path, b"---\nname: a\ndescription: \xff\n---\n")


def test_pipe_in_place_of_a_file_does_not_hold_us_up(tmp_path: Path) -> None:
    """Nobody will ever write to it."""
    os.mkfifo(tmp_path / "SKILL.md")

    with pytest.raises(BadSkillFile, match="not a regular file"):
        read_head(str(tmp_path / "SKILL.md"))


def test_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """It was a file when its folder was listed; links are never read."""
    (tmp_path / "SKILL.md").symlink_to(write_skill(tmp_path / "one"))

    with pytest.raises(OSError, match="symbolic link"):
        read_head(str(tmp_path / "SKILL.md"))


# Fields ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name: a\ndescription: b", ("a", "b", None)),
        ("description: b\nname: a\nother: [1, {x: y}]\nlicense:", ("a", "b", None)),
        ("name: '  a\n\n  b '\ndescription: |\n  c\n    d\n\n  e\n", ("a b", "c d e", None)),
        ("name: a\ndescription: b\nmetadata:\n  short-description: c", ("a", "b", "c")),
        ("name: a\ndescription: b\nmetadata: {short-description: '', x: 1}", ("a", "b", None)),
        ("name: a\ndescription: b\nmetadata:", ("a", "b", None)),
        ("name: no\ndescription: 2026-11-20", ("no", "2026-11-20", None)),
        ("name: 'true'\ndescription: \"1\"", ("true", "1", None)),
        ("name: 1.2.3\ndescription: 0b1", ("1.2.3", "0b1", None)),
        ("name: &a x\ndescription: *a", ("x", "x", None)),
        ('name: "a\\e[1mb"\ndescription: "\\0\\tb\\u2028c"', ("a[1mb", "b c", None)),
        ("name: !!str 1\ndescription: !x b", ("1", "b", None)),
        ("name: a\r\ndescription: b\r\n", ("a", "b", None)),
        ("{name: a, description: b}", ("a", "b", None)),
        ("? [x, y]\n: {}\nname: a\ndescription: b\nother: 1\nother: 2", ("a", "b", None)),
    ],
)
@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_fields_are_texts_on_one_line(
    monkeypatch: pytest.MonkeyPatch, text: str, found: tuple[str, str, str | None], loader: type
) -> None:
    """Scalars are those of YAML 1.2; keys that nobody knows may be anything."""
    monkeypatch.setattr(plain_yaml, "_LOADER", loader)  # the other where the C part is missing
    name, description, short = found

    assert parse_front_matter(text) == FrontMatter(
        name=name, description=description, short_description=short
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("description: b", "missing field `name`; add a line name: ... to the frontmatter"),
        ("name: a", "missing field `description`; add a line description: ..."),
        ("name: ' '\ndescription: b", "missing field `name`"),
        ('name: "\\e"\ndescription: b', "missing field `name`"),
        ("name:\ndescription: b", "missing field `name`"),
        ("# nothing", "missing field `name`"),
        ("name: 1\ndescription: b", "invalid YAML: name is a number, not a text; put it in quotes"),
        ("name: 0x1F\ndescription: b", "invalid YAML: name is a number"),
        ("name: .inf\ndescription: b", "invalid YAML: name is a number"),
        ("name: True\ndescription: b", "invalid YAML: name is true or false, not a text"),
        ("name: [a]\ndescription: b", "invalid YAML: name is a list, not a text"),
        ("name: a\ndescription: {}", "invalid YAML: description is a mapping, not a text"),
        ("name: a\nname: b\ndescription: c", "invalid YAML: duplicate field `name`; leave one"),
        ("- name", "invalid YAML: the whole is a list, not a mapping; write lines of the form"),
        ("name", "invalid YAML: the whole is a text, not a mapping"),
        ("name: a\ndescription: b\nmetadata: c", "invalid YAML: metadata is a text, not a mapping"),
        (
            "name: a\ndescription: b\nmetadata: {short-description: 1}",
            "invalid YAML: metadata.short-description is a number",
        ),
        (
            "name: a\ndescription: Use when: b",
            "invalid YAML: mapping values are not allowed in this context (line 3, column 22); "
            "correct that place, or put text in quotes",
        ),
        ("name: [a", "invalid YAML: did not find expected ',' or ']' (line 3, column 1)"),
        ("name: \x07", "invalid YAML: control characters are not allowed (at character 6)"),
        ("name: *a", "invalid YAML: unknown alias; put text that begins with * in quotes (line 2)"),
        ("a: &a [*a]", "invalid YAML: unknown alias"),
        ("a: b\n...\nc: d", "invalid YAML: "),
        ("--- a\n--- b", "invalid YAML: more than one document; leave the first"),
        ("a: " + "[" * 65, "invalid YAML: nested more than 64 deep; make it flatter"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_way_out(text: str, told: str) -> None:
    """The texts begin as Codex's do."""
    assert problem(text).startswith(told)


@pytest.mark.parametrize(
    ("field", "limit"), [("name", 64), ("description", 1024), ("metadata.short-description", 1024)]
)
def test_fields_are_as_long_as_their_limit_at_most(field: str, limit: int) -> None:
    """In characters, after white space was put together."""

    def text(length: int) -> str:
        fields = {"name": "a", "description": "b", "metadata.short-description": "c"}
        fields[field] = "'  " + "ä" * (length - 2) + "   \n  ö'"
        short = fields.pop("metadata.short-description")
        lines = [f"{key}: {value}" for key, value in fields.items()]
        return "\n".join([*lines, f"metadata: {{short-description: {short}}}"])

    parse_front_matter(text(limit))

    told = f"invalid {field}: exceeds maximum length of {limit} characters"
    assert problem(text(limit + 1)) == told


def test_nesting_is_followed_to_its_limit() -> None:
    """The mapping itself is the first level."""
    parse_front_matter("name: a\ndescription: b\nc: " + "[" * 63 + "]" * 63)

    assert "64 deep" in problem("name: a\ndescription: b\nc: " + "[" * 64 + "]" * 64)


# Rubbish --------------------------------------------------------------------------

# One after the other to the limit; the brackets would end a process that follows them, and
# a parser that looks at all of them before it answers takes seconds.
# fmt: off
PATTERNS = [
    "[", "{", "- ", "? ", ": ", "a: ", "{a: ", "[a, ", "&a ", "*a ", "!", "!a ", '"', "'", "%",
    "#", "|", ">", "\n", " ", "\t", "a\n", "a: b\n", "? a\n", "-\n ", '"\\x41', "[],", "&a [*a, ",
    "a: &x []\nb: *x\n", '{"a":', ",", "...\n", "--- a\n", "\\", "\u2028", "\ufeff", "{? ", "@",
    "x" * 1100 + ": ",
]
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize("start", ["", "a:\n  ", "[", '"'])
def test_rubbish_of_any_kind_is_refused(start: str) -> None:
    """Quickly, and as an error of the file."""
    for pattern in PATTERNS:
        assert problem(start + pattern * (MAX_HEAD_BYTES // len(pattern)))


def test_aliases_of_aliases_cost_nothing() -> None:
    """What would be 9 to the power of 20 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for number in range(20):
        aliases = ", ".join([f"*a{number}"] * 9)
        lines.append(f"a{number + 1}: &a{number + 1} [{aliases}]")

    found = parse_front_matter("\n".join([*lines, "name: a", "description: b"]))

    assert found.name == "a"


YAML_LIKE = st.lists(
    st.sampled_from(
        ["name", "description", "metadata", ": ", "\n", "  ", *"abc01-[]{}'\"&*!|>%@#,?~"]
    )
).map("".join)


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(
    st.one_of(
        YAML_LIKE,
        st.text(st.characters(exclude_categories=["Cs"])),
        YAML_LIKE.map("name: a\ndescription: b\n".__add__),
    )
)
def test_any_text_is_understood_or_refused(text: str) -> None:
    """There is no third thing."""
    try:
        found = parse_front_matter(text)
    except BadSkillFile as error:
        assert str(error)
    else:
        assert 0 < len(found.name) <= 64
        assert 0 < len(found.description) <= 1024
        assert found.name == " ".join(found.name.split())
        assert not any(unicodedata.category(letter) == "Cc" for letter in found.name)


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(), st.binary().map(lambda data: b"---\n" + data + b"\n---\n")))
def test_any_file_costs_only_itself(data: bytes) -> None:
    """It is a skill, or it is told; the skill beside it is there in any case."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.path.realpath(folder))
        write_skill(root / "good")
        bad = write_skill(root / "bad")
        bad.write_bytes(data)

        outcome = load(root)

        names = [skill.path for skill in outcome.skills]
        told = [error.path for error in outcome.errors]
        assert str(root / "good" / "SKILL.md") in names
        assert (str(bad) in names) is not (told == [str(bad)])
        assert all(error.message for error in outcome.errors)


def test_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch) -> None:
    """With the system's words."""
    write_skill(tmp_path / "one")
    real = os.open

    def refuse(path, flags, *rest):
        if str(path).endswith("SKILL.md"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)

    [error] = load_skills(query(tmp_path)).errors

    assert error.message == "failed to read file: Permission denied"


def test_front_is_what_the_other_tests_take_it_for() -> None:
    """The helper writes good files."""
    text = front("a", "b").split("---\n")[1]

    assert parse_front_matter(text).description == "b"
