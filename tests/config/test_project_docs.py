"""AGENTS.md of the home and of the project."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.config import project_docs
from actors.config.project import project_folders

from .places import Places


def test_files_from_the_root_down_to_the_folder_come_in_order(places: Places) -> None:
    """With a blank line between them."""
    places.write("project/AGENTS.md", "root\n")
    places.write("project/sub/AGENTS.md", "sub")
    places.write("AGENTS.md", "outside")

    assert project_docs(places.sub) == "root\n\n\nsub"
    assert project_docs(places.project) == "root\n"


def test_without_a_project_only_the_folder_itself_counts(places: Places) -> None:
    """What lies above it belongs to others."""
    (places.project / ".git").rmdir()
    places.write("project/AGENTS.md", "root")
    places.write("project/sub/AGENTS.md", "sub")

    assert project_docs(places.sub) == "sub"
    assert project_docs(places.sub, markers=["AGENTS.md"]) == "sub"
    assert project_docs(places.project / "sub" / ".." / "sub", markers=["home"]) is not None


def test_markers_may_be_other_ones_or_none(places: Places) -> None:
    """A file, a folder or a link of that name."""
    (places.top / "marker").symlink_to("nowhere")
    places.write("AGENTS.md", "top")

    assert project_docs(places.sub, markers=["marker"]) == "top"
    assert project_docs(places.sub) is None
    assert project_docs(places.sub, markers=[]) is None


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["AGENTS.override.md", "AGENTS.md", "NOTES.md"], "AGENTS.override.md"),
        (["AGENTS.md", "NOTES.md"], "AGENTS.md"),
        (["OTHER.md", "NOTES.md"], "NOTES.md"),
        (["OTHER.md"], "OTHER.md"),
        (["README.md"], None),
    ],
)
def test_one_file_of_each_folder_is_taken(
    places: Places, there: list[str], taken: str | None
) -> None:
    """The first of the names that is there."""
    for name in there:
        places.write(f"project/{name}", name)

    assert project_docs(places.sub, fallback_names=["NOTES.md", "OTHER.md"]) == taken


def test_a_folder_is_no_file(places: Places) -> None:
    """Whatever it is called."""
    (places.project / "AGENTS.override.md").mkdir()
    places.write("project/AGENTS.md", "text")

    assert project_docs(places.sub) == "text"


def test_a_link_is_followed_and_one_that_leads_nowhere_is_told(places: Places) -> None:
    """It hides what is behind it, as the user meant."""
    places.write("shared.md", "shared")
    (places.project / "AGENTS.md").symlink_to(places.top / "shared.md")
    (places.sub / "AGENTS.override.md").symlink_to("nowhere")
    places.write("project/sub/AGENTS.md", "hidden")

    config = places.load()

    assert config.user_instructions == "shared"
    assert config.warnings == (
        f"{places.sub / 'AGENTS.override.md'}: it cannot be read: No such file or directory",
    )


def test_files_of_white_space_are_left_out(places: Places) -> None:
    """They cost nothing of the limit, either."""
    places.write("project/AGENTS.md", " \n\t" * 10)
    places.write("project/sub/AGENTS.md", "sub")

    assert project_docs(places.sub, limit_bytes=30) == "sub"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (0, None),
        (1, "a"),
        (3, "aaa"),
        (4, "aaa\n\nb"),
        (6, "aaa\n\nbü"),
        (7, "aaa\n\nbü\u20ac"[:-1]),
        (9, "aaa\n\nbü\u20ac"),
        (100, "aaa\n\nbü\u20ac"),
    ],
)
def test_the_limit_is_for_all_files_together(places: Places, limit: int, text: str | None) -> None:
    """In bytes; never half a character."""
    places.write("project/AGENTS.md", "aaa")
    places.write("project/sub/AGENTS.md", "bü\u20ac")

    assert project_docs(places.sub, limit_bytes=limit) == text


def test_what_the_limit_leaves_out_is_told(places: Places) -> None:
    """With the key that sets it; nothing is told when there are to be none."""
    root = places.write("project/AGENTS.md", "aaaa")
    sub = places.write("project/sub/AGENTS.md", "b")

    config = places.load({"project_doc_max_bytes": 3})

    assert config.user_instructions == "aaa"
    assert config.instruction_files == (str(root),)
    assert config.warnings == (
        f"{root}: only its first 3 bytes are used; project_doc_max_bytes sets the limit",
        f"{sub}: it is not used; project_doc_max_bytes has no room left for it",
    )
    assert places.load({"project_doc_max_bytes": 0}).warnings == ()
    assert places.load({"project_doc_max_bytes": 0}).user_instructions is None


def test_bytes_that_are_no_text_are_replaced(places: Places) -> None:
    """A file that is damaged still says what it says."""
    (places.project / "AGENTS.md").write_bytes(b"a\xffb")

    assert project_docs(places.sub) == "a\ufffdb"


def test_a_pipe_is_not_waited_for(places: Places) -> None:
    """And costs only itself."""
    os.mkfifo(places.sub / "AGENTS.md")
    (places.sub / "AGENTS.override.md").symlink_to("AGENTS.md")
    places.write("project/AGENTS.md", "root")

    config = places.load()

    assert config.user_instructions == "root"
    assert config.warnings == (
        f"{places.sub / 'AGENTS.override.md'}: it cannot be read: it is no regular file",
    )


def test_the_home_s_own_file_comes_first_and_without_margins(places: Places) -> None:
    """A line between it and the project's says where those begin."""
    home = places.write("home/AGENTS.md", "\n mine \n")
    root = places.write("project/AGENTS.md", "theirs\n")

    config = places.load()

    assert config.user_instructions == "mine\n\n--- project-doc ---\n\ntheirs\n"
    assert config.instruction_files == (str(home), str(root))
    root.unlink()
    assert places.load().user_instructions == "mine"
    home.unlink()
    assert places.load().user_instructions is None


def test_the_home_has_an_override_too(places: Places) -> None:
    """Unless it is blank."""
    places.write("home/AGENTS.md", "usual")
    override = places.write("home/AGENTS.override.md", "now")

    assert places.load().user_instructions == "now"
    override.write_text(" \n")
    assert places.load().user_instructions == "usual"


def test_the_home_s_file_is_not_the_project_s_as_well(places: Places) -> None:
    """For work in the home itself."""
    places.write("project/sub/AGENTS.md", "mine")
    (places.home).rmdir()
    (places.top / "home").symlink_to(places.sub)

    assert places.load().user_instructions == "mine"


def test_the_configuration_says_which_names_and_markers(places: Places) -> None:
    """Also a project that is trusted may add names."""
    places.write(places.user, 'project_root_markers = ["etc"]\n' + places.trust)
    places.write("CLAUDE.md", "top")
    config = places.load({"project_doc_fallback_filenames": ["CLAUDE.md"]})

    assert config.user_instructions == "top"


quickly = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


def written(places: Places, files: Sequence[bytes | None]) -> Path:
    deep = places.sub / "deep"
    deep.mkdir(exist_ok=True)
    for folder, data in zip((places.project, places.sub, deep), files, strict=True):
        path = folder / "AGENTS.md"
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
    return deep


@quickly
@given(
    st.lists(st.none() | st.text("ab \n\u00fc\u20ac", max_size=6), min_size=3, max_size=3),
    st.integers(0, 20),
)
def test_instructions_are_those_of_a_simple_model(
    places: Places, texts: list[str | None], limit: int
) -> None:
    """Whole characters of each file in turn, until the limit is reached."""
    files = [None if text is None else text.encode() for text in texts]

    found = project_docs(written(places, files), limit_bytes=limit)

    parts, left = [], limit
    for text in texts:
        fitting = [text[:n] for n in range(len(text) + 1)] if text else [""]
        part = [prefix for prefix in fitting if len(prefix.encode()) <= left][-1]
        if part.strip():
            parts.append(part)
            left -= min(left, len((text or "").encode()))
    assert (found or "") == "\n\n".join(parts)


@quickly
@given(st.lists(st.none() | st.binary(max_size=12), min_size=3, max_size=3), st.integers(0, 20))
def test_any_bytes_make_instructions_that_can_be_sent(
    places: Places, files: list[bytes | None], limit: int
) -> None:
    """Never an error, and never something that JSON cannot hold."""
    orjson.dumps(project_docs(written(places, files), limit_bytes=limit))


def test_the_folders_of_a_project_are_those_from_its_root_on(places: Places) -> None:
    """Links resolved; a folder that is missing counts as well."""
    link = places.top / "link"
    link.symlink_to(places.sub)

    assert project_folders(link, [".git"]) == (places.project, places.sub)
    assert project_folders(places.sub / "gone", [".git"])[-1] == places.sub / "gone"
    assert project_folders(Path("/"), [".git"]) == (Path("/"),)
