"""Finds patches in commands: models that know no patch tool call one by the shell."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import attrs

from actors.safety import shell_script

from .errors import PatchInvalid
from .parser import BEGIN_PATCH, parse_patch

__all__ = ["EXPLICIT_CALL", "FoundPatch", "find_patch"]

EXPLICIT_CALL: Final = (
    'patch detected without explicit call to apply_patch. Rerun as ["apply_patch", "<patch>"]'
)

_COMMANDS: Final = frozenset({"apply_patch", "applypatch"})
_POWERSHELLS: Final = frozenset({"pwsh", "powershell"})
_DIRECT_WORDS: Final = 2

# One statement: perhaps "cd <one word> &&", then the command with a heredoc, and no more.
_SCRIPT: Final = re.compile(
    r"""\s*
    (?:cd[ \t]+
       (?: '(?P<single>[^'\n]+)' | "(?P<double>[^"$`\\!\n]+)"
         | (?P<bare>(?![-~])[^\s'"$`\\!*?\[\]{}()&|;<>\#]+) )
       [ \t]*&&\s*)?
    (?:apply_patch|applypatch)[ \t]*
    <<[ \t]*(?P<quote>['"]?)(?P<end>[A-Za-z_][\w.+-]*)(?P=quote)[ \t]*\n
    (?P<body>(?:(?!(?P=end)(?:\n|\Z)).*\n)*)
    (?P=end)\s*""",
    re.VERBOSE,
)


@attrs.frozen(kw_only=True)
class FoundPatch:
    """
    A patch that a command would apply.

    Attributes:
        text: Of the patch.
        folder: Where the command changes to first; empty for nowhere.
    """

    text: str
    folder: str = ""


def find_patch(argv: Sequence[str]) -> FoundPatch | None:
    """
    Find the patch that is all a command does; None when it is another command.

    That is ``apply_patch <patch>``, or a shell whose script is one ``apply_patch``
    with a heredoc, perhaps after ``cd <folder> &&``.  With anything else beside it the
    command runs as any other.

    Raises:
        PatchInvalid: The command is a bare patch, with nothing to apply it.

    Source:
        Codex, ``apply-patch/src/lib.rs``, which asks a grammar of bash.
    """
    if len(argv) == _DIRECT_WORDS and argv[0] in _COMMANDS:
        return FoundPatch(text=argv[1])
    script = _script(argv)
    bare = argv[0] if len(argv) == 1 else script
    if bare is not None and _is_patch(bare):
        raise PatchInvalid(EXPLICIT_CALL)
    match = _SCRIPT.fullmatch(script.replace("\r\n", "\n")) if script is not None else None
    if match is None:
        return None
    folder = match["single"] or match["double"] or match["bare"] or ""
    return FoundPatch(text=match["body"], folder=folder)


def _script(argv: Sequence[str]) -> str | None:
    script = shell_script(argv)
    if script is not None or not argv:
        return script
    program = PurePosixPath(argv[0].replace("\\", "/")).name.lower().removesuffix(".exe")
    match program, [word.lower() for word in argv[1:-1]]:
        case ("cmd", ["/c"]):
            return argv[-1]
        case (name, ["-command"] | ["-noprofile", "-command"]) if name in _POWERSHELLS:
            return argv[-1]
        case _:
            return None


def _is_patch(text: str) -> bool:
    if not text.lstrip().startswith((BEGIN_PATCH, "<<")):
        return False
    try:
        parse_patch(text)
    except PatchInvalid:
        return False
    return True
