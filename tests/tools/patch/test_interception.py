"""Which commands are patches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.tools.patch.errors import PatchInvalid
from actors.tools.patch.interception import FoundPatch, find_patch

from .trees import patch

PATCH = patch("*** Add File: a", "+x $y `z` \\")
HERE = f"apply_patch <<'EOF'\n{PATCH}\nEOF"


def found(text: str, folder: str = "") -> FoundPatch:
    return FoundPatch(text=text, folder=folder)


@pytest.mark.parametrize("command", ["apply_patch", "applypatch"])
def test_direct_call_is_a_patch_whatever_it_says(command: str) -> None:
    assert find_patch([command, PATCH]) == found(PATCH)
    assert find_patch([command, "nonsense"]) == found("nonsense")


@pytest.mark.parametrize(
    "shell",
    [
        ["bash", "-lc"], ["/bin/zsh", "-c"], ["sh", "-lc"], ["pwsh", "-Command"],
        ["powershell.exe", "-NoProfile", "-Command"], ["cmd", "/c"],
    ],
)  # fmt: skip
def test_script_that_is_one_heredoc_is_a_patch(shell: list[str]) -> None:
    assert find_patch([*shell, HERE]) == found(PATCH + "\n")


@pytest.mark.parametrize(
    ("script", "folder"),
    [
        (HERE, ""),
        (HERE + "\n\n", ""),
        ("\n  " + HERE, ""),
        (f"applypatch << EOF\n{PATCH}\nEOF", ""),
        (f'apply_patch <<"END_1"\n{PATCH}\nEND_1', ""),
        (f"cd sub && {HERE}", "sub"),
        (f"cd ../x-y/z.d && {HERE}", "../x-y/z.d"),
        (f"cd 'a b' && {HERE}", "a b"),
        (f'cd "a b" &&\n{HERE}', "a b"),
        (HERE.replace("\n", "\r\n"), ""),
    ],
)
def test_one_statement_is_found_with_its_folder(script: str, folder: str) -> None:
    assert find_patch(["bash", "-lc", script]) == found(PATCH + "\n", folder)


@pytest.mark.parametrize(
    "script",
    [
        f"{HERE}\necho done",
        f"echo hi; {HERE}",
        f"{HERE} && echo",
        f"cd a; {HERE}",
        f"cd a || {HERE}",
        f"cd a | {HERE}",
        f"cd a b && {HERE}",
        f"cd && {HERE}",
        f"cd $HOME && {HERE}",
        f"cd ~ && {HERE}",
        f"cd - && {HERE}",
        f'cd "$x" && {HERE}',
        f"cd a && cd b && {HERE}",
        f"apply_patch foo <<'EOF'\n{PATCH}\nEOF",
        f"apply_patch <<'EOF' | cat\n{PATCH}\nEOF",
        f"apply_patch <<'EOF' > out\n{PATCH}\nEOF",
        f"apply_patch <<'EOF\n{PATCH}\nEOF",
        f"apply_patch <<'EOF'\n{PATCH}",
        f"apply_patch <<'EOF'\n{PATCH}\nEOF\n{PATCH}",
        f"apply_patch <<'EOF'\n{PATCH}\nEOF\nrm x\nEOF",
        f"apply_patch '{PATCH}'",
        "apply_patch",
        "echo apply_patch",
        f"FOO=1 {HERE}",
        "",
    ],
)
def test_anything_else_beside_it_makes_it_another_command(script: str) -> None:
    """The shell runs it, and sees to it."""
    assert find_patch(["bash", "-lc", script]) is None


@pytest.mark.parametrize(
    "argv",
    [
        [], ["ls"], ["apply_patch"], ["apply_patch", PATCH, "more"], ["/x/apply_patch", PATCH],
        ["python", "-c", HERE], ["bash", HERE], ["bash", "-lc", HERE, "more"],
    ],
)  # fmt: skip
def test_other_commands_are_left_alone(argv: list[str]) -> None:
    assert find_patch(argv) is None


@pytest.mark.parametrize("argv", [[PATCH], ["bash", "-lc", PATCH], ["sh", "-c", f"\n{PATCH}\n"]])
def test_bare_patch_is_refused_with_the_way_out(argv: list[str]) -> None:
    with pytest.raises(PatchInvalid) as caught:
        find_patch(argv)

    assert str(caught.value) == (
        'patch detected without explicit call to apply_patch. Rerun as ["apply_patch", "<patch>"]'
    )


def test_body_ends_at_the_first_line_that_is_the_delimiter() -> None:
    """As in a shell; what comes after it is another command."""
    script = "apply_patch <<'EOF'\na\n EOF\nEOFX\nEOF"

    assert find_patch(["bash", "-c", script]) == found("a\n EOF\nEOFX\n")


WORDS = st.sampled_from(
    ["apply_patch", " ", "<<", "'EOF'", "EOF", "\n", "cd", "&&", "a", "'", '"', PATCH, ";"]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=3))).map("".join))
@settings(deadline=None)
def test_any_script_is_found_or_left_alone(script: str) -> None:
    try:
        find_patch(["bash", "-lc", script])
    except PatchInvalid as error:
        assert "without explicit call" in str(error)
