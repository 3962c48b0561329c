"""What commands are for, as far as one can tell."""

import pytest

from actors.tools.parsed_command import parse_command
from messages.events import ListFilesCommand, ReadCommand, SearchCommand, UnknownCommand


def read(cmd: str, path: str, name: str | None = None) -> ReadCommand:
    return ReadCommand(cmd=cmd, name=name or path.rpartition("/")[2], path=path)


def listing(cmd: str, path: str | None = None) -> ListFilesCommand:
    return ListFilesCommand(cmd=cmd, path=path)


def search(cmd: str, query: str | None, path: str | None = None) -> SearchCommand:
    return SearchCommand(cmd=cmd, query=query, path=path)


@pytest.mark.parametrize(
    ("script", "parsed"),
    [
        ("cat a/b.txt", [read("cat a/b.txt", "a/b.txt")]),
        ("bat --plain 'my file'", [read("bat --plain 'my file'", "my file")]),
        ("head -n 5 a", [read("head -n 5 a", "a")]),
        ("head -5 a", [read("head -5 a", "a")]),
        ("tail -n+3 a", [read("tail -n+3 a", "a")]),
        ("nl -ba a", [read("nl -ba a", "a")]),
        ("sed -n 1,20p a", [read("sed -n 1,20p a", "a")]),
        ("cat a | head -n 3", [read("cat a", "a")]),
        ("cat -- -a", [read("cat -- -a", "-a")]),
        ("nl a | sed -n 3p", [read("nl a", "a")]),
        ("cd sub && cat a", [read("cat a", "sub/a")]),
        ("cd /sub; cat a", [read("cat a", "/sub/a")]),
        ("cat a; cat b", [read("cat a", "a"), read("cat b", "b")]),
        ("cat a; cat a", [read("cat a", "a")]),
        ("echo first; cat a || true", [read("cat a", "a")]),
        ("ls", [listing("ls")]),
        ("ls -la src", [listing("ls -la src", "src")]),
        ("ls *.py | sort | uniq", [listing("ls '*.py'", "*.py")]),
        ("rg --files src", [listing("rg --files src", "src")]),
        ("git ls-files", [listing("git ls-files")]),
        ("find . -type f", [listing("find . -type f", ".")]),
        ("find", [listing("find")]),
        ("fd", [listing("fd")]),
        ("find src -name '*.py'", [search("find src -name '*.py'", "*.py", "src")]),
        ("fd test", [search("fd test", "test")]),
        ("fd -t f test src", [search("fd -t f test src", "test", "src")]),
        ("rg -n TODO src", [search("rg -n TODO src", "TODO", "src")]),
        ("rg", [search("rg", None)]),
        ("grep -A 3 -e x file", [search("grep -A 3 -e x file", "x", "file")]),
        ("git grep word", [search("git grep word", "word")]),
        ("ls | grep py", [listing("ls"), search("grep py", "py")]),
    ],
)
def test_plain_script_is_told_part_by_part(script, parsed):
    """Without what only says something or changes how output looks."""
    assert parse_command(["bash", "-lc", script]) == tuple(parsed)


@pytest.mark.parametrize(
    "script",
    [
        "make",
        "cat a; make",
        "cat a > b",
        "cat $FILE",
        "for f in *; do cat $f; done",
        "find . -delete",
        "fd -x rm",
        "git status",
        "cat",
        "cat a b",
        "sed -i s/a/b/ file",
        "echo hello",
        "cd somewhere",
        "",
    ],
)
def test_script_with_a_part_that_is_not_understood_is_unknown_as_a_whole(script):
    """Half an explanation would mislead."""
    assert parse_command(["bash", "-lc", script]) == (UnknownCommand(cmd=script),)


def test_script_that_takes_long_to_read_is_unknown():
    """Whoever waits for it would wait for more than it is worth."""
    short, long = "cat a; " * 9_000, "cat a; " * 10_000

    assert parse_command(["bash", "-lc", short]) == (read("cat a", "a"),)
    assert parse_command(["bash", "-lc", long]) == (UnknownCommand(cmd=long),)


def test_command_without_a_shell_is_one_part():
    """Its words are shown quoted."""
    assert parse_command(["cat", "my file"]) == (read("cat 'my file'", "my file"),)
    assert parse_command(["make", "a b"]) == (UnknownCommand(cmd="make 'a b'"),)
