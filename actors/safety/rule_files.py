"""Reads files of rules, and adds rules to one; everything here blocks."""

import ast
import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from .errors import RulesNotSaved
from .rules import PrefixRule, RuleBook, Verdict
from .script_split import Words

__all__ = ["load_rules", "parse_rules", "save_prefix"]

_PATTERN: Final = "*.rules"

_SAVED: Final = "default.rules"

_LARGEST_BYTES: Final = 4 * 1024 * 1024

_FUNCTION: Final = "prefix_rule"

_ARGUMENTS: Final = ("pattern", "decision", "match", "not_match", "justification")

_Value: TypeAlias = "str | list[_Value]"


def load_rules(folders: Sequence[Path]) -> RuleBook:
    """
    Read every ``*.rules`` file directly in the folders, each folder's in the order of names.

    Never raises.  A folder that does not exist is empty.  What cannot be read or
    understood becomes the `RuleBook.problem`, which names the file and the line; the rules
    beside it still count.

    Source:
        Codex, ``load_exec_policy``, and its Starlark files, of which this is the part that
        they use: calls of ``prefix_rule`` whose arguments are named and literal.
    """
    rules: list[PrefixRule] = []
    problems: list[str] = []
    for folder in folders:
        try:
            paths = sorted(path for path in folder.glob(_PATTERN) if path.is_file())
            # A glob takes a folder that may not be read for an empty one.
            os.scandir(folder).close()
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{str(folder)!r}: {error.strerror or error}")
            continue
        for path in paths:
            _load_file(path, rules, problems)
    return RuleBook(tuple(rules), "; ".join(problems) or None)


def parse_rules(source: str) -> RuleBook:
    """Read the text of one file; never raises, see `load_rules`."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        return RuleBook((), f"line {error.lineno or 1}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return RuleBook((), f"line 1: {error or type(error).__name__}")
    rules: list[PrefixRule] = []
    problems: list[str] = []
    for statement in statements:
        try:
            rules.append(_read_statement(statement))
        except _NotARule as error:
            problems.append(f"line {error.line or statement.lineno}: {error}")
        except RecursionError:
            problems.append(f"line {statement.lineno}: nested too deeply")
    return RuleBook(tuple(rules), "; ".join(problems) or None)


def save_prefix(folder: Path, words: Sequence[str]) -> None:
    """
    Add a rule that allows commands beginning with these words to the folder's own file.

    Nothing is added twice.  The folder is created, its parents are not.

    Raises:
        RulesNotSaved: The file is as it was.

    Source:
        Codex, ``blocking_append_allow_prefix_rule``.
    """
    path = folder / _SAVED
    if not words:
        raise RulesNotSaved(path, "prefix rule requires at least one token")
    pattern = json.dumps(list(words), ensure_ascii=False)
    try:
        line = f'{_FUNCTION}(pattern={pattern}, decision="allow")\n'.encode()
        folder.mkdir(exist_ok=True)
        _append(path, line)
    except UnicodeEncodeError as error:
        raise RulesNotSaved(path, "a word is not valid Unicode") from error
    except OSError as error:
        raise RulesNotSaved(path, error.strerror or str(error)) from error


class _NotARule(Exception):  # noqa: N818 -- never leaves this module
    def __init__(self, problem: str, node: ast.expr | None = None) -> None:
        super().__init__(problem)
        self.line = node.lineno if node is not None else None


def _load_file(path: Path, rules: list[PrefixRule], problems: list[str]) -> None:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
        if len(data) > _LARGEST_BYTES:
            raise OSError(f"larger than {_LARGEST_BYTES} bytes")  # noqa: TRY301 -- told as one
        book = parse_rules(data.decode())
    except UnicodeDecodeError as error:
        book = RuleBook((), f"byte {error.start} is not UTF-8")
    except OSError as error:
        book = RuleBook((), error.strerror or str(error))
    rules.extend(book.rules)
    if book.problem is not None:
        problems.append(f"{str(path)!r}: {book.problem}")


def _read_statement(statement: ast.stmt) -> PrefixRule:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        raise _NotARule(f"only calls of {_FUNCTION}(...) may stand here")
    if not (isinstance(call.func, ast.Name) and call.func.id == _FUNCTION):
        raise _NotARule(f"the only function here is {_FUNCTION}")
    if call.args:
        raise _NotARule(f"arguments of {_FUNCTION} are named, as in pattern=[...]")
    arguments: dict[str, _Value] = {}
    for keyword in call.keywords:
        if keyword.arg not in _ARGUMENTS:
            raise _NotARule(
                f"{_FUNCTION} has no argument {keyword.arg or '**'!r}; it has "
                + ", ".join(_ARGUMENTS),
                keyword.value,
            )
        if keyword.arg in arguments:
            raise _NotARule(f"{keyword.arg} is given twice", keyword.value)
        arguments[keyword.arg] = _literal(keyword.value)
    return _build(arguments)


def _literal(node: ast.expr) -> _Value:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_literal(element) for element in elements]
        case _:
            raise _NotARule("values are text in quotes, or lists of it", node)


def _build(arguments: Mapping[str, _Value]) -> PrefixRule:
    if "pattern" not in arguments:
        raise _NotARule(f"{_FUNCTION} needs a pattern")
    rule = PrefixRule(
        _pattern(arguments["pattern"]),
        _verdict(arguments.get("decision", Verdict.ALLOW.value)),
        _justification(arguments["justification"]) if "justification" in arguments else None,
    )
    for example in _examples(arguments.get("match", [])):
        if not rule.fits(example):
            raise _NotARule(f"the example {shlex.join(example)!r} in match does not fit")
    for example in _examples(arguments.get("not_match", [])):
        if rule.fits(example):
            raise _NotARule(f"the example {shlex.join(example)!r} in not_match fits")
    return rule


def _pattern(value: _Value) -> tuple[tuple[str, ...], ...]:
    if isinstance(value, str) or not value:
        raise _NotARule("pattern is a list with at least one word")
    return tuple((place,) if isinstance(place, str) else _alternatives(place) for place in value)


def _alternatives(value: "list[_Value]") -> tuple[str, ...]:
    words = tuple(word for word in value if isinstance(word, str))
    if not words or len(words) != len(value):
        raise _NotARule("a list inside of pattern holds the words that fit there, at least one")
    return words


def _verdict(value: _Value) -> Verdict:
    try:
        return Verdict(value)
    except ValueError:
        known = ", ".join(repr(verdict.value) for verdict in Verdict)
        raise _NotARule(f"decision is one of {known}, not {value!r}") from None


def _justification(value: _Value) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _NotARule("justification is a text that says something")
    return value


def _examples(value: _Value) -> Iterator[Words]:
    if isinstance(value, str):
        raise _NotARule("examples are a list of commands")
    for example in value:
        if not isinstance(example, str):
            yield _plain_words(example)
            continue
        try:
            yield tuple(shlex.split(example))
        except ValueError as error:
            raise _NotARule(f"the example {example!r} is no command: {error}") from None


def _plain_words(value: "list[_Value]") -> Words:
    words = tuple(word for word in value if isinstance(word, str))
    if len(words) != len(value):
        raise _NotARule("an example is one text, or a list of words")
    return words


def _append(path: Path, line: bytes) -> None:
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        # Waits, but only for other appenders of one short line.
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        content = os.pread(fd, size, 0)
        if line.rstrip(b"\n") in content.split(b"\n"):
            return
        torn = bool(content) and not content.endswith(b"\n")
        data = b"\n" + line if torn else line
        if os.write(fd, data) != len(data):
            os.ftruncate(fd, size)
            raise OSError("the line was not taken as a whole")
    finally:
        os.close(fd)
