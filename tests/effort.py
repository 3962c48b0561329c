"""How much the tests try: enough to see a mistake, or, where time is no object, a lot."""

import os
from typing import Final

__all__ = ["EXAMPLES", "SOAK", "examples"]

SOAK: Final = "TREADLE_SOAK"
"""Variable that asks for everything that takes minutes."""

_MORE: Final = 20


def examples(usual: int) -> int:
    """So many examples of a property, or twenty times as many."""
    return usual if os.environ.get(SOAK, "") in {"", "0"} else _MORE * usual


EXAMPLES: Final = examples(50)
"""For all properties that say nothing else."""
