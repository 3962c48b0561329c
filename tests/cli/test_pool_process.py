"""The command that serves clients from several processes, as a process."""

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.cli import ps_command
from tests.waiting import wait_ended

from .pool_stage import PATIENCE, Client, PoolProcess, is_there, running_pool, start_process
from .running import TALK, Bench

pytestmark = pytest.mark.slow


@attrs.define
class Place:
    """Where a pool runs that several tests talk to."""

    home: Path
    cwd: Path
    scenario: Path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolProcess]:
    """A pool that no test ends."""
    folder = tmp_path_factory.mktemp("pool")
    place = Place(folder / "home", folder / "work", folder / "talk.toml")
    place.cwd.mkdir()
    place.scenario.write_text(TALK)
    with running_pool(place) as pool:
        yield pool
        pool.signal(signal.SIGTERM)
        code, err = pool.end()
    assert code == 0
    assert "Traceback" not in err


@pytest.fixture
def client(shared: PoolProcess) -> Iterator[Client]:
    with shared.client() as client:
        yield client


def worker_of(client: Client, thread_id: str) -> dict[str, Any]:
    """The worker that has a thread."""
    now = client.ask("treadle/pool/read")
    [number] = [thread["worker"] for thread in now["threads"] if thread["id"] == thread_id]
    [worker] = [worker for worker in now["workers"] if worker["number"] == number]
    return dict(worker)


def all_up(workers: int) -> Callable[[Any], bool]:
    return lambda now: [worker["state"] for worker in now["workers"]] == ["up"] * workers


def test_a_pool_says_where_it_listens_and_lets_its_owner_in_only(shared: PoolProcess) -> None:
    """As a server does."""
    assert shared.banner == (f"treadle pool\n  listening on: unix://{shared.path}\n  workers: 2\n")
    assert stat.S_IMODE(shared.path.stat().st_mode) == 0o600


def test_a_pool_serves_clients_and_says_how_it_is(shared: PoolProcess, client: Client) -> None:
    """Its workers, the threads in them, and who is connected."""
    before = client.ask("treadle/pool/read")
    thread_id = client.start()
    answer = client.talk(thread_id, "hello")
    now = client.ask("treadle/pool/read")

    assert answer == "You said hello."
    [thread] = [thread for thread in now["threads"] if thread["id"] == thread_id]
    assert thread | {"updatedAt": 0, "worker": 0, "cwd": ""} == {
        "id": thread_id,
        "status": "idle",
        "worker": 0,
        "turnId": None,
        "clients": 1,
        "cwd": "",
        "model": "scripted",
        "name": None,
        "updatedAt": 0,
        "heldUntil": None,
    }
    assert thread["worker"] in {worker["number"] for worker in now["workers"]}
    assert now["pid"] == shared.process.pid
    assert now["draining"] is False
    assert [worker["state"] for worker in now["workers"]] == ["up", "up"]
    assert [worker["slot"] for worker in now["workers"]] == [1, 2]
    assert all(worker["memoryBytes"] > 0 for worker in now["workers"])
    threads = [sum(worker["threads"] for worker in said["workers"]) for said in (before, now)]
    assert threads[1] == threads[0] + 1
    assert len(now["clients"]) == 1


def test_a_thread_goes_on_in_another_worker_when_its_worker_is_killed(
    shared: PoolProcess, client: Client
) -> None:
    """Its client stays, its turn ends once, and the next one is answered."""
    thread_id = client.start()
    client.talk(thread_id, "hello")
    turn_id = client.begin(thread_id, "forever")
    client.told("item/started", turnId=turn_id)
    killed = worker_of(client, thread_id)
    os.kill(killed["pid"], signal.SIGKILL)

    ended = client.told("turn/completed", threadId=thread_id)
    while ended["turn"]["id"] != turn_id:
        ended = client.told("turn/completed", threadId=thread_id)
    answer = client.talk(thread_id, "again")
    now = shared.wait_until(client, all_up(2))

    assert ended["turn"]["status"] == "interrupted"
    assert answer == "You said again."
    assert killed["number"] not in {worker["number"] for worker in now["workers"]}
    [place] = [worker for worker in now["workers"] if worker["slot"] == killed["slot"]]
    assert place["restarts"] == killed["restarts"] + 1
    assert f"worker {killed['number']} (pid {killed['pid']}) was killed by SIGKILL" in (
        shared.next_line("was killed by")
    )


def test_a_second_pool_at_the_same_address_is_refused(shared: PoolProcess, client: Client) -> None:
    """In one line; the first one does not notice."""
    with start_process(
        "pool", "--listen", f"unix://{shared.path}", home=shared.path.parent
    ) as second:
        assert second.stderr is not None
        err = second.stderr.read().decode()
        code = second.wait(PATIENCE)
    client.start()

    assert code == 2
    assert err == (
        f"treadle: cannot listen on 'unix://{shared.path}': another process listens there; "
        "stop it or take another\n"
    )


def test_a_pool_can_be_looked_at_from_a_shell(
    shared: PoolProcess, client: Client, bench: Bench
) -> None:
    """Once as a table, and as JSON for programs; the home says where it is."""
    thread_id = client.start()
    client.talk(thread_id, "hello")
    table = bench.run("ps", "--home", str(shared.path.parent))
    line = bench.run("ps", "--json", "--connect", f"unix://{shared.path}")

    assert (table.code, table.err) == (0, "")
    assert table.out.startswith(
        f"pool at unix://{shared.path} (pid {shared.process.pid}): 1 other client"
    )
    assert thread_id in table.out
    assert (line.code, line.err) == (0, "")
    assert f'"id":"{thread_id}"' in line.out
    assert line.out.count("\n") == 1


def test_looking_ends_with_ctrl_c(shared: PoolProcess) -> None:
    """Without a word."""
    words = ("ps", "--watch", "--connect", f"unix://{shared.path}")
    with start_process(*words, home=shared.path.parent) as looking:
        assert looking.stdout is not None
        assert looking.stderr is not None
        looking.stdout.readline()
        looking.send_signal(signal.SIGINT)
        code = looking.wait(PATIENCE)

        assert (code, looking.stderr.read()) == (130, b"")


def test_a_pool_is_restarted_and_ended_without_a_turn_that_is_cut_off(
    bench: Bench, tmp_path: Path
) -> None:
    """The client's connection stays to the end, and a service manager hears of everything."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE)
        states: list[str] = []

        def heard(wanted: str) -> None:
            while not (said := manager.recv(4096).decode()).startswith(wanted):
                states.append(said)
            states.append(said)

        environ = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "400000"}
        with running_pool(bench, environ=environ) as pool, pool.client() as client:
            for state in ("READY=1", "STATUS=2 of 2 workers up, 0 clients", "WATCHDOG=1"):
                heard(state)
            thread_id = client.start()
            before = {worker["pid"] for worker in client.ask("treadle/pool/read")["workers"]}
            during_restart = client.begin(thread_id, "much")
            pool.signal(signal.SIGHUP)
            heard("RELOADING=1\nMONOTONIC_USEC=")
            restarted = client.told("turn/completed")
            heard("READY=1")
            now = client.ask("treadle/pool/read")
            answer = client.talk(thread_id, "again")
            environments = [
                Path(f"/proc/{pid}/environ").read_bytes()
                for pid in pool.processes() - {pool.process.pid}
            ]
            during_end = client.begin(thread_id, "much")
            pool.signal(signal.SIGTERM)
            heard("STOPPING=1")
            refused = client.answer(client.say("thread/start"))
            ended = client.told("turn/completed", threadId=thread_id)
            client.ended()
            code, err = pool.end()

    assert states[0] == "READY=1"
    assert (restarted["turn"]["id"], restarted["turn"]["status"]) == (during_restart, "completed")
    assert not before & {worker["pid"] for worker in now["workers"]}
    assert [worker["state"] for worker in now["workers"]] == ["up", "up"]
    assert [worker["restarts"] for worker in now["workers"]] == [0, 0]
    assert answer == "You said again."
    assert len(environments) >= 3
    assert not any(b"NOTIFY_SOCKET" in environment for environment in environments)
    assert "shutting down" in refused["error"]["message"]
    assert (ended["turn"]["id"], ended["turn"]["status"]) == (during_end, "completed")
    assert code == 0
    assert err == (
        "treadle: replacing the workers, one after another\n"
        "treadle: all workers are new\n"
        "treadle: 1 turn runs and gets 30 s to end; the next signal ends it at once\n"
    )
    assert not pool.path.exists()


def test_turns_that_do_not_end_are_interrupted_when_their_time_is_over(bench: Bench) -> None:
    """The client hears of it, and whoever looks at the pool sees it go."""
    with running_pool(bench, "--grace", "0.3") as pool, pool.client() as client:
        thread_id = client.start()
        client.begin(thread_id, "forever")
        client.told("item/started")
        with bench.process("ps", "--watch") as looking:
            assert looking.stdout is not None
            assert looking.stderr is not None
            first = looking.stdout.readline()
            pool.signal(signal.SIGTERM)
            ended = client.told("turn/completed")
            code, err = pool.end()
            looked = looking.wait(PATIENCE), looking.stderr.read().decode()

    assert ended["turn"]["status"] == "interrupted"
    assert code == 0
    assert "turns that still run after 0.3 s are interrupted: 1\n" in err
    assert first.startswith(b"pool at unix://")
    assert looked[0] == 1
    assert looked[1].startswith(f"treadle: the pool at unix://{pool.path} is gone")
    assert looked[1].count("\n") == 1


def test_the_second_signal_ends_everything_at_once(bench: Bench) -> None:
    """Nobody waits longer than he wants to."""
    with running_pool(bench, "--grace", "1000") as pool, pool.client() as client:
        thread_id = client.start()
        client.begin(thread_id, "forever")
        client.told("item/started")
        processes = pool.processes()
        pool.signal(signal.SIGINT)
        assert pool.process.stderr is not None
        assert b"1 turn runs" in pool.process.stderr.readline()
        pool.signal(signal.SIGINT)
        code, _ = pool.end()  # which does not wait for a thousand seconds

    assert code == 130
    assert not any(map(is_there, processes))


def test_nothing_outlives_a_pool_that_is_killed(bench: Bench) -> None:
    """Also no command that runs in a worker, which nobody is left to end."""
    words = ("-c", 'sandbox_mode="danger-full-access"', "-c", 'approval_policy="never"')
    with running_pool(bench, *words) as pool, pool.client() as client:
        thread_id = client.start()
        bench.expect_sleep()
        client.begin(thread_id, "sleep")
        processes = pool.processes() | {bench.pid_of_sleep()}
        pool.signal(signal.SIGKILL)
        wait_ended(*processes)

    assert len(processes) >= 5  # the pool, what forks, two workers, the command


def test_nobody_there_is_said_in_one_line(bench: Bench) -> None:
    """With what starts a pool."""
    ran = bench.run("ps")

    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == (
        f"treadle: no pool runs at unix://{bench.home / 'pool.sock'}: there is no such socket; "
        "'treadle pool' starts one, and --connect says where another one is\n"
    )


def test_somebody_who_listens_and_says_nothing_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a pool that was stopped."""
    monkeypatch.setattr(ps_command, "_PATIENCE", 0.1)
    path = bench.home / "pool.sock"
    bench.home.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        ran = bench.run("ps")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"treadle: the pool at unix://{path} does not answer; it may be overloaded\n"


def test_a_lone_server_is_no_pool(bench: Bench, tmp_path: Path) -> None:
    """And says so."""
    url = f"unix://{tmp_path / 's'}"
    with bench.process("app-server", "--listen", url) as server:
        assert server.stderr is not None
        server.stderr.readline(), server.stderr.readline()
        ran = bench.run("ps", "--connect", url)

    assert ran.code == 2
    assert ran.err == (
        f"treadle: {url} is a server of its own and no pool; 'treadle pool' starts one\n"
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--listen", "carrier://pigeon"), "unsupported --listen URL `carrier://pigeon`"),
        (("--listen", "ws://0.0.0.0:0"), "other machines can reach it; give a token"),
        (("--listen", "unix:///no/such/folder/s"), "No such file or directory"),
        (("--token-file", "/no/such/file"), "--token-file is for ws:// addresses"),
        (
            ("--listen", "ws://127.0.0.1:0", "--token-file", "/no/such/file"),
            "--token-file /no/such/file: the token cannot be",
        ),
        (("--home", "/proc/no/such/folder"), "the home /proc/no/such/folder cannot be made: "),
        (("--home", f"/tmp/{'x' * 120}"), "choose a shorter one with --listen unix://PATH"),
        (("-c", "model=5"), "model"),
        (("--scenario", "/no/such/file"), "/no/such/file"),
    ],
)
def test_a_pool_that_cannot_be_says_why(bench: Bench, words: tuple[str, ...], problem: str) -> None:
    """In one line."""
    ran = bench.run("pool", *words)

    assert ran.code == 2
    assert ran.out == ""
    assert problem in ran.err
    assert ran.err.count("\n") == 1
