"""Reading scenarios: from a file or from text, with the parsers loaded when needed."""

from __future__ import annotations

from pathlib import Path

from .scenario import Scenario, ScenarioError

__all__ = ["load_scenario", "parse_scenario"]


def load_scenario(path: Path | str) -> Scenario:
    """
    Read a scenario from a file; its suffix says whether it is TOML or YAML.

    Blocks while it reads; call it before the work begins.

    Raises:
        ScenarioError: The file cannot be read, or is no scenario.
    """
    source = str(path)
    syntax = Path(path).suffix.lower().removeprefix(".")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ScenarioError(source, "", f"it is no UTF-8 text: {exc}", "save it as UTF-8") from exc
    except (OSError, ValueError) as exc:  # a path with a null character is a ValueError
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise ScenarioError(
            source, "", f"it cannot be read: {reason}", "name a readable file"
        ) from exc
    return parse_scenario(text, syntax=syntax, source=source)


def parse_scenario(text: str, *, syntax: str, source: str = "<text>") -> Scenario:
    """
    Read a scenario from text.

    Args:
        text: The whole file.
        syntax: ``toml``, ``yaml`` or ``yml``.
        source: What to call it in errors.

    Raises:
        ScenarioError: It is no scenario.
    """
    # Imported here: the parsers are not needed to play the values.
    from .scenario_reader import read_scenario  # noqa: PLC0415
    from .scenario_syntax import parse  # noqa: PLC0415

    return read_scenario(parse(text, syntax=syntax, source=source), source)
