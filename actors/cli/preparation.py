"""From options to what a turn needs: home, configuration, provider, settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import attrs
import orjson

from actors.config import (
    SANDBOX_MODES,
    Config,
    ConfigError,
    LayerKind,
    ThreadConfig,
    choose_provider,
    load_config,
    open_catalog,
    resolve_home,
)
from actors.models import ModelCatalog, ModelProvider, ResponsesProvider
from messages.content import LocalImageInput, TextInput, UserInputItem
from messages.settings import AskForApproval
from messages.value import Json

from .codex_options import (
    chosen_sandbox,
    feature_words,
    find_originator,
    option_notes,
    read_color,
    set_apart,
    with_roots,
)
from .errors import UsageError
from .options import ExecOptions, HomeOptions, SettingsOptions
from .overrides import read_overrides
from .screen import Color

__all__ = [
    "Prepared",
    "find_home",
    "prepare",
    "read_config",
    "read_schema",
    "user_input",
    "working_directory",
]


@attrs.frozen(kw_only=True)
class Prepared:
    """
    What a turn needs.

    Attributes:
        provider: Closed by whoever called `prepare`.
        notice: One line for the user; None when there is nothing to say.
        warnings: A line for each thing about the configuration that the user should know.
        catalog: Of the models of the provider; None where there is nothing to ask for.
        color: When a person sees styles.
    """

    home: Path
    provider: ModelProvider
    notice: str | None
    thread_config: ThreadConfig
    warnings: tuple[str, ...]
    catalog: ModelCatalog | None
    color: Color

    @property
    def notes(self) -> tuple[str, ...]:
        """The warnings, and the notice if there is one."""
        return self.warnings if self.notice is None else (*self.warnings, self.notice)


def find_home(options: HomeOptions, environ: Mapping[str, str]) -> Path:
    """
    Find the home folder; an option goes before the environment.

    Raises:
        ConfigError: It cannot be used.
    """
    if options.home is None:
        return resolve_home(environ)
    try:
        return resolve_home({**environ, "TREADLE_HOME": options.home or "."})
    except ConfigError as exc:
        raise ConfigError(exc.path, "--home", exc.problem) from exc


def prepare(options: ExecOptions, environ: Mapping[str, str]) -> Prepared:
    """
    Read the configuration and make the provider; blocks while it reads files.

    Raises:
        ConfigError: The configuration or the environment is not as it should be.
        ScenarioError: The scenario cannot be played.
        UsageError: An option has a value it cannot have.

    Source:
        Codex ``exec``: nobody is there to ask, so the approval policy is never.
    """
    color = read_color(options.color)
    config = read_config(options, environ, _sandbox_mode(chosen_sandbox(options)))
    originator = find_originator(environ)
    thread_config = attrs.evolve(
        config.thread_config(),
        model=options.model or config.model,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=with_roots(config.sandbox_policy, options.add_dir, config.cwd),
        ephemeral=options.ephemeral,
        originator=originator,
    )
    environ = _provider_environ(options, config, environ)
    provider, notice = choose_provider(config, environ)
    if isinstance(provider, ResponsesProvider):
        provider = attrs.evolve(provider, originator=originator)
    # The scripted model may play in place of the one that is configured.
    asks = isinstance(provider, ResponsesProvider)
    return Prepared(
        home=config.home,
        provider=provider,
        notice=notice,
        thread_config=thread_config,
        warnings=(*option_notes(options, config.sandbox_policy), *config.warnings),
        catalog=open_catalog(config, environ) if asks else None,
        color=color,
    )


def read_config(
    options: SettingsOptions, environ: Mapping[str, str], sandbox: str | None = None
) -> Config:
    """
    Read the configuration that the options choose; blocks while it does.

    Raises:
        ConfigError: It is not as it should be.
        UsageError: An option has a value it cannot have.
    """
    home = find_home(options, environ)
    cwd = working_directory(options.cd)
    words, notes = set_apart((*options.config, *feature_words(options)))
    overrides = read_overrides(words, sandbox, options.profile)
    config = load_config(home, cwd=cwd, overrides=overrides)
    return attrs.evolve(config, warnings=(*notes, *config.warnings))


def _provider_environ(
    options: ExecOptions, config: Config, environ: Mapping[str, str]
) -> Mapping[str, str]:
    changed = dict(environ)
    if options.scenario is not None:
        changed["TREADLE_SCENARIO"] = options.scenario
    origin = config.origins.get("openai_base_url")
    if origin is not None and origin.kind is LayerKind.SESSION:
        # What is said for this turn goes before what is said for everything.
        changed.pop("OPENAI_BASE_URL", None)
    return changed


def user_input(prompt: str, images: tuple[str, ...]) -> tuple[UserInputItem, ...]:
    """
    Make the input of a turn; images come first.

    An image that cannot be read is told to the model in its place, as Codex does.
    """
    paths = (path for image in images for path in image.split(",") if path)
    here = Path.cwd()
    pictures = (LocalImageInput(path=os.path.normpath(here / path)) for path in paths)
    return (*pictures, TextInput(text=prompt))


def read_schema(path: str | None) -> Json:
    """
    Read the JSON schema of the answer; None when there is none.

    Raises:
        UsageError: The file cannot be read, or holds no JSON object.
    """
    if path is None:
        return None
    try:
        schema: Json = orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as exc:
        raise UsageError(f"--output-schema {path!r} is no JSON: {exc}") from exc
    except (OSError, ValueError) as exc:  # a path with a null character is a ValueError
        raise UsageError(f"--output-schema {path!r} cannot be read: {_reason(exc)}") from exc
    if not isinstance(schema, dict):
        raise UsageError(f"--output-schema {path!r} is no JSON schema: it must be an object")
    return cast("Json", schema)


def _sandbox_mode(mode: str | None) -> str | None:
    if mode is not None and mode not in SANDBOX_MODES:
        raise UsageError(f"no sandbox {mode!r}; choose from: {', '.join(SANDBOX_MODES)}")
    return mode


def working_directory(chosen: str | None) -> str:
    """
    Find where the command works.

    Args:
        chosen: With ``--cd``; None for here.

    Raises:
        UsageError: There is no such folder.
    """
    try:
        path = Path(os.path.normpath(Path.cwd() / (chosen or "")))
    except FileNotFoundError as exc:
        raise UsageError("the working directory was removed; choose one with --cd") from exc
    if chosen is not None and not path.is_dir():
        raise UsageError(f"--cd {chosen!r} is no folder; choose one that exists")
    return str(path)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
