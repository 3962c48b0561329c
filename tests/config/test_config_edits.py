"""Changes of the text of a configuration."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.config import ConfigError, ConfigKeyMissing, parse_key_path, set_value, switch_skill
from actors.config.config_edits import edited
from actors.config.masking import MASK

FILE = Path("config.toml")
TOP = Path("/")
TEXT = """\
# what I like
model = "a" # for now

# servers
[mcp_servers.x]
command = "y" # c
args = [
  "1", # one
]
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("model", ("model",)),
        ("a.b.c", ("a", "b", "c")),
        ('projects."/a.b".trust_level', ("projects", "/a.b", "trust_level")),
        ("'x.y'.z", ("x.y", "z")),
        ('a."\\u00e4"', ("a", "ä")),
        ("/a/b.c", ("/a/b", "c")),
    ],
)
def test_a_key_path_is_read_like_a_key_of_toml(text: str, parts: tuple[str, ...]) -> None:
    """Bare parts may have any character but dots and quotes in front."""
    assert parse_key_path(text) == parts


@pytest.mark.parametrize("text", ["", " ", ".", "a..b", "a.", ".a", 'a."b', '"a"b', '"\\x"'])
def test_what_is_no_key_path_is_refused(text: str) -> None:
    """With the place in it."""
    with pytest.raises(ConfigError, match="keyPath"):
        parse_key_path(text)


def test_comments_and_order_stay_when_a_value_changes() -> None:
    """Only what is changed is written anew."""
    text, _ = edited(
        TEXT,
        [
            set_value(("model",), "b"),
            set_value(("mcp_servers", "x"), {"args": ["1"], "command": "z"}),
        ],
        FILE,
    )

    assert text == TEXT.replace('"a"', '"b"').replace('"y"', '"z"')


def test_a_table_takes_the_place_of_another_or_is_laid_over_it() -> None:
    """As the caller wants it."""
    value = {"command": "z", "env": {"A": "b"}}

    _, replaced = edited(TEXT, [set_value(("mcp_servers", "x"), value)], FILE)
    _, merged = edited(TEXT, [set_value(("mcp_servers", "x"), value, merge=True)], FILE)

    assert replaced["mcp_servers"] == {"x": value}
    assert merged["mcp_servers"] == {"x": {**value, "args": ["1"]}}


def test_a_key_is_removed_once_and_then_is_not_there() -> None:
    """A missing table is a mistake, a missing key is none."""
    text, raw = edited(TEXT, [set_value(("model",), None)], FILE)
    again, _ = edited(text, [set_value(("model",), None)], FILE)

    assert "model" not in raw
    assert again == text
    with pytest.raises(ConfigKeyMissing):
        edited(TEXT, [set_value(("nothing", "x"), None)], FILE)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("model", "x"), 1, "no table"),
        (("x",), {"a": None}, "null has no form"),
        (("x",), [None], "null has no form"),
        (("x",), 2**63, "64 bits"),
        (("x",), {"key": MASK}, "mask of a secret"),
        (("x",), "\ud800", "surrogate"),
    ],
)
def test_what_cannot_be_written_is_refused(path: tuple[str, ...], value: Any, problem: str) -> None:
    """Before anything is."""
    with pytest.raises(ConfigError, match=problem):
        edited(TEXT, [set_value(path, value)], FILE)


def test_a_file_that_is_no_toml_is_not_changed() -> None:
    """The complaint names the line."""
    with pytest.raises(ConfigError) as caught:
        edited("a = 1\nb =\n", [set_value(("x",), 1)], FILE)

    assert caught.value.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c = 1\n[t]\nx = 1\n",
        "a = { b = 1 }\n",
        "[a.b]\nx = 1\n[c]\ny = 1\n[a.d]\nz = 1\n",
        "[[l]]\nx = 1\n",
        "",
        "x = 1\r\n[a]\r\nb = 2\r\n",
    ],
)
def test_every_layout_of_tables_can_be_changed(text: str) -> None:
    """Dotted keys, inline tables, tables in pieces, lists of tables."""
    edits = [
        set_value(("a", "e"), {"f": 3, "g": {"h": [1, {"i": True}]}}),
        set_value(("new", "deep", "key"), "text"),
        set_value(("top",), 1.5),
    ]

    written, raw = edited(text, edits, FILE)

    assert tomllib.loads(written) == raw
    assert raw["a"]["e"]["g"]["h"] == [1, {"i": True}]  # type: ignore[index, call-overload]
    assert raw["new"] == {"deep": {"key": "text"}}
    for key, value in tomllib.loads(text).items():
        assert raw[key] == value or key == "a"


KEYS = st.sampled_from(["a", "b", "c.d", "é", "x y"])
LEAVES = st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.lists(st.integers(0, 3))
TABLES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3),
    lambda inner: st.dictionaries(KEYS, LEAVES | inner, max_size=3),
    max_leaves=6,
)


def plain(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return text != MASK


@settings(max_examples=80)
@given(TABLES, st.lists(KEYS, min_size=1, max_size=3), LEAVES | TABLES, st.booleans())
def test_a_change_does_what_it_says_and_nothing_else(
    table: dict[str, Any], path: list[str], value: Any, merge: bool
) -> None:
    """Or it is refused."""
    text = tomlkit.dumps(table)
    try:
        written, raw = edited(text, [set_value(path, value, merge=merge)], FILE)
    except ConfigError as error:
        assert "no table" in str(error)
        return

    assert tomllib.loads(written) == raw
    found: Any = raw
    for part in path:
        found = found[part]
    if not merge:
        assert found == value
    others = {key: each for key, each in raw.items() if key != path[0]}
    assert others == {key: each for key, each in table.items() if key != path[0]}


# Skills ---------------------------------------------------------------------

SKILL = "/s/x/SKILL.md"
OFF = f'\n[[skills.config]]\npath = "{SKILL}"\nenabled = false\n'


def test_a_skill_is_switched_off_and_on_again() -> None:
    """What is on is not mentioned."""
    off, raw = edited(TEXT, [switch_skill(SKILL, enabled=False, folder=TOP)], FILE)
    twice, _ = edited(off, [switch_skill("/s/x", enabled=False, folder=TOP)], FILE)
    on, _ = edited(twice, [switch_skill(SKILL, enabled=True, folder=TOP)], FILE)
    never, _ = edited(TEXT, [switch_skill(SKILL, enabled=True, folder=TOP)], FILE)

    assert off == TEXT + OFF
    assert raw["skills"] == {"config": [{"path": SKILL, "enabled": False}]}
    assert tomllib.loads(twice)["skills"] == {"config": [{"path": "/s/x", "enabled": False}]}
    assert on.rstrip() == TEXT.rstrip()
    assert never == TEXT


@pytest.mark.parametrize(
    "entries",
    [
        '[[skills.config]]\npath = "/s/y"\nenabled = false # why\n',
        'skills.config = [{ path = "/s/y", enabled = false }]\n',
        '[skills]\nother = 1\n[[skills.config]]\npath = "/s/y"\nenabled = false\n',
    ],
)
def test_other_skills_stay_as_they_are(entries: str) -> None:
    """However they are written."""
    off, _ = edited(entries, [switch_skill(SKILL, enabled=False, folder=TOP)], FILE)
    on, _ = edited(off, [switch_skill(SKILL, enabled=True, folder=TOP)], FILE)

    assert tomllib.loads(off)["skills"]["config"] == [
        {"path": "/s/y", "enabled": False},
        {"path": SKILL, "enabled": False},
    ]
    assert tomllib.loads(on) == tomllib.loads(entries)


def test_skills_that_are_no_list_are_not_touched() -> None:
    """What else they may be is the user's to mend."""
    with pytest.raises(ConfigError, match="list of tables"):
        edited("[skills]\nconfig = 5\n", [switch_skill(SKILL, enabled=False, folder=TOP)], FILE)
