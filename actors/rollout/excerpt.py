"""Excerpts of long texts: the beginning and the end are kept, the middle is left out."""

import math

import attrs

from messages.content import InputText
from messages.items import FunctionOutput, FunctionOutputContent
from messages.settings import TruncationMode, TruncationPolicy

__all__ = [
    "BYTES_PER_TOKEN",
    "approximate_tokens",
    "formatted_truncate_text",
    "scaled",
    "truncate_output",
    "truncate_text",
]

BYTES_PER_TOKEN = 4


def approximate_tokens(text: str) -> int:
    """How many tokens *text* is taken for: one for every four bytes, rounded up."""
    return -(-_size_bytes(text) // BYTES_PER_TOKEN)


def scaled(policy: TruncationPolicy, factor: float) -> TruncationPolicy:
    """
    The policy with its limit times *factor*, rounded up.

    What is recorded into the history is cut with 1.2 times the turn's policy,
    so that a tool output that was cut before, marker included, stays as it is.
    """
    return attrs.evolve(policy, limit=math.ceil(policy.limit * factor))


def truncate_text(text: str, policy: TruncationPolicy) -> str:
    """
    Cut the middle out of *text* if it is over the limit; otherwise return it as it is.

    Half the limit is spent on the beginning and the rest on the end, both cut
    between characters.  The marker in the middle says how much is missing and
    comes on top of the limit.  With a limit of 0 only the marker is left.

    Source:
        Codex, ``truncate.rs``, as the dossier describes it.
    """
    budget_bytes = _budget_bytes(policy)
    if len(text) * 4 <= budget_bytes:  # no character is longer than four bytes
        return text
    if _size_bytes(text) <= budget_bytes:
        return text
    data = _encoded(text)
    beginning = _decoded(data[: budget_bytes // 2])
    end = _decoded(data[len(data) - (budget_bytes - budget_bytes // 2) :])
    if policy.mode is TruncationMode.TOKENS:
        missing = -(-(len(data) - budget_bytes) // BYTES_PER_TOKEN)
        return f"{beginning}…{missing} tokens truncated…{end}"
    return f"{beginning}…{len(text) - len(beginning) - len(end)} chars truncated…{end}"


def formatted_truncate_text(text: str, policy: TruncationPolicy) -> str:
    """As `truncate_text`, and say on top how many lines there were if something is missing."""
    if _size_bytes(text) <= _budget_bytes(policy):
        return text
    lines = text.count("\n") + (not text.endswith("\n"))
    return f"Total output lines: {lines}\n\n{truncate_text(text, policy)}"


def truncate_output(output: FunctionOutput, policy: TruncationPolicy) -> FunctionOutput:
    """
    Cut a tool's output to the limit.

    Text is cut as by `truncate_text`.  The text parts of a list share one
    limit in their order: the one that goes over it is cut to what is left,
    those after it are left out, and a last part counts them.  Images and parts
    of unknown kind are always kept.
    """
    if isinstance(output, str):
        return truncate_text(output, policy)
    kept: list[FunctionOutputContent] = []
    left = policy.limit
    omitted = 0
    for part in output:
        if not isinstance(part, InputText):
            kept.append(part)
        elif not left:
            omitted += 1
        elif (cost := _cost(part.text, policy)) <= left:
            kept.append(part)
            left -= cost
        else:
            rest = attrs.evolve(policy, limit=left)
            kept.append(attrs.evolve(part, text=truncate_text(part.text, rest)))
            left = 0
    if omitted:
        kept.append(InputText(text=f"[omitted {omitted} text items ...]"))
    return tuple(kept)


def _budget_bytes(policy: TruncationPolicy) -> int:
    if policy.mode is TruncationMode.TOKENS:
        return policy.limit * BYTES_PER_TOKEN
    return policy.limit


def _cost(text: str, policy: TruncationPolicy) -> int:
    if policy.mode is TruncationMode.TOKENS:
        return approximate_tokens(text)
    return _size_bytes(text)


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(_encoded(text))


def _encoded(text: str) -> bytes:
    # Lone surrogates only have to be counted here; refusing them is the codec's part.
    return text.encode("utf-8", "surrogatepass")


def _decoded(data: bytes) -> str:
    # Cuts go through characters at the ends only; "ignore" drops their halves.
    return data.decode("utf-8", "ignore")
