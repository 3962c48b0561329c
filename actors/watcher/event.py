"""What the watcher tells."""

from typing import Self, assert_never

import attrs

from actors.runtime import Lagged

__all__ = ["FileWatcherEvent"]


@attrs.frozen(kw_only=True)
class FileWatcherEvent:
    """
    Something changed below the roots that are watched.

    By the time anybody reads it, what was remembered of these files is
    forgotten already.

    Attributes:
        paths:
            What changed, sorted, each once, below the roots as they were given:
            a change behind a symbolic link is told by the way through the link.
            A root itself stands for everything in it.  Empty if everything may
            have changed.

    Source:
        Codex, ``FileWatcherEvent::SkillsChanged``.  There paths of targets of
        symbolic links are not told, and there is no "everything".
    """

    paths: tuple[str, ...]

    @classmethod
    def received(cls, item: "FileWatcherEvent | Lagged") -> Self:
        """Read what a subscription gave: a reader that lagged must take everything as changed."""
        match item:
            case FileWatcherEvent(paths=paths):
                return cls(paths=paths)
            case Lagged():
                return cls(paths=())
            case _:
                assert_never(item)

    @property
    def everything(self) -> bool:
        """Whether everything may have changed."""
        return not self.paths
