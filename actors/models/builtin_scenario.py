"""The scenario that the scripted model plays when nobody gave it another."""

from typing import Final

from .scenario import Scenario
from .scenario_file import parse_scenario

__all__ = ["builtin_scenario"]

_TEXT: Final = r'''
name = "built-in"

[[reply]]
times = "always"
when = { subagent = "compact" }
[[reply.steps]]
say = "So far the user asked for this:\n{history}"

[[reply]]
times = "always"
when = { last = "output", output_matches = "(?i)rejected by user" }
[[reply.steps]]
say = "You did not allow that command, so I leave it at that."

[[reply]]
times = "always"
when = { last = "output" }
[[reply.steps]]
say = "The command ended with exit code {exit_code} and printed:\n\n{output}"

[[reply]]
times = "always"
when = { user_matches = '(?im)^[ \t]*run:[ \t]*(?P<command>\S.*?)[ \t]*$' }
[[reply.steps]]
think = "The user wants a command to be run; the shell tool does that."
[[reply.steps]]
say = "I run `{command}`."
[[reply.steps]]
call = "shell"
arguments = { command = ["bash", "-lc", "{command}"] }

[[reply]]
times = "always"
when = { user_matches = '(?i)\brun\s+`(?P<command>[^`]*\S[^`]*)`' }
[[reply.steps]]
think = "The user wants a command to be run; the shell tool does that."
[[reply.steps]]
say = "I run `{command}`."
[[reply.steps]]
call = "shell"
arguments = { command = ["bash", "-lc", "{command}"] }

[[reply]]
times = "always"
[[reply.steps]]
think = "I play a script, so I say what I heard and what I can do."
[[reply.steps]]
say = """
You said: {user}

I am the scripted model: I work offline, without a key, and answer the same thing to the same \
words every time. I do not understand you, but I can show how a conversation runs. Write \
`run: <command>` and I run that command through the shell tool and tell you what it printed. \
For a real model, set OPENAI_API_KEY or name a provider in config.toml."""
'''


def builtin_scenario() -> Scenario:
    """
    Make the scenario of the offline default.

    It greets, says what it is and repeats what it heard.  A line ``run: <command>``
    in the user's text, or ``run `<command>```, makes it call the ``shell`` tool
    and report what came out.  It sums up the user's words when it is asked to
    compact.
    """
    return parse_scenario(_TEXT, syntax="toml", source="built-in scenario")
