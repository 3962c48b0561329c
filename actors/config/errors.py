"""What is wrong with a configuration."""

__all__ = ["ConfigChanged", "ConfigError", "ConfigKeyMissing", "ConfigNotWritten"]


class ConfigError(ValueError):
    """
    A configuration cannot be used; nothing of it was.

    Attributes:
        path: The file or folder; None for what came from elsewhere.
        key: Where in it, for example ``model_providers.acme.env_key``, or the
            environment variable; empty for all of it.
        problem: What is wrong there, and what would be right.
        line: Line of the file, from 1; None when it is not known.
    """

    def __init__(self, path: str | None, key: str, problem: str, line: int | None = None) -> None:
        super().__init__(path, key, problem, line)
        self.path = path
        self.key = key
        self.problem = problem
        self.line = line

    def __str__(self) -> str:
        line = "" if self.line is None else f"line {self.line}"
        return ": ".join(part for part in (self.path, line, self.key, self.problem) if part)


class ConfigChanged(ConfigError):  # noqa: N818 -- a condition
    """
    The file is not as the caller saw it last; nothing was written.

    Read it again, and decide anew.
    """


class ConfigKeyMissing(ConfigError):  # noqa: N818 -- a condition
    """A key that is to be removed is below a table that is not there; nothing was written."""


class ConfigNotWritten(ConfigError):  # noqa: N818 -- a condition
    """The file could not be written, or not kept from others meanwhile; it is as it was."""
