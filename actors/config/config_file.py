"""The user's ``config.toml``, with the keys and meanings that Codex gives them."""

from __future__ import annotations

import os.path
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from actors.models import ProviderInfo
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    ReasoningEffort,
    SandboxPolicy,
    TruncationPolicy,
    WorkspaceWrite,
)
from messages.tool_settings import EnvironmentPolicy, McpServerConfig, ToolFeatures
from messages.value import Json

from .builtin_providers import OPENAI
from .config_table import ConfigLayer, ConfigTable
from .errors import ConfigError
from .mcp_config import read_mcp_servers
from .provider_config import read_chosen_provider, read_providers
from .thread_config import AGENT_MAX_DEPTH, AGENT_MAX_THREADS, ThreadConfig
from .tool_config import read_environment_policy, read_features, read_truncation_policy

__all__ = ["SANDBOX_MODES", "Config", "load_config"]

SANDBOX_MODES: Final = ("read-only", "workspace-write", "danger-full-access")
"""The values of ``sandbox_mode``."""

_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


@attrs.frozen(kw_only=True)
class Config:
    """
    What the user configured, with defaults for the rest.

    Attributes:
        path: The file; it need not exist.
        model: None asks for the provider's default.
        model_provider: One of `providers`.
        providers: By id; those of the house and the user's.
        effort: None for the model's own default.
        mcp_servers: By name.
        compact_prompt: What asks for a summary; None for the house's own words.
        auto_compact_token_limit: As in `ThreadConfig`.
        truncation_policy: How long tool outputs may be; None for the model's own.
        review_model: Model of reviews; None for the turn's own.
    """

    path: Path
    model: str | None = None
    model_provider: str = OPENAI
    providers: Mapping[str, ProviderInfo]
    approval_policy: AskForApproval = AskForApproval.ON_REQUEST
    sandbox_policy: SandboxPolicy = attrs.field(factory=ReadOnly)
    effort: ReasoningEffort | None = None
    environment_policy: EnvironmentPolicy = attrs.field(factory=EnvironmentPolicy)
    mcp_servers: Mapping[str, McpServerConfig] = attrs.field(factory=dict[str, McpServerConfig])
    features: ToolFeatures = attrs.field(factory=ToolFeatures)
    compact_prompt: str | None = attrs.field(default=None, repr=False)
    auto_compact_token_limit: int | None = None
    truncation_policy: TruncationPolicy | None = None
    review_model: str | None = None
    agent_max_threads: int = AGENT_MAX_THREADS
    agent_max_depth: int = AGENT_MAX_DEPTH

    def thread_config(self, cwd: str) -> ThreadConfig:
        """
        Make the settings of a thread that works in *cwd*.

        Raises:
            ConfigError: The path is not absolute.
        """
        return ThreadConfig(
            cwd=cwd,
            model=self.model,
            approval_policy=self.approval_policy,
            sandbox_policy=self.sandbox_policy,
            effort=self.effort,
            environment_policy=self.environment_policy,
            mcp_servers=self.mcp_servers,
            features=self.features,
            compact_prompt=self.compact_prompt,
            auto_compact_token_limit=self.auto_compact_token_limit,
            truncation_policy=self.truncation_policy,
            review_model=self.review_model,
            agent_max_threads=self.agent_max_threads,
            agent_max_depth=self.agent_max_depth,
        )


def load_config(home: Path, overrides: ConfigLayer | None = None) -> Config:
    """
    Read ``config.toml`` of a home; without such a file everything has its default.

    Keys of the file that nothing reads are left alone without a word, because a
    file that Codex uses too has many of them.

    Blocks while it reads; call it before the work begins.

    Args:
        home: Folder of the file.
        overrides: Settings that go before those of the file, by the same keys.

    Raises:
        ConfigError: The file cannot be read or is no TOML, or a key has a value it
            cannot have, in the file or in *overrides*.
    """
    path = home / "config.toml"
    file = ConfigLayer(raw=_parse(path), source=str(path), folder=home)
    table = ConfigTable((file,) if overrides is None else (file, overrides))
    config = _read(path, table)
    table.refuse_unread()
    return config


def _read(path: Path, table: ConfigTable) -> Config:
    effort = table.text("model_reasoning_effort")
    agents = table.table("agents")
    return Config(
        path=path,
        model=table.text("model"),
        providers=(providers := read_providers(table)),
        model_provider=read_chosen_provider(table, providers),
        approval_policy=_approval_policy(table),
        sandbox_policy=_sandbox_policy(table),
        effort=None if effort is None else ReasoningEffort(effort),
        environment_policy=read_environment_policy(table),
        mcp_servers=read_mcp_servers(table),
        features=read_features(table),
        compact_prompt=table.text("compact_prompt"),
        auto_compact_token_limit=table.limit("model_auto_compact_token_limit"),
        truncation_policy=read_truncation_policy(table),
        review_model=table.text("review_model"),
        agent_max_threads=agents.integer("max_threads", AGENT_MAX_THREADS, least=1),
        agent_max_depth=agents.integer("max_depth", AGENT_MAX_DEPTH),
    )


def _parse(path: Path) -> Mapping[str, Json]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as exc:
        raise ConfigError(str(path), "", f"it is no UTF-8 text: {exc}") from exc
    except OSError as exc:
        raise ConfigError(str(path), "", f"it cannot be read: {exc.strerror or exc}") from exc
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(str(path), "", "it is nested too deep") from None
    except ValueError as exc:  # TOMLDecodeError is one; so is a number with too many digits
        line = _LINE.search(str(exc))
        number = None if line is None else int(line[1])
        raise ConfigError(str(path), "", f"it is no TOML: {exc}", number) from exc


def _approval_policy(table: ConfigTable) -> AskForApproval:
    value = table.choice("approval_policy", [policy.value for policy in AskForApproval])
    return AskForApproval.ON_REQUEST if value is None else AskForApproval(value)


def _sandbox_policy(table: ConfigTable) -> SandboxPolicy:
    # Read in any mode, so that a mistake in it does not wait for a change of mode.
    workspace = _workspace(table.table("sandbox_workspace_write"))
    match table.choice("sandbox_mode", SANDBOX_MODES):
        case "workspace-write":
            return workspace
        case "danger-full-access":
            return DangerFullAccess()
        case _:
            return ReadOnly()


def _workspace(table: ConfigTable) -> WorkspaceWrite:
    return WorkspaceWrite(
        writable_roots=tuple(_root(table, root) for root in table.text_list("writable_roots")),
        network_access=table.flag("network_access"),
        exclude_tmpdir_env_var=table.flag("exclude_tmpdir_env_var"),
        exclude_slash_tmp=table.flag("exclude_slash_tmp"),
    )


def _root(table: ConfigTable, root: str) -> str:
    # Codex takes a relative root from the folder of the file, and "~" for the user's home.
    try:
        return os.path.normpath(table.folder("writable_roots") / Path(root).expanduser())
    except RuntimeError as exc:  # "~somebody", and there is nobody of that name
        table.refuse("writable_roots", f"{root!r} names no folder: {exc}")
