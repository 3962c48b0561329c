"""Rules in files: read, refused, added to."""

import os
import pickle
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.safety import PrefixRule, RuleBook, RulesNotSaved, Verdict, load_rules, save_prefix
from actors.safety.rule_files import parse_rules

ALLOW, PROMPT, FORBIDDEN = Verdict

GOOD = """
# What is allowed here.
prefix_rule(pattern=["git", ["push", "pull"]])
prefix_rule(
    pattern = ("rm",),
    decision = "forbidden",
    match = ["rm -rf 'a b'", ["rm", "x"]],
    not_match = ["ls rm", []],
    justification = "use " "the bin",
)
prefix_rule(pattern=["make"], decision="prompt")
"""

GOOD_RULES = (
    PrefixRule((("git",), ("push", "pull"))),
    PrefixRule((("rm",),), FORBIDDEN, "use the bin"),
    PrefixRule((("make",),), PROMPT),
)


def test_rules_are_read_from_calls():
    """Of literal, named arguments; comments and line breaks are as in Python."""
    assert parse_rules(GOOD) == RuleBook(GOOD_RULES)
    assert parse_rules("") == RuleBook()
    assert parse_rules("# only a comment") == RuleBook()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("prefix_rule(", "line 1: '(' was never closed"),
        ("x = 1", "line 1: only calls of prefix_rule(...) may stand here"),
        ("'text'", "line 1: only calls of prefix_rule(...) may stand here"),
        ("import os", "line 1: only calls of prefix_rule(...) may stand here"),
        ("other(pattern=['a'])", "line 1: the only function here is prefix_rule"),
        ("a.prefix_rule(pattern=['a'])", "line 1: the only function here is prefix_rule"),
        ("prefix_rule(['a'])", "arguments of prefix_rule are named, as in pattern=[...]"),
        ("prefix_rule(**{'pattern': ['a']})", "prefix_rule has no argument '**'; it has pattern"),
        ("prefix_rule(\npatern=['a'])", "line 2: prefix_rule has no argument 'patern'; it has pat"),
        ("prefix_rule(pattern=['a'], pattern=['b'])", "pattern is given twice"),
        ("prefix_rule()", "prefix_rule needs a pattern"),
        ("prefix_rule(pattern=[])", "pattern is a list with at least one word"),
        ("prefix_rule(pattern='a')", "pattern is a list with at least one word"),
        ("prefix_rule(pattern=[[]])", "a list inside of pattern holds the words that fit there"),
        ("prefix_rule(pattern=[[['a']]])", "a list inside of pattern holds the words that fit"),
        ("prefix_rule(pattern=[1])", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=[b'a'])", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=[f'a'])", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=['a' + 'b'])", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=open('/etc/passwd'))", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=[*'ab'])", "values are text in quotes, or lists of it"),
        ("prefix_rule(pattern=['a'], decision='yes')", "decision is one of 'allow', 'prompt', 'fo"),
        ("prefix_rule(pattern=['a'], decision=['allow'])", "decision is one of 'allow', 'prompt'"),
        ("prefix_rule(pattern=['a'], justification=' ')", "justification is a text that says som"),
        ("prefix_rule(pattern=['a'], justification=[])", "justification is a text that says some"),
        ("prefix_rule(pattern=['a'], match=['b'])", "the example 'b' in match does not fit"),
        ("prefix_rule(pattern=['a'], match='a')", "examples are a list of commands"),
        ("prefix_rule(pattern=['a'], match=[['a', ['b']]])", "an example is one text, or a list"),
        ("prefix_rule(pattern=['a'], match=['a \"'])", "is no command: No closing quotation"),
        ("prefix_rule(pattern=['a'], not_match=['a b'])", "the example 'a b' in not_match fits"),
        ("\0", "line 1: "),
    ],
)
def test_whatever_else_is_told_with_its_line(source, problem):
    """Nothing of it becomes a rule."""
    book = parse_rules(source)

    assert book.rules == ()
    assert book.problem is not None
    assert book.problem.startswith("line ")
    assert problem in book.problem


def test_rules_beside_a_bad_one_count():
    """Above all those that forbid."""
    book = parse_rules(GOOD + "prefix_rule(pattern=1)\n" + GOOD + "oh()")

    assert book.rules == GOOD_RULES * 2
    assert book.problem is not None
    assert book.problem.count("line") == 2


@given(st.text() | st.text(alphabet="prefix_rule(pattern=[]'\"a,\n#\\) ", max_size=60))
@example("(" * 5000)
@example("prefix_rule(pattern=" + "[" * 150 + "]" * 150 + ")")
@example("prefix_rule(pattern=" + "-" * 5000 + "1)")
@example("9" * 5000)
@example("\ud800")
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_no_text_is_too_strange_to_be_refused(source):
    """Reading it never raises."""
    book = parse_rules(source)

    assert book.problem is None or book.problem.startswith("line ")


def test_files_are_read_in_order_and_others_are_not(tmp_path):
    """Folder by folder, sorted by name; only regular files with the ending."""
    low, high = tmp_path / "low", tmp_path / "high"
    for folder in (low, high):
        folder.mkdir()
    (low / "b.rules").write_text("prefix_rule(pattern=['b'])")
    (low / "a.rules").write_text("prefix_rule(pattern=['a'])")
    (low / "c.txt").write_text("nonsense")
    (low / "d.rules").mkdir()
    (high / "0.rules").write_text("prefix_rule(pattern=['c'])")

    book = load_rules([low, tmp_path / "missing", high])

    assert [rule.pattern for rule in book.rules] == [(("a",),), (("b",),), (("c",),)]
    assert book.problem is None


def test_file_that_cannot_be_read_is_the_books_problem(tmp_path):
    """By name; the files beside it count."""
    (tmp_path / "a.rules").write_text(GOOD)
    (tmp_path / "b.rules").write_bytes(b"prefix_rule(pattern=['\xff'])")
    (tmp_path / "c.rules").write_text("oh no")
    (tmp_path / "d.rules").write_bytes(b"#" * (4 * 1024 * 1024 + 1))

    book = load_rules([tmp_path])

    assert book.rules == GOOD_RULES
    assert book.problem is not None
    for name, problem in [("b", "byte 22 is not UTF-8"), ("c", "line 1: "), ("d", "larger than")]:
        assert f"'{tmp_path}/{name}.rules': {problem}" in book.problem


def test_folder_that_cannot_be_read_is_the_books_problem(tmp_path):
    """Only one that is not there is empty."""
    (tmp_path / "rules").write_text("")

    book = load_rules([tmp_path / "rules"])

    assert book == RuleBook((), f"'{tmp_path}/rules': Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_permission_is_the_books_problem(tmp_path):
    """It may hold anything."""
    folder = tmp_path / "rules"
    folder.mkdir(0o000)

    assert "Permission denied" in str(load_rules([folder]).problem)


WORDS = [["ls"], ["touch", "a b.txt"], ["say", 'a"b\\c\n\t\x01', "é", "\U0001f600", "'"]]


def test_prefixes_are_saved_once_and_read_back(tmp_path):
    """The folder is made, and each line added to those that are there."""
    folder = tmp_path / "rules"

    for words in [*WORDS, *WORDS]:
        save_prefix(folder, words)

    text = (folder / "default.rules").read_text("utf-8")
    assert text.splitlines()[1] == 'prefix_rule(pattern=["touch", "a b.txt"], decision="allow")'
    assert text.count("\n") == len(WORDS)
    assert load_rules([folder]).allowed_prefixes() == tuple(sorted(map(tuple, WORDS)))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
def test_any_words_come_back_as_they_were(tmp_path_factory, words):
    """Whatever characters are in them."""
    folder = tmp_path_factory.mktemp("rules")

    save_prefix(folder, words)

    assert load_rules([folder]).allowed_prefixes() == (tuple(words),)


def test_line_without_an_end_is_ended_first(tmp_path):
    """And one that is there already, in a comment too, is another line."""
    path = tmp_path / "default.rules"
    path.write_text('# prefix_rule(pattern=["ls"], decision="allow")')

    save_prefix(tmp_path, ["ls"])
    path.write_text(path.read_text().rstrip("\n"))
    save_prefix(tmp_path, ["ls"])

    assert load_rules([tmp_path]).allowed_prefixes() == (("ls",),)
    assert path.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [([], "prefix rule requires at least one token"), (["\ud800"], "a word is not valid Unicode")],
)
def test_words_that_make_no_rule_are_refused(tmp_path, words, problem):
    """Nothing is written."""
    with pytest.raises(RulesNotSaved, match=problem):
        save_prefix(tmp_path / "rules", words)

    assert not (tmp_path / "rules").exists()


def test_folder_is_made_and_its_parents_are_not(tmp_path):
    """A home folder that is gone is not invented anew."""
    with pytest.raises(RulesNotSaved, match="No such file or directory") as caught:
        save_prefix(tmp_path / "home" / "rules", ["ls"])

    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.path == tmp_path / "home" / "rules" / "default.rules"


def test_line_that_is_taken_in_part_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    """Half a rule would make all rules unreadable."""
    save_prefix(tmp_path, ["ls"])
    before = (tmp_path / "default.rules").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))

    with pytest.raises(RulesNotSaved, match="not taken as a whole"):
        save_prefix(tmp_path, ["pwd"])

    assert (tmp_path / "default.rules").read_bytes() == before


def test_rules_saved_at_the_same_time_are_all_there(tmp_path: Path):
    """Each waits for the other."""
    threads = [
        threading.Thread(target=save_prefix, args=(tmp_path, [f"c{n % 10}"])) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (tmp_path / "default.rules").read_text().count("\n") == 10
    assert load_rules([tmp_path]).problem is None
