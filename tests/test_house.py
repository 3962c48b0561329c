"""Rules that hold for the whole house, each checked once."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import actors
import messages
from actors import Supervisor, Thread, _sibling

ROOT = Path(__file__).parent.parent

# The launcher is run as a program of its own, never imported.
MODULES = [
    name
    for package in (actors, messages)
    for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_what_it_offers(name: str) -> None:
    """A docstring, and a sorted list of public names that all exist."""
    module = importlib.import_module(name)
    body = ast.parse(inspect.getsource(module)).body if inspect.getsource(module) else []

    assert module.__doc__ or not body
    if body[1:]:
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, public) for public in module.__all__)


def test_importing_does_no_work_and_loads_nothing_heavy() -> None:
    """What only some runs need is loaded when they need it."""
    heavy = (
        "httpx2", "yaml", "rich", "cyclopts", "cattrs", "anyio", "ssl",
        "mcp", "pydantic", "watchfiles", "wsproto", "h11",
    )  # fmt: skip
    code = f"import sys, actors; print(*[m for m in {heavy} if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert set(loaded) <= {"ssl"}  # trio itself imports ssl


def test_readme_program_runs_and_answers(tmp_path: Path) -> None:
    """A user who pastes it sees the scripted model's answer."""
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    script = tmp_path / "program.py"
    script.write_text(program)

    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert run.stderr == ""
    assert "hello" in run.stdout
    assert run.returncode == 0


def test_shadowed_messages_package_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another project's package of that name is found out at import, not at first use."""
    other = tmp_path / "messages.py"
    other.write_text("")

    def find(_name: str) -> object:
        return importlib.machinery.ModuleSpec("messages", None, origin=str(other))

    monkeypatch.setattr(_sibling.importlib.util, "find_spec", find)

    with pytest.raises(ImportError, match=re.escape(str(other))):
        _sibling.check_sibling()


SEED = {
    # The thread manager that Treadle re-implements, and the one home of each function.
    "new": (actors, "open_supervisor"),
    "with_models_provider_for_tests": ("actors.testing", "open_test_supervisor"),
    "with_models_provider_and_home_for_tests": ("actors.testing", "open_test_supervisor"),
    "session_source": (Supervisor, "session_source"),
    "list_thread_ids": (Supervisor, "list_thread_ids"),
    "refresh_mcp_servers": (Supervisor, "refresh_mcp_servers"),
    "subscribe_thread_created": (Supervisor, "subscribe_thread_created"),
    "get_thread": (Supervisor, "get_thread"),
    "start_thread": (Supervisor, "start_thread"),
    "start_thread_with_tools": (Supervisor, "start_thread"),
    "resume_thread_from_rollout": (Supervisor, "resume_thread_from_rollout"),
    "resume_thread_with_history": (Supervisor, "resume_thread_with_history"),
    "remove_thread": (Supervisor, "remove_thread"),
    "remove_and_close_all_threads": (Supervisor, "close_all_threads"),
    "fork_thread": (Supervisor, "fork_thread"),
    "captured_ops": (Supervisor, "captured_ops"),
    "send_op": (Supervisor, "send_op"),
    "submit": (Thread, "submit"),
    "submit_with_id": (Thread, "submit_with_id"),
    "steer_input": (Thread, "steer_input"),
    "next_event": (Thread, "next_event"),
    "agent_status": (Thread, "agent_status"),
    "subscribe_status": (Thread, "watch_status"),
    "rollout_path": (Thread, "rollout_path"),
    "config_snapshot": (Thread, "config_snapshot"),
}


@pytest.mark.parametrize("seed", SEED)
def test_every_function_of_the_seed_has_its_home(seed: str) -> None:
    """One home each, under the field's name for it."""
    where, name = SEED[seed]
    home: object = importlib.import_module(where) if isinstance(where, str) else where

    found = name in getattr(home, "__annotations__", {}) or hasattr(home, name)

    assert found
    assert isinstance(home, type | ModuleType)
