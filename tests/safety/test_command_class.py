"""What commands can do, by what they are and where they lie."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.safety import CommandClass, classify_command

READS, CONTAINED, UNKNOWN, DANGEROUS = CommandClass
PATH = "/usr/local/bin:/usr/bin:/bin"


def classify(*argv: str, search_path: str = PATH) -> CommandClass:
    return classify_command(argv, search_path=search_path)


@pytest.mark.parametrize(
    "command",
    [
        "cat x",
        "ls -la /",
        "/bin/ls",
        "/usr/bin/head -n 5 x",
        "grep -r x .",
        "find . -name x",
        "base64 x",
        "sed -n 1p",
        "sed -n 1,20p file",
        "uniq -c x",
        "echo hi",
        "wc -l",
    ],
)
def test_programs_that_only_read_are_known(command):
    """Under their name, or under the path of a system folder."""
    assert classify(*command.split()) is READS


@pytest.mark.parametrize(
    "command",
    [
        "git status",
        "git -C x log --oneline -p",
        "git --no-pager diff HEAD~1 -- x",
        "git show --stat",
        "git branch",
        "git branch -vv --all",
        "git branch --format=%(refname)",
    ],
)
def test_git_that_only_shows_is_harmless_inside_a_sandbox(command):
    """Its configuration may run other programs."""
    assert classify(*command.split()) is CONTAINED


@pytest.mark.parametrize(
    "command",
    [
        "python x",
        "no-such-program",
        "find . -exec ls ;",
        "find . -delete",
        "find . -fprint x",
        "base64 -o x",
        "base64 --output=x y",
        "base64 --out=x y",
        "sed -i s/a/b/ x",
        "sed -n 1p x y",
        "sed -n 1p -fscript",
        "sed -n 1w",
        "sed -n",
        "uniq in out",
        "sort -o x y",
        "git",
        "git commit",
        "git -c core.pager=x log",
        "git log -ccore.pager=x",
        "git --config-env=x=y log",
        "git --git-dir=x log",
        "git --exec-path=x status",
        "git -p log",
        "git diff --output=x",
        "git diff --outp x",
        "git log --ext-d",
        "git show --textconv",
        "git branch new",
        "git branch -m x",
        "./cat x",
        "/tmp/ls",
        "/bin/../tmp/ls",
        "env ls",
        "cd x",
        "",
    ],
)
def test_everything_else_is_unknown(command):
    """A path elsewhere, an option that writes or runs, a program nobody listed."""
    assert classify(*command.split(" ")) is UNKNOWN


def test_no_words_are_unknown():
    """Nothing is known of nothing."""
    assert classify() is UNKNOWN


@pytest.mark.parametrize(
    "command",
    [
        "rm -f x",
        "rm -rf x",
        "rm -r -f x",
        "rm x -fr",
        "rm --recursive --force x",
        "rm --for x",
        "/bin/rm -rf x",
        "/some/where/rm -Rf x",
        "sudo rm -rf x",
        "sudo -u me -- rm -rf x",
        "env A=1 rm -f x",
        "nice -n 5 timeout 3 rm -f x",
        "xargs rm -f",
        "find . -exec rm -rf {} ;",
        "git reset --hard",
        "git -C x reset",
        "git rm x",
        "git branch -D x",
        "git branch --del x",
        "git push -f",
        "git push origin --force-with-lease=x",
        "git push origin +main",
        "git push origin :main",
        "git push -qd origin x",
        "git clean -fdx",
        "git clean --force",
        "sudo git clean -xf",
        "sudo bash -c rm$IFS-rf",
    ],
)
def test_destroying_by_force_is_dangerous(command):
    """In any spelling, under any path, behind any wrapper."""
    expected = UNKNOWN if "IFS" in command else DANGEROUS

    assert classify(*command.split()) is expected


@pytest.mark.parametrize(
    "command",
    ["rm x", "rm -r x", "rm -- -f", "git push", "git branch", "git clean -n", "git checkout -f"],
)
def test_ordinary_changes_are_not_dangerous(command):
    """Or people would stop reading the questions."""
    assert classify(*command.split()) is not DANGEROUS


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("ls", READS),
        ("cd src && ls -la | head", READS),
        ("ls *.py", READS),
        ("cat {a,b} ~/x", READS),
        ("find . -name *.py", UNKNOWN),
        ("{ls,x}", UNKNOWN),
        ("ls; git status", CONTAINED),
        ("git diff; make", UNKNOWN),
        ("make; rm -rf x", DANGEROUS),
        ("ls > x", UNKNOWN),
        ("cat $HOME/x", UNKNOWN),
        ("cat <<'EOF'\nx\nEOF", UNKNOWN),
        ("(rm -rf x)", DANGEROUS),
        ("rm -rf $HOME", DANGEROUS),
        ("if true; then rm -rf *; fi", DANGEROUS),
        ("A=1 rm -rf x > log 2>&1", DANGEROUS),
        (">log rm -rf x", DANGEROUS),
        ("echo $(rm -rf x)", DANGEROUS),
        ('echo "$(rm -rf x)"', DANGEROUS),
        ("echo `rm -rf x`", DANGEROUS),
        ("echo a#b $X; rm -rf x", DANGEROUS),
        ("# don't\nrm -rf $X", DANGEROUS),
        ("bash -c 'rm -rf x'", DANGEROUS),
        ('eval "rm -rf x"', DANGEROUS),
        ("sleep 5 & rm -rf x", DANGEROUS),
        ("cat <<X > f\nnothing\nX\nrm -rf y", DANGEROUS),
        ("cat > f <<'EOF'\nrm -rf x\nEOF", UNKNOWN),
        ("echo '<<X' $Y\nrm -rf y", DANGEROUS),
        ("echo 'rm -rf x'", READS),
        ('echo "$A; rm -rf x"', UNKNOWN),
        ("ls $A # rm -rf x", UNKNOWN),
        ("echo > rm -f", UNKNOWN),
        ("", UNKNOWN),
        ("  ", UNKNOWN),
    ],
)
def test_script_counts_as_the_worst_of_its_commands(script, expected):
    """Scripts that are not plain are unknown, and searched for what is dangerous."""
    for shell in ("bash", "/bin/sh"):
        for flag in ("-c", "-lc"):
            assert classify(shell, flag, script) is expected


def test_shell_with_other_options_is_searched_for_what_is_dangerous():
    """Its script comes after the flag with a c."""
    assert classify("bash", "-x", "-ec", "rm -rf x", "name") is DANGEROUS
    assert classify("bash", "-x", "-ec", "ls") is UNKNOWN


def test_scripts_nested_too_deeply_are_dangerous():
    """Nobody writes them by hand."""
    script = "ls"
    for depth in range(6):
        assert classify("bash", "-c", script) is [READS, *[UNKNOWN] * 3, *[DANGEROUS] * 2][depth]
        script = shlex.join(["bash", "-c", script])


def test_wrapper_with_more_suspects_than_anybody_writes_is_dangerous():
    """And takes no time to tell."""
    assert classify("xargs", *["rm"] * 16) is UNKNOWN
    assert classify("xargs", *["rm"] * 100_000) is DANGEROUS


@pytest.mark.parametrize("shell", ["/tmp/bash", "./bash", "zzz/sh"])
def test_script_of_a_foreign_shell_is_unknown(shell):
    """It may be any program; what is dangerous stays so."""
    assert classify(shell, "-c", "ls") is UNKNOWN
    assert classify(shell, "-c", "rm -rf x") is DANGEROUS


def make_program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_program_found_first_in_a_folder_of_the_users_is_unknown(tmp_path):
    """A name says nothing; the file that it leads to does."""
    make_program(tmp_path / "bin" / "ls")
    path = f"{tmp_path}/bin:{PATH}"

    assert classify("ls", search_path=path) is UNKNOWN
    assert classify("bash", "-c", "ls", search_path=path) is UNKNOWN
    assert classify("cat", search_path=path) is READS
    assert classify("bash", "-c", "echo x", search_path=path) is READS
    assert classify("ls", search_path=f"{PATH}:{tmp_path}/bin") is READS


@pytest.mark.parametrize("path", ["", ".", "bin:/usr/bin", ":/usr/bin"])
def test_relative_search_path_makes_a_name_unknown(path):
    """It means another program in each folder."""
    assert classify("ls", search_path=path) is UNKNOWN


def test_file_that_cannot_be_run_is_passed_over(tmp_path):
    """As a shell does."""
    (tmp_path / "ls").write_text("")
    (tmp_path / "cat").mkdir()

    assert classify("ls", search_path=f"{tmp_path}:{PATH}") is READS
    assert classify("cat", search_path=f"{tmp_path}:{PATH}") is READS


def test_link_out_of_the_system_folders_is_unknown(tmp_path, monkeypatch):
    """A package may have put one there."""
    make_program(tmp_path / "real")
    real = os.path.realpath

    def resolve(path: str) -> str:
        return str(tmp_path / "real") if path == "/usr/bin/ls" else real(path)

    monkeypatch.setattr("actors.safety.programs.os.path.realpath", resolve)

    assert classify("/usr/bin/ls") is UNKNOWN


@given(st.lists(st.text(max_size=8), max_size=5))
def test_classifying_takes_anything(argv):
    """Whatever a model sends."""
    assert classify(*argv) in CommandClass


@given(st.text(alphabet="rm -f()'\"$`<>&|;\nEOF#{}\\x=", max_size=40))
def test_classifying_takes_any_script(script):
    """Open quotes, texts without an end and brackets of all kinds included."""
    assert classify("bash", "-c", script) in CommandClass
