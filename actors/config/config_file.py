"""Reading the configuration, with the keys and meanings that Codex gives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import attrs
import trio

from messages.settings import ReasoningEffort
from messages.value import Json

from .config_layer import ConfigLayer
from .errors import ConfigError
from .layering import CONFIG_FILE, SYSTEM_CONFIG, FoundLayers, find_layers
from .loaded_config import Config
from .looks import real_path
from .mcp_config import read_mcp_servers
from .model_config import (
    read_base_instructions,
    read_compact_prompt,
    read_model_overrides,
    read_personality,
    read_summary,
)
from .project import read_file_names
from .project_docs import (
    DEFAULT_DOC_LIMIT_BYTES,
    Docs,
    joined_instructions,
    read_home_doc,
    read_project_docs,
)
from .provider_config import read_chosen_provider, read_credential_store, read_providers
from .sandbox_config import read_approval_policy, read_sandbox_policy
from .skills_config import find_skill_roots, read_disabled_skills
from .thread_config import AGENT_MAX_DEPTH, AGENT_MAX_THREADS
from .tool_config import read_environment_policy, read_features, read_truncation_policy
from .unknown_keys import unknown_keys

__all__ = ["load_config", "load_config_async"]


def load_config(
    home: Path,
    *,
    cwd: Path | str,
    overrides: ConfigLayer | None = None,
    profile: str | None = None,
    system: Path | None = SYSTEM_CONFIG,
    user: Mapping[str, Json] | None = None,
) -> Config:
    """
    Read the configuration of a home, for work in a folder.

    What is missing has its default.  The system's file comes first; then, each going
    before those that came earlier: the user's ``config.toml``, the ``.codex`` folders
    of a trusted project, the chosen profile, *overrides*.  Tables are merged.  Keys
    that nothing reads are told in `Config.warnings`, unless they are Codex's own.

    Blocks while it reads; call it before the work begins, or `load_config_async`.

    Args:
        home: Folder of the user's file.
        cwd: Where a thread is to work; a relative one begins at the working directory.
        overrides: Settings that go before all files, by the same keys.
        profile: Which of ``[profiles.*]`` counts; None for what ``profile`` says.
        system: The file that is the same for all users; None for none.
        user: What to take for the contents of the user's file; None for what it holds.

    Raises:
        ConfigError: A file cannot be read or is no TOML, or a key has a value it
            cannot have.
    """
    if "\0" in str(cwd):
        raise ConfigError(None, "cwd", "the path has a null character in it; take it out")
    folder = Path(os.path.abspath(cwd))  # noqa: PTH100 -- without "..", for people
    session = overrides or ConfigLayer(raw={}, source=None, folder=folder)
    if profile is not None:
        session = attrs.evolve(session, raw={**session.raw, "profile": profile})
    layers = find_layers(home, cwd=folder, overrides=session, system=system, user=user)
    config = _read(home, str(folder), layers)
    unknown = unknown_keys(layers.table, layers.base)
    admin = None if system is None else system.parent
    return attrs.evolve(
        config,
        skill_roots=find_skill_roots(home, cwd=folder, markers=layers.markers, admin=admin),
        warnings=(*layers.warnings, *unknown, *config.warnings),
        layers=layers.table.layers,
        settings=tuple(sorted(layers.table.settings(), key=lambda setting: setting.path)),
    )


async def load_config_async(
    home: Path,
    *,
    cwd: Path | str,
    overrides: ConfigLayer | None = None,
    profile: str | None = None,
    system: Path | None = SYSTEM_CONFIG,
) -> Config:
    """
    Read the configuration in an OS thread; else as `load_config`.

    Cancellation:
        At once; what the OS thread reads then is thrown away.
    """
    read = partial(load_config, home, cwd=cwd, overrides=overrides, profile=profile, system=system)
    return await trio.to_thread.run_sync(read, abandon_on_cancel=True)


def _read(home: Path, cwd: str, layers: FoundLayers) -> Config:
    table = layers.table
    agents = table.table("agents")
    providers = read_providers(table)
    docs = _read_docs(home, layers)
    disabled = read_disabled_skills(table)
    effort = table.text("model_reasoning_effort")
    return Config(
        path=home / CONFIG_FILE,
        cwd=cwd,
        model=table.text("model"),
        providers=providers,
        model_provider=read_chosen_provider(table, providers),
        approval_policy=read_approval_policy(table),
        sandbox_policy=read_sandbox_policy(table),
        effort=None if effort is None else ReasoningEffort(effort),
        summary=read_summary(table),
        personality=read_personality(table),
        base_instructions=read_base_instructions(table),
        developer_instructions=table.text("developer_instructions"),
        user_instructions=docs.text,
        instruction_files=docs.paths,
        environment_policy=read_environment_policy(table),
        mcp_servers=read_mcp_servers(table),
        features=read_features(table),
        compact_prompt=read_compact_prompt(table),
        model_overrides=read_model_overrides(table),
        auto_compact_token_limit=table.limit("model_auto_compact_token_limit"),
        truncation_policy=read_truncation_policy(table),
        review_model=table.text("review_model"),
        agent_max_threads=agents.integer("max_threads", AGENT_MAX_THREADS, least=1),
        agent_max_depth=agents.integer("max_depth", AGENT_MAX_DEPTH),
        rule_folders=tuple(map(str, layers.rule_folders)),
        disabled_skills=disabled.paths,
        credential_store=read_credential_store(table),
        warnings=(*docs.warnings, *disabled.warnings),
    )


def _read_docs(home: Path, layers: FoundLayers) -> Docs:
    table = layers.table
    fallbacks = read_file_names(table, "project_doc_fallback_filenames", ())
    limit = table.integer("project_doc_max_bytes", DEFAULT_DOC_LIMIT_BYTES)
    own = read_home_doc(home)
    project = read_project_docs(
        layers.folders,
        fallback_names=fallbacks,
        limit_bytes=limit,
        but_not=real_path(own.paths[0]) if own.paths else None,
    )
    return Docs(
        text=joined_instructions(own, project),
        paths=(*own.paths, *project.paths),
        warnings=(*own.warnings, *project.warnings),
    )
