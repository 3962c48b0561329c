"""Equality of JSON that tells 1 from 1.0 and from true."""

from typing import Any

__all__ = ["same_json"]


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, the order of members aside."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)
