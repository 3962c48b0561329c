"""The language of .gitignore."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.server.ignore_rules import IgnoreRules


@pytest.mark.parametrize(
    ("rules", "path", "left_out"),
    [
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "deep/er/a.pyc", True),
        ("*.pyc", "a.py", None),
        ("/top", "top", True),
        ("/top", "in/top", None),
        ("in/top", "x/in/top", None),
        ("build/", "build/", True),
        ("build/", "build", None),
        ("build/", "x/build/", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("**/b", "x/y/b", True),
        ("a/**", "a/x", True),
        ("a/**", "a/", None),
        ("*", "anything", True),
        ("# no\n\n  \nx", "x", True),
        ("\\#x", "#x", True),
        ("\\!x", "!x", True),
        ("x  ", "x", True),
        ("x\\ ", "x ", True),
        ("x\r\ny\r\n", "y", True),
        ("[a-c].py", "b.py", True),
        ("[!a-c].py", "b.py", None),
        ("[!a].py", "/.py", None),
        ("[[:digit:]]x", "5x", True),
        ("[]]x", "]x", True),
        ("[a\\-c]", "-", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", None),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("!keep\n*", "keep", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "acb", None),
        ("[", "[", None),
        ("[z-a]", "b", None),
        ("x\\", "x", None),
        ("/", "x", None),
        ("!", "x", None),
    ],
)
def test_the_last_rule_that_fits_decides(rules: str, path: str, left_out: bool | None) -> None:
    """None: no rule is about it."""
    assert IgnoreRules.read(rules).leaves_out(path) is left_out


@pytest.mark.slow
def test_no_rules_keep_anybody_waiting() -> None:
    """They come from anywhere, and are applied to names from anywhere."""
    stars = "*a" * 60 + "b"
    folders = "**/a/" * 4 + "b"
    begun = time.process_time()

    rules = IgnoreRules.read("\n".join([stars, folders, "**/x/" * 40 + "y", *["[a-z]*q"] * 5000]))
    for _ in range(20):
        assert rules.leaves_out("a" * 250) is None
        assert rules.leaves_out("a/" * 120) is None

    assert time.process_time() - begun < 5


NAMES = ["a", "b", "ab", "a.b", "c"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
RULES = st.lists(
    # Nobody writes a slash in brackets or behind a backslash; what that means is an accident.
    st.text(alphabet="abc*?/!-.\\", min_size=1, max_size=7).filter(
        lambda text: "//" not in text and "\\/" not in text
    )
    | st.text(alphabet="ab*[]!-", min_size=1, max_size=7),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there to compare with")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(RULES, st.lists(PATHS, min_size=1, max_size=6, unique=True))
def test_git_decides_the_same(tmp_path: Path, rules: list[str], paths: list[str]) -> None:
    """For files whose folders are not left out; folders are asked about first."""
    if not (tmp_path / ".git").exists():
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (folder / ".gitignore").write_text("\n".join(rules))
    for path in paths:
        file = folder / path
        if not any(each.is_file() for each in file.parents) and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    asked = sorted(each.relative_to(folder) for each in folder.rglob("*"))

    theirs = _ask_git(folder, [str(path) for path in asked])

    ours = IgnoreRules.read("\n".join(rules))
    for path in asked:
        if not any(theirs[str(parent)] for parent in path.parents[:-1]):
            name = f"{path}/" if (folder / path).is_dir() else str(path)
            assert bool(ours.leaves_out(name)) == theirs[str(path)], (rules, name)


def _ask_git(folder: Path, paths: list[str]) -> dict[str, bool]:
    said = subprocess.run(
        ["git", "check-ignore", "--no-index", "-v", "-n", "--stdin", "-z"],
        cwd=folder,
        input="\0".join(paths) + "\0",
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    rows = [said[at : at + 4] for at in range(0, len(said) - 1, 4)]
    return {path: bool(rule) and not rule.startswith("!") for _, _, rule, path in rows}
