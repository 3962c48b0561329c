"""The variables of commands, and the shell that runs scripts."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.tools.environment import choose_shell, command_environment
from messages.tool_settings import EnvironmentPolicy, Inherit

from .fake_context import THREAD, FakeContext

CORE = {"HOME", "LOGNAME", "PATH", "SHELL", "USER", "USERNAME", "TMPDIR", "TEMP", "TMP"}

# Few letters, so that names and patterns meet; one that means something in expressions.
LETTERS = st.sampled_from("aAkKeEyY_.")
NAMES = st.text(LETTERS, min_size=1, max_size=4) | st.sampled_from(
    ["PATH", "HOME", "API_KEY", "SecretWord", "my_token", "TOKE", "CODEX_THREAD_ID", "tmp"]
)
PATTERNS = st.text(LETTERS | st.sampled_from("*?"), max_size=4) | st.sampled_from(
    ["*", "PATH", "p*", "*KEY", "?OME", "[a]"]
)
VARIABLES = st.dictionaries(NAMES, st.text(max_size=2), max_size=8)
POLICIES = st.builds(
    EnvironmentPolicy,
    inherit=st.sampled_from(Inherit),
    ignore_default_excludes=st.booleans(),
    exclude=st.lists(PATTERNS, max_size=3).map(tuple),
    set=VARIABLES,
    include_only=st.lists(PATTERNS, max_size=3).map(tuple),
)


def fits(pattern: str, name: str) -> bool:
    """Whether a glob fits, told letter by letter."""

    @cache
    def at(p: int, n: int) -> bool:
        if p == len(pattern):
            return n == len(name)
        if pattern[p] == "*":
            return at(p + 1, n) or (n < len(name) and at(p, n + 1))
        same = n < len(name) and pattern[p] in {"?", name[n].lower()}
        return same and at(p + 1, n + 1)

    pattern = pattern.lower()
    return at(0, 0)


def stays(name: str, policy: EnvironmentPolicy) -> bool:
    """Whether one of our own variables stays in, before anything is set."""
    if policy.inherit is Inherit.NONE or (policy.inherit is Inherit.CORE and name not in CORE):
        return False
    secret = any(word in name.upper() for word in ("KEY", "SECRET", "TOKEN"))
    if secret and not policy.ignore_default_excludes:
        return False
    return not any(fits(pattern, name) for pattern in policy.exclude)


@given(VARIABLES, POLICIES)
@example({"A": "1"}, EnvironmentPolicy())
@example({"A": "1"}, EnvironmentPolicy(include_only=("",)))
@example({"a.b": "1", "axb": "2"}, EnvironmentPolicy(exclude=("a.b",)))
def test_command_gets_the_variables_that_the_policy_lets_through(environ, policy):
    """In the order of the policy's attributes, and always the thread's id."""
    expected = {name: value for name, value in environ.items() if stays(name, policy)}
    expected |= policy.set
    for name in list(expected):
        if policy.include_only and not any(fits(each, name) for each in policy.include_only):
            del expected[name]
    expected["CODEX_THREAD_ID"] = THREAD

    assert command_environment(environ, policy, FakeContext()) == expected


def test_command_gets_everything_by_default():
    """Names that look like secrets included, as the reference has it."""
    environ = {"API_KEY": "1", "HOME": "/home"}

    built = command_environment(environ, EnvironmentPolicy(), FakeContext())

    assert built == {**environ, "CODEX_THREAD_ID": THREAD}


def test_our_own_variables_stay_as_they_are():
    """What is built is a copy."""
    environ = {"A": "1"}

    command_environment(environ, EnvironmentPolicy(set={"B": "2"}), FakeContext())["C"] = "3"

    assert environ == {"A": "1"}


@pytest.mark.parametrize(
    ("environ", "shell"),
    [
        ({"SHELL": "/bin/sh"}, "/bin/sh"),
        ({"SHELL": "/no/such/bash"}, "/bin/bash"),
        ({"SHELL": "bash"}, "/bin/bash"),
        ({"SHELL": "/usr/bin/env"}, "/bin/bash"),
        ({}, "/bin/bash"),
    ],
)
def test_shell_of_the_user_is_one_that_we_know_how_to_call(environ, shell):
    """Else bash, else sh."""
    assert choose_shell(environ) == shell


def test_what_the_user_gave_for_the_session_passes_every_filter():
    """It was asked for so that commands get it, and goes before what we have."""
    context = FakeContext(variables={"TOKEN": "new", "OTHER": "x"})
    policy = EnvironmentPolicy(include_only=("A",), ignore_default_excludes=False)

    built = command_environment({"A": "1", "TOKEN": "old"}, policy, context)

    assert built == {"A": "1", "TOKEN": "new", "OTHER": "x", "CODEX_THREAD_ID": THREAD}


def test_a_command_of_no_thread_has_no_thread_in_its_variables():
    """Only what the policy lets through."""
    built = command_environment({"A": "1", "TOKEN": "x"}, EnvironmentPolicy(set={"B": "2"}), None)

    assert "CODEX_THREAD_ID" not in built
    assert built["B"] == "2"
