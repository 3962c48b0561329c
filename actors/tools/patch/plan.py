"""What a patch comes to, decided before anything is written."""

from collections.abc import Mapping

import attrs

from messages.events import FileChange

from .disk import Entry

__all__ = ["PatchPlan", "Step"]


@attrs.frozen(kw_only=True)
class Step:
    """
    What becomes of one place.

    Attributes:
        place: Absolute, without any link on the way.
        shown: The path that the patch and the person who allows it know it by.
        before: A file, a link or nothing; it is so still when the step is taken.
        after: A file or nothing; not equal to *before*.
        moved: Whether what was here goes on elsewhere.
    """

    place: str
    shown: str
    before: Entry
    after: Entry
    moved: bool = False


@attrs.frozen(kw_only=True)
class PatchPlan:
    """
    A patch that fits the files.

    Attributes:
        changes: What becomes of the files, by the paths that are shown.
        paths: All paths that the patch names, absolute, in its order.
        places: Where those lead; see `Step.place`.  What may be written is decided by both.
        steps: One for each place that changes.
        origins: From which place a file comes, by the place it moved to.
        redirects: Paths that lead to another place, with that place.
        summary: What the model reads when all is done.
    """

    changes: Mapping[str, FileChange]
    paths: tuple[str, ...]
    places: tuple[str, ...]
    steps: tuple[Step, ...]
    origins: Mapping[str, str]
    redirects: Mapping[str, str]
    summary: str
