"""
Kills a writer again and again at any moment, and checks what it was promised.

Run as a program of its own, because it forks: ``python -m
tests.rollout.killed_writer FOLDER KILLS SEED DURABILITY``.  Each child resumes
one rollout, appends numbered records, and tells through a pipe how many were
acknowledged; it is killed after a random number of those.
"""

import os
import random
import signal
import sys
from pathlib import Path

import trio

from actors.rollout import Durability, PersistMode, load_rollout, open_journal
from actors.runtime import World
from messages.content import InputText
from messages.items import Message
from messages.rollout import SessionMeta

from .samples import meta, user

MODE = PersistMode.LIMITED


def number_of(item: object) -> int:
    assert isinstance(item, Message)
    (part,) = item.content
    assert isinstance(part, InputText)
    return int(part.text.split()[0])


async def write_until_killed(path: Path, acks: int, durability: Durability, seed: int) -> None:
    chance = random.Random(seed)
    old = path.exists() and path.stat().st_size > 0  # noqa: ASYNC240 -- nobody else is waiting
    if not old:
        path.unlink(missing_ok=True)  # noqa: ASYNC240
    async with open_journal(
        world=World.system(), durability=durability, write_interval=0.0005
    ) as journal:
        if old:
            recorder, loaded = await journal.resume(path, MODE, on_trouble=print)
            recorded = len(loaded.items) - 1
        else:
            recorder = journal.recorder(path, meta(), MODE, on_trouble=print)
            recorded = 0
            await recorder.persist()
        while True:
            count = chance.randrange(1, 5)
            size = chance.choice([1, 50, 300, 20_000])
            recorder.record([user(f"{recorded + number} {'x' * size}") for number in range(count)])
            recorded += count
            if chance.random() < 0.2:
                await trio.sleep(0.0005)  # leaves the writing to the writer task
            await recorder.flush()
            os.write(acks, b"%d\n" % recorded)


def kill_one(path: Path, durability: Durability, seed: int) -> int:
    """Start a writer, kill it, and return how many records it had acknowledged."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ours)
        try:
            trio.run(write_until_killed, path, theirs, durability, seed)
        finally:
            os._exit(1)  # only when something is wrong
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        acks = b""
        for _ in range(random.Random(seed + 1).randrange(0, 12)):
            acks += pipe.read(1)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        acks += pipe.read()
    assert os.WIFSIGNALED(status), status
    lines = acks.rpartition(b"\n")[0].split(b"\n")
    return int(lines[-1] or 0)


def check(path: Path, acknowledged: int) -> int:
    """Everything acknowledged is there, once and in order; return how many records there are."""
    if not path.exists() or b"\n" not in path.read_bytes():
        assert not acknowledged
        return 0
    loaded = load_rollout(path)
    assert loaded.damaged == (), loaded.damaged
    first, *items = loaded.items
    assert isinstance(first, SessionMeta)
    assert [number_of(item) for item in items] == list(range(len(items)))
    assert len(items) >= acknowledged, (len(items), acknowledged)
    return len(items)


def main() -> None:
    folder, kills, seed, durability = sys.argv[1:]
    most = 0
    for number in range(int(kills)):
        path = Path(folder) / f"{number // 10}.jsonl"  # ten lives each
        most = max(most, kill_one(path, Durability(durability), int(seed) + number))
        there = check(path, most)
        most = there if (number + 1) % 10 else 0
    print("survived", kills)


if __name__ == "__main__":
    main()
