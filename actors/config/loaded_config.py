"""What the user configured, with defaults for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import attrs

from actors.models import CredentialStore, ModelOverrides, ProviderInfo
from actors.skills import SkillRoot
from messages.settings import (
    AskForApproval,
    Personality,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
    TruncationPolicy,
)
from messages.tool_settings import EnvironmentPolicy, McpServerConfig, ToolFeatures

from .builtin_providers import OPENAI
from .config_layer import ConfigLayer, Origin, Setting
from .thread_config import AGENT_MAX_DEPTH, AGENT_MAX_THREADS, ThreadConfig

__all__ = ["Config"]


@attrs.frozen(kw_only=True)
class Config:
    """
    What the user configured, with defaults for the rest.

    Attributes:
        path: The user's file; it need not exist.
        cwd: The folder whose project was looked at; absolute.
        model: None asks for the provider's default.
        model_provider: One of `providers`.
        providers: By id; those of the house and the user's.
        effort: None for the model's own default.
        summary: How much of its reasoning the model sums up.
        personality: None leaves the tone to the model.
        base_instructions: None for those of the model.
        developer_instructions: The user's, for all models.
        user_instructions: From the AGENTS.md of the home and of the project.
        instruction_files: Where those are from, in order.
        mcp_servers: By name.
        compact_prompt: What asks for a summary; None for the house's own words.
        auto_compact_token_limit: As in `ThreadConfig`.
        truncation_policy: How long tool outputs may be; None for the model's own.
        model_overrides: What the user knows better than the list of models.
        review_model: Model of reviews; None for the turn's own.
        skill_roots: Where skills are looked for.
        rule_folders: Of the system and of the trusted project; see `ThreadConfig`.
        disabled_skills: Paths of the skills that are switched off.
        credential_store: Where the user's login is kept; see `open_login`.
        warnings: A line for each thing that the user should know and that hinders nothing.
        layers: All places that something came from, lowest first; hold secrets.
        settings: Each key that counts, with its value and its origin.
    """

    path: Path
    cwd: str
    model: str | None = None
    model_provider: str = OPENAI
    providers: Mapping[str, ProviderInfo]
    approval_policy: AskForApproval = AskForApproval.ON_REQUEST
    sandbox_policy: SandboxPolicy = attrs.field(factory=ReadOnly)
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    personality: Personality | None = None
    base_instructions: str | None = attrs.field(default=None, repr=False)
    developer_instructions: str | None = attrs.field(default=None, repr=False)
    user_instructions: str | None = attrs.field(default=None, repr=False)
    instruction_files: tuple[str, ...] = ()
    environment_policy: EnvironmentPolicy = attrs.field(factory=EnvironmentPolicy)
    mcp_servers: Mapping[str, McpServerConfig] = attrs.field(factory=dict[str, McpServerConfig])
    features: ToolFeatures = attrs.field(factory=ToolFeatures)
    compact_prompt: str | None = attrs.field(default=None, repr=False)
    auto_compact_token_limit: int | None = None
    truncation_policy: TruncationPolicy | None = None
    model_overrides: ModelOverrides = attrs.field(factory=ModelOverrides)
    review_model: str | None = None
    agent_max_threads: int = AGENT_MAX_THREADS
    agent_max_depth: int = AGENT_MAX_DEPTH
    skill_roots: tuple[SkillRoot, ...] = ()
    rule_folders: tuple[str, ...] = ()
    disabled_skills: frozenset[str] = frozenset()
    credential_store: CredentialStore = CredentialStore.FILE
    warnings: tuple[str, ...] = ()
    layers: tuple[ConfigLayer, ...] = attrs.field(default=(), repr=False, eq=False)
    settings: tuple[Setting, ...] = attrs.field(default=(), repr=False, eq=False)

    @property
    def home(self) -> Path:
        """The folder of the user's file."""
        return self.path.parent

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Which layer each key is from, with dots; keys that have their default are missing."""
        return {
            setting.key: setting.origin for setting in self.settings if setting.origin is not None
        }

    def thread_config(self, cwd: str | None = None) -> ThreadConfig:
        """
        Make the settings of a thread.

        Args:
            cwd: Where it works; None for the folder that the configuration is of.
                Another folder may belong to another project, whose settings are
                not in here.

        Raises:
            ConfigError: The path is not absolute.
        """
        return self._thread_config if cwd is None else attrs.evolve(self._thread_config, cwd=cwd)

    # Once for all threads of a server that have this configuration.
    @cached_property
    def _thread_config(self) -> ThreadConfig:
        return ThreadConfig(
            cwd=self.cwd,
            model=self.model,
            approval_policy=self.approval_policy,
            sandbox_policy=self.sandbox_policy,
            effort=self.effort,
            summary=self.summary,
            personality=self.personality,
            base_instructions=self.base_instructions,
            developer_instructions=self.developer_instructions,
            user_instructions=self.user_instructions,
            environment_policy=self.environment_policy,
            mcp_servers=self.mcp_servers,
            features=self.features,
            compact_prompt=self.compact_prompt,
            auto_compact_token_limit=self.auto_compact_token_limit,
            truncation_policy=self.truncation_policy,
            model_overrides=self.model_overrides,
            review_model=self.review_model,
            agent_max_threads=self.agent_max_threads,
            agent_max_depth=self.agent_max_depth,
            skill_roots=self.skill_roots,
            rule_folders=self.rule_folders,
            disabled_skills=self.disabled_skills,
        )
