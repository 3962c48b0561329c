"""The options of the commands, as values."""

from typing import Annotated, Final, Literal, TypeAlias

import attrs
from cyclopts import Parameter

__all__ = [
    "SWITCHES",
    "ConfigOptions",
    "DurabilityOption",
    "ExecOptions",
    "ForkOptions",
    "HomeOptions",
    "ListOptions",
    "LoginOptions",
    "ModelsOptions",
    "ResumeOptions",
    "ScenarioOption",
    "SettingsOptions",
]

SWITCHES: Final = frozenset(
    {
        "--all",
        "--archived",
        "--dangerously-bypass-approvals-and-sandbox",
        "--ephemeral",
        "--experimental-json",
        "--full-auto",
        "--help",
        "--json",
        "--last",
        "--offline",
        "--refresh",
        "--skip-git-repo-check",
        "--version",
        "--watch",
        "--with-api-key",
        "--yolo",
        "-h",
    }
)
"""Every option that takes no value; all others take one."""


def _switch(*names: str, help: str) -> Parameter:  # noqa: A002 -- the name of the library
    return Parameter(name=names, help=help, negative=())


ScenarioOption: TypeAlias = Annotated[
    str | None,
    Parameter(name="--scenario", help="TOML or YAML file that the scripted model plays."),
]

DurabilityOption: TypeAlias = Annotated[
    Literal["write", "fsync"],
    Parameter(
        name="--durability",
        help="Records survive a crash of the program (write) or of the machine (fsync).",
    ),
]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class HomeOptions:
    """Where everything is kept."""

    home: Annotated[
        str | None,
        Parameter(
            name="--home",
            help="Folder of threads and config.toml; else TREADLE_HOME, CODEX_HOME, ~/.treadle.",
        ),
    ] = None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SettingsOptions(HomeOptions):
    """Which configuration counts."""

    cd: Annotated[
        str | None,
        Parameter(name=("--cd", "-C"), help="Working directory; else this one."),
    ] = None
    profile: Annotated[
        str | None,
        Parameter(name=("--profile", "-p"), help="Which of the profiles in config.toml counts."),
    ] = None
    config: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--config", "-c"),
            help="KEY=VALUE instead of what config.toml says; the value is TOML, or plain text.",
            consume_multiple=False,
        ),
    ] = ()
    enable: Annotated[
        tuple[str, ...],
        Parameter(
            name="--enable",
            help="Feature to switch on, as -c features.NAME=true.",
            consume_multiple=False,
        ),
    ] = ()
    disable: Annotated[
        tuple[str, ...],
        Parameter(
            name="--disable",
            help="Feature to switch off, as -c features.NAME=false.",
            consume_multiple=False,
        ),
    ] = ()


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ConfigOptions(SettingsOptions):
    """How the configuration is shown."""

    json: Annotated[bool, _switch("--json", help="One JSON object to a line.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ModelsOptions(SettingsOptions):
    """Which models are listed, and from where."""

    all: Annotated[bool, _switch("--all", help="Also those that are not for everybody.")] = False
    refresh: Annotated[
        bool, _switch("--refresh", help="Ask the provider, however new the list is.")
    ] = False
    offline: Annotated[bool, _switch("--offline", help="Do not ask the provider.")] = False
    json: Annotated[bool, _switch("--json", help="One JSON object to a line.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class LoginOptions(HomeOptions):
    """With what the user logs in."""

    with_api_key: Annotated[
        bool, _switch("--with-api-key", help="Read an API key from standard input and keep it.")
    ] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ExecOptions(SettingsOptions):
    """How a turn is run and shown."""

    model: Annotated[str | None, Parameter(name=("--model", "-m"), help="Model that answers.")] = (
        None
    )
    sandbox: Annotated[
        # No Literal: for an option that may be missing the parser takes "none" for None.
        str | None,
        Parameter(
            name=("--sandbox", "-s"),
            help="read-only, workspace-write or danger-full-access; else sandbox_mode.",
        ),
    ] = None
    full_auto: Annotated[
        bool, _switch("--full-auto", help="The same as --sandbox workspace-write.")
    ] = False
    bypass: Annotated[
        bool,
        _switch(
            "--dangerously-bypass-approvals-and-sandbox",
            "--yolo",
            help="The same as --sandbox danger-full-access.",
        ),
    ] = False
    add_dir: Annotated[
        tuple[str, ...],
        Parameter(
            name="--add-dir",
            help="One more folder to write into, with --sandbox workspace-write.",
            consume_multiple=False,
        ),
    ] = ()
    skip_git_repo_check: Annotated[
        bool,
        _switch(
            "--skip-git-repo-check",
            help="Nothing to skip: a turn runs in any folder, unlike Codex.",
        ),
    ] = False
    image: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--image", "-i"),
            help="Image file for the prompt; several with commas, or the option again.",
            consume_multiple=False,
        ),
    ] = ()
    output_schema: Annotated[
        str | None,
        Parameter(name="--output-schema", help="File with a JSON schema that the answer must fit."),
    ] = None
    output_last_message: Annotated[
        str | None,
        Parameter(
            name=("--output-last-message", "-o"), help="File that gets the model's last message."
        ),
    ] = None
    json: Annotated[
        bool,
        _switch("--json", "--experimental-json", help="Print thread events, one JSON object each."),
    ] = False
    color: Annotated[
        str | None,  # as for the sandbox
        Parameter(name="--color", help="always, never, or auto: on a terminal; else auto."),
    ] = None
    thread_source: Annotated[
        str | None,
        Parameter(name="--thread-source", help="For Codex; is told and means nothing here."),
    ] = None
    cyber_access_program: Annotated[
        str | None,
        Parameter(name="--cyber-access-program", help="For Codex; is told and means nothing here."),
    ] = None
    scenario: ScenarioOption = None
    ephemeral: Annotated[
        bool, _switch("--ephemeral", help="Keep no record; the thread cannot be resumed.")
    ] = False
    durability: DurabilityOption = "write"


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ResumeOptions(ExecOptions):
    """Which thread is gone on with."""

    last: Annotated[
        bool, _switch("--last", help="The thread of this folder that changed last.")
    ] = False
    all: Annotated[bool, _switch("--all", help="With --last: of any folder.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ListOptions(HomeOptions):
    """Which threads are listed."""

    limit: Annotated[
        str | None,  # as for the sandbox
        Parameter(name="--limit", help="How many at most; else 20."),
    ] = None
    cursor: Annotated[
        str | None, Parameter(name="--cursor", help="Go on where the list before ended.")
    ] = None
    archived: Annotated[bool, _switch("--archived", help="The archived ones.")] = False
    json: Annotated[bool, _switch("--json", help="One JSON object to a line.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ForkOptions(HomeOptions):
    """How much of a thread is taken over."""

    before: Annotated[
        str | None,  # as for the sandbox
        Parameter(
            name="--before",
            help="Take what comes before this message of the user, numbered as 'show' does.",
        ),
    ] = None
