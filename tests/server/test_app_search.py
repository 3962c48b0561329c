"""Searching for files over the app-server."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trio

from actors.server import file_searches

from .app_stage import Client, Stage, open_app

SESSION = "fuzzyFileSearch/session"


def make(stage: Stage, *names: str) -> str:
    for name in names:
        path = stage.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return str(stage.work)


async def told(client: Client, query: str, *, since: int = 0) -> list[str]:
    """Wait for what fits a query, and for the word that this is all."""
    params = await client.notified(f"{SESSION}Updated", since=since, query=query)
    await client.notified(f"{SESSION}Completed", since=since, sessionId=params["sessionId"])
    return [file["path"] for file in params["files"]]


async def test_files_are_found_best_first(tmp_path: Path) -> None:
    """With where they are, how well they fit and what of them does."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        root = make(stage, "src/main.py", "src/deep/ma/in.txt", "other", "gone/main.py")
        (stage.work / ".git").mkdir()
        (stage.work / ".gitignore").write_text("gone/\n")
        found = await client.ask("fuzzyFileSearch", query="main", roots=[root])
        nothing = [
            await client.ask("fuzzyFileSearch", query=query, roots=roots)
            for query, roots in (("", [root]), ("main", []), ("main", ["/no/such"]), ("zz", [root]))
        ]
        twice = await client.ask("fuzzyFileSearch", query="main", roots=[root, f"{root}/src", "."])

    first, second = found["files"]
    assert first == {
        "root": root,
        "path": "src/main.py",
        "match_type": "file",
        "file_name": "main.py",
        "score": first["score"],
        "indices": [4, 5, 6, 7],
    }
    assert second["path"] == "src/deep/ma/in.txt"
    assert second["score"] < first["score"]
    assert nothing == [{"files": []}] * 4
    assert twice == found


async def test_a_search_with_the_same_token_ends_the_one_before(tmp_path: Path) -> None:
    """Of the same client; both are answered."""
    entered, release = trio.Event(), trio.Event()
    files = file_searches._Searcher.files

    async def slow(self: Any, roots: Any) -> Any:
        entered.set()
        await release.wait()
        return await files(self, roots)

    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        ask = {"query": "main", "roots": [make(stage, "main.py")], "cancellationToken": "t"}
        with patch.object(file_searches._Searcher, "files", slow):
            first, theirs = (
                client.send("fuzzyFileSearch", **ask),
                other.send("fuzzyFileSearch", **ask),
            )
            await entered.wait()
            await trio.testing.wait_all_tasks_blocked()
        second = await client.ask("fuzzyFileSearch", **ask)
        ended = await client.answer_to(first)
        release.set()
        found = await other.answer_to(theirs)

    assert ended == {"files": []}
    assert len(second["files"]) == len(found["files"]) == 1


async def test_a_session_tells_what_fits_as_it_is_typed(tmp_path: Path) -> None:
    """Only the client whose it is; the files are those of its beginning."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        root = make(stage, "main.py", "other.py")
        assert await client.ask(f"{SESSION}Start", sessionId="s", roots=[root]) == {}
        begun = await told(client, "")
        assert await client.ask(f"{SESSION}Update", sessionId="s", query="main") == {}
        main = await told(client, "main")
        make(stage, "late.py")
        await client.ask(f"{SESSION}Update", sessionId="s", query="py")
        every = await told(client, "py")
        stranger = await other.refused(f"{SESSION}Update", sessionId="s", query="x")
        stopped = [await client.ask(f"{SESSION}Stop", sessionId="s") for _ in range(2)]
        gone = await client.refused(f"{SESSION}Update", sessionId="s", query="x")
        others = other.methods()

    assert begun == []
    assert main == ["main.py"]
    assert every == ["main.py", "other.py"]
    assert stopped == [{}, {}]
    assert stranger == gone == (-32600, "fuzzy file search session not found: s")
    assert not any(method.startswith(SESSION) for method in others)


async def test_only_the_latest_query_of_a_session_is_told(tmp_path: Path) -> None:
    """What is typed on while files are listed is not looked for."""
    release = trio.Event()
    files = file_searches._Searcher.files

    async def slow(self: Any, roots: Any) -> Any:
        await release.wait()
        return await files(self, roots)

    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        root = make(stage, "main.py")
        with patch.object(file_searches._Searcher, "files", slow):
            numbers = [client.send(f"{SESSION}Start", sessionId="s", roots=[root])]
            numbers += [
                client.send(f"{SESSION}Update", sessionId="s", query=query)
                for query in ("m", "ma", "mai")
            ]
            answers = [await client.answer_to(number) for number in numbers]
            release.set()
            found = await told(client, "mai")
        await trio.testing.wait_all_tasks_blocked()
        updates = client.methods().count(f"{SESSION}Updated")

    assert answers == [{}] * 4
    assert found == ["main.py"]
    assert updates == 1


async def test_a_session_that_begins_again_forgets_what_was_asked(tmp_path: Path) -> None:
    """And the one before it says nothing more."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        one, two = make(stage, "one/x.py") + "/one", make(stage, "two/x.py") + "/two"
        await client.ask(f"{SESSION}Start", sessionId="s", roots=[one])
        await client.ask(f"{SESSION}Start", sessionId="s", roots=[two])
        since = client.position
        await client.ask(f"{SESSION}Update", sessionId="s", query="x")
        params = await client.notified(f"{SESSION}Updated", since=since, query="x")

    assert [file["root"] for file in params["files"]] == [two]


@pytest.mark.parametrize(
    ("method", "params", "refused"),
    [
        ("Start", {"sessionId": "", "roots": ["/"]}, (-32600, "sessionId must not be empty")),
        (
            "Start",
            {"sessionId": "s", "roots": []},
            (
                -32603,
                "failed to start fuzzy file search session: "
                "at least one search directory is required",
            ),
        ),
        ("Start", {"roots": ["/"]}, None),
        ("Update", {"sessionId": "s"}, None),
    ],
)
async def test_what_is_no_session_is_refused(
    tmp_path: Path, method: str, params: dict[str, Any], refused: tuple[int, str] | None
) -> None:
    """In the words that clients know."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        code, problem = await client.refused(SESSION + method, **params)

    assert refused in (None, (code, problem))
    assert refused or problem.startswith("Invalid request: ")


async def test_a_client_has_so_many_sessions_and_no_more(tmp_path: Path) -> None:
    """Each keeps its files; they go with their client."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        root = make(stage)
        for number in range(8):
            await client.ask(f"{SESSION}Start", sessionId=str(number), roots=[root])
        code, problem = await client.refused(f"{SESSION}Start", sessionId="9", roots=[root])
        await client.ask(f"{SESSION}Stop", sessionId="0")
        await client.ask(f"{SESSION}Start", sessionId="9", roots=[root])
        other = await stage.connect()
        await other.ask(f"{SESSION}Start", sessionId="0", roots=[root])

    assert code == -32603
    assert "stop one of them first" in problem


async def test_sessions_are_for_clients_that_want_what_is_new(tmp_path: Path) -> None:
    """As in the protocol; a single search is for all."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect(experimental=False)
        code, problem = await client.refused(f"{SESSION}Start", sessionId="s", roots=["/"])
        plain = await client.ask("fuzzyFileSearch", query="x", roots=[])

    assert (code, problem) == (-32600, f"{SESSION}Start requires experimentalApi capability")
    assert plain == {"files": []}
