"""Finding out early that another project's ``messages`` package stands in front of ours."""

import importlib.util
from pathlib import Path

__all__ = ["check_sibling"]


def check_sibling() -> None:
    """
    Check that ``messages`` is the package that was installed beside this one.

    Raises:
        ImportError: Another one would be imported; says which, and the way out.
    """
    ours = Path(__file__).resolve().parent.parent / "messages"
    found = importlib.util.find_spec("messages")
    origin = found.origin if found is not None else None
    if origin is None or Path(origin).resolve().parent != ours:
        raise ImportError(
            f"treadle needs its own package 'messages' in {str(ours)!r}, but Python finds "
            f"{origin or 'none'!r}; rename or remove that file, or run from another folder"
        )
