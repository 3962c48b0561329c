"""The order of words on a command line."""

from collections.abc import Iterator

import pytest
from cyclopts import App

from actors.cli.app import make_app
from actors.cli.options import SWITCHES
from actors.cli.words import COMMANDS, Commands, commands_first


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("exec --json resume ID", "exec resume --json ID"),
        ("exec resume --json ID", "exec resume --json ID"),
        ("exec --model resume ID", "exec --model resume ID"),
        ("exec --model=x resume ID", "exec resume --model=x ID"),
        ("exec -mx resume ID", "exec resume -mx ID"),
        ("exec -m x -c a=b --json resume ID -i p", "exec resume -m x -c a=b --json ID -i p"),
        ("exec prompt resume", "exec prompt resume"),
        ("exec -- resume", "exec -- resume"),
        ("exec - resume --json", "exec resume --json -- -"),
        ("exec - -o -", "exec -o - -- -"),
        ("--home x threads --json show y", "threads show --home x --json y"),
        ("exec --model", "exec --model"),
        ("exec", "exec"),
        ("", ""),
    ],
)
def test_commands_come_first(given: str, wanted: str) -> None:
    """Options may stand before a command; an argument ends the search for one."""
    assert commands_first(given.split()) == wanted.split()


def apps(app: App, commands: Commands) -> Iterator[App]:
    yield app
    for name, inner in commands.items():
        yield from apps(app[name], inner)


def test_every_command_is_known_to_the_parser_and_to_the_order() -> None:
    """Neither knows a command that the other does not."""

    def names(app: App) -> Commands:
        return {name: names(app[name]) for name in app if not name.startswith("-")}

    assert names(make_app()) == COMMANDS


def test_every_switch_is_known_to_take_no_value() -> None:
    """Else the word behind it would be taken for its value."""
    switches = {"--help", "-h", "--version"}
    for app in apps(make_app(), COMMANDS):
        if app.default_command is None:
            continue
        for argument in app.assemble_argument_collection():
            if argument.hint is bool:
                switches.update(argument.names)

    assert switches == SWITCHES
