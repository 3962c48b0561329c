"""What commands can and cannot do in a real sandbox."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.safety import (
    Bubblewrap,
    confine,
    find_bubblewrap,
    looks_denied,
    needs_sandbox,
    probe_argv,
)
from messages.settings import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    RestrictedReadAccess,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

from .bubblewrap import NOBODY, Sandbox, why_not

# Each starts a few sandboxes, which takes a tenth of a second on a busy machine.
pytestmark = pytest.mark.slow

real = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

ONLY = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
NAMES = (".agents", ".codex", ".git", ".treadle")
PYTHON = "/usr/bin/python3"

Make = Callable[..., Sandbox]


@pytest.fixture(params=["this user", "an ordinary user"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make sandboxes whose working directory is a fresh folder, `project` in another one."""
    user = None
    if request.param != "this user":
        if os.geteuid() != 0:
            pytest.skip("this user is an ordinary one")
        if not os.access(PYTHON, os.X_OK):
            pytest.skip(f"no {PYTHON}, and an ordinary user may not run our own Python")
        monkeypatch.setattr(sys, "executable", PYTHON)
        user = NOBODY
    # Not pytest's own folder, which nobody else may enter.
    top = Path(tempfile.mkdtemp(prefix="treadle-"))
    (top / "project").mkdir()
    for folder in (top, top / "project"):
        folder.chmod(0o777)

    def make_one(policy: SandboxPolicy = ONLY, **environ: str) -> Sandbox:
        return Sandbox(policy=policy, cwd=top / "project", environ=environ, user=user)

    yield make_one
    shutil.rmtree(top)


def own(sandbox: Sandbox, *paths: Path) -> None:
    """Give files to the user of the sandbox."""
    if sandbox.user is not None:
        for path in paths:
            os.lchown(path, sandbox.user, sandbox.user)


def nothing_is_left(sandbox: Sandbox, *names: str) -> bool:
    """Whether the working directory has these files and no other."""
    return {path.name for path in sandbox.cwd.iterdir()} == set(names)


@real
def test_only_the_roots_are_writable(make: Make) -> None:
    """Everything else is read-only, for root too."""
    sandbox = make()

    run = sandbox.run("touch x; touch ../y /etc/y /tmp/treadle-y /run/y; cat /etc/passwd")

    assert nothing_is_left(sandbox, "x")
    assert run.stderr.count("Read-only file system") == 4
    assert run.stdout == Path("/etc/passwd").read_text()
    assert looks_denied(1, run.stderr)
    assert not make(ReadOnly()).can("touch z")
    assert not make(UnknownSandbox(tag="x", raw={})).can("touch z")


@real
def test_protected_folders_stay_as_they_are(make: Make) -> None:
    """Their content, and they themselves."""
    sandbox = make()
    for name in NAMES:
        (sandbox.cwd / name / "sub").mkdir(parents=True)
        own(sandbox, sandbox.cwd / name, sandbox.cwd / name / "sub")

    run = sandbox.run(
        f"for n in {' '.join(NAMES)}; do"
        "  touch $n/x; touch $n/sub/x; mv $n y; rm -r $n/sub; chmod 777 $n; "
        "done; mkdir -p sub/.git && touch sub/.git/x"
    )

    assert run.stderr.count("\n") == 5 * len(NAMES)
    assert nothing_is_left(sandbox, *NAMES, "sub")
    assert all([path.name for path in (sandbox.cwd / name).iterdir()] == ["sub"] for name in NAMES)
    assert (sandbox.cwd / "sub" / ".git" / "x").exists()


@real
def test_protected_folders_that_are_missing_cannot_be_made(make: Make) -> None:
    """In no way; and when the command has ended there is no trace of that."""
    sandbox = make()

    run = sandbox.run(
        f"touch x; mkdir y; for n in {' '.join(NAMES)}; do"
        "  mkdir $n; rmdir $n; touch $n/x; mv -T y $n; mv -fT x $n; ln -sT /etc $n; rm -rf $n; "
        "done; ls -A .git .codex .agents .treadle; rmdir y"
    )

    assert run.stderr.count("\n") == 7 * len(NAMES)
    assert run.stdout.split() == [".agents:", ".codex:", ".git:", ".treadle:"]
    assert nothing_is_left(sandbox, "x")


@real
def test_git_does_not_mind_what_holds_the_place_of_its_folder(make: Make) -> None:
    """A repository above is found through it."""
    sandbox = make()
    subprocess.run(["git", "init", "-q", str(sandbox.cwd.parent)], check=True)
    own(sandbox, sandbox.cwd.parent, sandbox.cwd.parent / ".git")

    run = sandbox.run("git rev-parse --show-toplevel; git init -q .")

    assert run.stdout == f"{sandbox.cwd.parent}\n"
    assert run.returncode != 0
    assert nothing_is_left(sandbox)


@real
def test_pointer_file_and_where_it_points_to_are_protected(make: Make) -> None:
    """As a worktree has one."""
    sandbox = make()
    target = sandbox.cwd / "elsewhere"
    target.mkdir()
    (sandbox.cwd / ".git").write_text("gitdir: elsewhere\n")
    own(sandbox, target, sandbox.cwd / ".git")

    run = sandbox.run(
        "cat .git; (echo > .git); rm -f .git; mv .git x; touch elsewhere/x; mv elsewhere y"
    )

    assert run.stdout == "gitdir: elsewhere\n"
    assert run.stderr.count("\n") == 5
    assert nothing_is_left(sandbox, ".git", "elsewhere")
    assert not list(target.iterdir())


@real
def test_linked_root_is_writable_where_it_leads(make: Make) -> None:
    """And what is protected there is."""
    plain = make()
    link = plain.cwd.parent / "link"
    link.symlink_to("project")
    sandbox = Sandbox(policy=ONLY, cwd=link, user=plain.user)

    run = sandbox.run("touch x && test -e ../project/x && touch .git/x; touch ../y")

    assert run.stderr.count("Read-only") == 2
    assert nothing_is_left(plain, "x")


@real
def test_protected_link_is_put_back(make: Make) -> None:
    """Where it leads cannot be written at all."""
    sandbox = make()
    (sandbox.cwd / "config").mkdir()
    (sandbox.cwd / ".codex").symlink_to("config")
    own(sandbox, sandbox.cwd / "config", sandbox.cwd / ".codex")

    run = sandbox.run("touch .codex/x; touch config/x; rm .codex; mkdir .codex; touch .codex/x")

    assert run.returncode == 0
    assert run.stderr.count("Read-only") == 2
    assert "it was put back" in run.stderr
    assert (sandbox.cwd / ".codex").readlink() == Path("config")
    [aside] = sandbox.cwd.glob(".codex.replaced-*")
    assert (aside / "x").exists()


@real
def test_temporary_folders_are_writable_unless_excluded(make: Make) -> None:
    """The one everybody knows, and the one that is named."""
    probe = make().cwd.parent
    own_tmp = probe / "tmp"
    own_tmp.mkdir()
    own_tmp.chmod(0o777)
    script = f"touch {probe}/a; touch {own_tmp}/b; true"

    def written(policy: WorkspaceWrite) -> set[str]:
        make(policy, TMPDIR=str(own_tmp)).run(script)
        found = {path.name for path in probe.rglob("[ab]")}
        for path in probe.rglob("[ab]"):
            path.unlink()
        return found

    assert written(WorkspaceWrite()) == {"a", "b"}
    assert written(WorkspaceWrite(exclude_slash_tmp=True)) == {"b"}
    assert written(WorkspaceWrite(exclude_tmpdir_env_var=True)) == {"a", "b"}  # it lies in /tmp
    assert written(ONLY) == set()


@real
def test_folder_that_a_command_runs_in_is_not_writable_for_that(make: Make) -> None:
    """Who chooses where to run must not choose what to write."""
    sandbox = make()
    other = sandbox.cwd.parent

    run = sandbox.run("pwd; touch x", workdir=other)

    assert run.stdout == f"{other}\n"
    assert "Read-only" in run.stderr


@real
def test_network_is_closed_unless_the_policy_opens_it(make: Make) -> None:
    """Our own loopback included; inside there is another one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]

        assert make().run(connect).returncode != 0
        assert make(ReadOnly()).run(connect).returncode != 0
        opened = WorkspaceWrite(network_access=True, exclude_slash_tmp=True)
        assert make(opened).run(connect).returncode == 0


@real
def test_sockets_of_daemons_are_closed_with_the_network(make: Make) -> None:
    """Or one could have them do what the sandbox does not allow."""
    sandbox = make()
    path = sandbox.cwd / "agent"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        path.chmod(0o777)

        assert make(SSH_AUTH_SOCK=str(path)).run("test -S agent || echo no").stdout == "no\n"
        assert make().run("test -S agent && echo yes").stdout == "yes\n"
    seen = set(make().run("ls -A /run").stdout.split())
    assert seen <= {"current-system", "opengl-driver"}
    opened = WorkspaceWrite(network_access=True, exclude_slash_tmp=True)
    assert set(make(opened).run("ls -A /run").stdout.split()) == {
        path.name for path in Path("/run").iterdir()
    }


@real
def test_other_processes_cannot_be_seen_or_signalled(make: Make) -> None:
    """There is a world of its own."""
    run = make().run(f"ls -d /proc/[0-9]* | wc -l; cat /proc/{os.getpid()}/cmdline; kill -0 $PPID")

    assert int(run.stdout.splitlines()[0]) < 8
    assert "pytest" not in run.stdout
    assert not make().can("kill -0 " + str(2**22 - 1))


@real
def test_root_has_no_rights_inside_and_kernel_settings_are_read_only(make: Make) -> None:
    """Neither capabilities, nor by owning the files of the kernel."""
    sandbox = make()

    run = sandbox.run(
        "grep CapEff /proc/self/status; id -u; "
        "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do (: >> $f) && echo oh; done; "
        "mount -o remount,rw / && echo oh; mkdir /sys/fs/cgroup/x && echo oh; ls /dev"
    )

    lines = run.stdout.splitlines()
    assert lines[0].endswith("0000000000000000")
    assert lines[1] == str(os.getuid() if sandbox.user is None else sandbox.user)
    assert "oh" not in lines
    assert {"null", "zero", "urandom"} <= set(lines[2:])
    assert not {"sda", "mem", "kvm", "kmsg"} & set(lines[2:])


@real
def test_restricted_reading_shows_only_what_is_named(make: Make) -> None:
    """And the working directory, and what programs need."""
    plain = make()
    for name in ("named", "secret"):
        (plain.cwd.parent / name).mkdir()
        (plain.cwd.parent / name / "file").write_text(name)
    (plain.cwd / "file").write_text("own")
    access = RestrictedReadAccess(readable_roots=(f"{plain.cwd.parent}/named", "/no/such"))
    script = "cat file; cat ../named/file; cat ../secret/file; touch x; touch /x; ls -A /tmp /root"

    run = make(ReadOnly(access=access)).run(script)
    assert run.stdout.startswith("ownnamed")
    assert "secret/file: No such file" in run.stderr
    assert nothing_is_left(plain, "file")
    assert "touch: cannot touch '/x': Read-only file system" in run.stderr

    policy = WorkspaceWrite(
        read_only_access=access, exclude_slash_tmp=True, exclude_tmpdir_env_var=True
    )
    run = make(policy).run(script)
    assert "secret/file: No such file" in run.stderr
    assert nothing_is_left(plain, "file", "x")

    bare = ReadOnly(access=RestrictedReadAccess(include_platform_defaults=False))
    assert "No such file" in make(bare).run(["cat", "file"]).stderr


def start(sandbox: Sandbox, script: str) -> "subprocess.Popen[str]":
    """Start a command that says when it is ready."""
    process = subprocess.Popen(
        sandbox.argv(f"echo ready; {script}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=sandbox.user,
        group=sandbox.user,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: "subprocess.Popen[str]", text: str = "") -> str:
    """Wait until nobody holds its output any more."""
    output, _ = process.communicate(text, timeout=20)
    return output


@real
@pytest.mark.parametrize("policy", [ONLY, ReadOnly()])
def test_command_dies_with_its_parent(make: Make, policy: SandboxPolicy) -> None:
    """With all that it left in the background; the output ends when the last is gone."""
    process = start(make(policy), "sleep 600 & setsid sleep 600 & sleep 600")

    process.kill()

    assert finish(process) == ""
    # What held the place of missing folders was left behind; the next command takes it away.
    assert make().can("true")
    assert nothing_is_left(make())


@real
def test_command_that_is_asked_to_end_leaves_nothing(make: Make) -> None:
    """Signals reach the whole group, and the guard cleans up behind the others."""
    sandbox = make()
    process = start(sandbox, "sleep 600 & sleep 600")

    os.killpg(process.pid, signal.SIGTERM)

    finish(process)
    assert process.returncode in {128 + signal.SIGTERM, 128 + signal.SIGKILL}
    assert nothing_is_left(sandbox)


@real
def test_background_processes_end_with_the_command(make: Make) -> None:
    """None is left that could make a folder once its place is free."""
    sandbox = make()

    run = sandbox.run("(while :; do : > .git; done) 2>&- & exit 3")

    assert run.returncode == 3
    assert nothing_is_left(sandbox)


@real
def test_commands_at_the_same_time_share_the_places_of_missing_folders(make: Make) -> None:
    """The first one to end does not free them for the others."""
    sandbox = make()
    slow = start(
        sandbox, "read go; mkdir .git && echo made; rmdir .codex; mkdir .codex && echo made"
    )

    for _ in range(3):
        assert sandbox.can("true")
    assert not nothing_is_left(sandbox)

    assert finish(slow, "go\n") == ""
    assert nothing_is_left(sandbox)


@real
def test_many_commands_at_the_same_time_leave_no_gap(make: Make) -> None:
    """However they begin and end."""
    sandbox = make()
    script = "for n in 1 2 3; do mkdir .git && echo made; done"

    processes = [start(sandbox, script) for _ in range(3)]
    for n in range(6):
        assert finish(processes.pop(0)) == ""
        if n < 3:
            processes.append(start(sandbox, script))

    assert nothing_is_left(sandbox)


@real
def test_folder_made_meanwhile_by_somebody_else_is_kept(make: Make) -> None:
    """In the very place that was held."""
    sandbox = make()
    process = start(sandbox, "read go; touch .git/x")
    (sandbox.cwd / ".git" / "HEAD").touch()

    finish(process, "go\n")

    assert nothing_is_left(sandbox, ".git")
    assert [path.name for path in (sandbox.cwd / ".git").iterdir()] == ["HEAD"]


@real
def test_command_gets_its_words_and_gives_its_code(make: Make) -> None:
    """Unchanged by what is around it."""
    for policy in (ONLY, ReadOnly()):
        sandbox = make(policy)

        run = sandbox.run(["sh", "-c", 'printf "%s|" "$0" "$@"; exit 7', "a b", "--", "", "*"])

        assert (run.returncode, run.stdout, run.stderr) == (7, "a b|--||*|", "")
        assert sandbox.run("kill -9 $$").returncode == 128 + 9
        assert sandbox.run("trap '' PIPE; kill -l; kill -s TERM $$").returncode == 128 + 15
        assert sandbox.run(["no-such-program"]).returncode not in {0, 126}


@real
def test_project_inside_of_protected_settings_is_writable(make: Make) -> None:
    """The innermost of roots and protected folders counts, as for patches."""
    plain = make()
    home = plain.cwd.parent
    policy = WorkspaceWrite(writable_roots=(str(home.parent),), exclude_slash_tmp=True)
    (home / "rules").mkdir()
    own(plain, home / "rules")

    run = make(policy, TREADLE_HOME=str(home)).run("touch x; touch ../rules/y; touch ../y")

    assert run.stderr.count("Read-only") == 2
    assert nothing_is_left(plain, "x")


def test_root_of_everything_is_bound_once_and_first(tmp_path):
    """Devices and processes come on top of it."""
    argv = confine(
        ["true"],
        Bubblewrap("/usr/bin/bwrap"),
        policy=WorkspaceWrite(writable_roots=("/",), network_access=True),
        cwd=str(tmp_path),
        workdir=str(tmp_path),
        environ={},
    )

    text = " ".join(argv)
    assert "--bind / / --dev /dev --proc /proc" in text
    assert text.count("--bind / /") == 1
    assert "--unshare-net" not in argv
    assert argv[-4:] == ("--chdir", str(tmp_path), "--", "true")


@pytest.mark.parametrize("policy", [DangerFullAccess(), ExternalSandbox()])
def test_policy_that_needs_no_sandbox_gets_the_tightest(tmp_path, policy):
    """Rather than one with holes in it."""

    def build(one: SandboxPolicy) -> tuple[str, ...]:
        return confine(
            ["true"],
            Bubblewrap("/usr/bin/bwrap"),
            policy=one,
            cwd=str(tmp_path),
            workdir="/",
            environ={},
        )

    assert build(policy) == build(ReadOnly())
    assert not needs_sandbox(policy)
    assert all(map(needs_sandbox, (ReadOnly(), WorkspaceWrite(), UnknownSandbox(tag="x", raw={}))))


@real
def test_probe_ends_well_where_sandboxes_work():
    """And badly where they do not."""
    program = find_bubblewrap("/usr/bin:/bin")
    assert program is not None

    assert subprocess.run(probe_argv(program), check=False).returncode == 0
    assert subprocess.run(["/bin/false", *probe_argv(program)[1:]], check=False).returncode != 0


def test_bubblewrap_of_the_users_own_is_passed_over(tmp_path):
    """A command could have put it there."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    (tmp_path / "bwrap").chmod(0o755)

    assert find_bubblewrap(str(tmp_path)) is None
    assert find_bubblewrap("") is None
    assert find_bubblewrap(f"{tmp_path}:/usr/bin:/bin") == find_bubblewrap("/usr/bin:/bin")


@pytest.mark.parametrize(
    ("code", "output", "denied"),
    [
        (0, "Permission denied", False),
        (1, "", False),
        (1, "no such file", False),
        (1, "touch: x: Permission denied", True),
        (1, "READ-ONLY FILE SYSTEM", True),
        (2, "operation not permitted", True),
        (127, "bash: x: command not found", False),
        (126, "landlock", True),
        (2, "", False),
        (128 + 31, "", True),
        (128 + 9, "", False),
        (-1, "failed to write file x", True),
    ],
)
def test_denial_is_guessed_from_code_and_output(code, output, denied):
    """Words first, then the signal of a filter."""
    assert looks_denied(code, output) is denied
