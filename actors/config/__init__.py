"""
Configuration: the home, its layers, a thread's settings, modes, the choice of a provider.

Layers are told apart by `LayerKind`; `load_config` reads them all.
"""

from .builtin_providers import OPENAI_PROVIDER
from .choice import choose_info, choose_provider, open_login
from .collaboration import (
    CollaborationModeMask,
    apply_mask,
    list_collaboration_modes,
    mode_preset,
)
from .config_cache import ConfigCache
from .config_edits import Edit, parse_key_path, set_value, skill_file, switch_skill
from .config_file import load_config, load_config_async
from .config_layer import ConfigLayer, LayerKind, Origin, Setting
from .config_writer import ConfigWriter, user_layer
from .errors import ConfigChanged, ConfigError, ConfigKeyMissing, ConfigNotWritten
from .home import resolve_home
from .layering import SYSTEM_CONFIG
from .loaded_config import Config
from .masking import masked, masked_text
from .mcp_config import mcp_servers_from_json
from .model_catalog import open_catalog
from .project_docs import project_docs
from .sandbox_config import SANDBOX_MODES
from .thread_config import ThreadConfig, own_version

__all__ = [
    "OPENAI_PROVIDER",
    "SANDBOX_MODES",
    "SYSTEM_CONFIG",
    "CollaborationModeMask",
    "Config",
    "ConfigCache",
    "ConfigChanged",
    "ConfigError",
    "ConfigKeyMissing",
    "ConfigLayer",
    "ConfigNotWritten",
    "ConfigWriter",
    "Edit",
    "LayerKind",
    "Origin",
    "Setting",
    "ThreadConfig",
    "apply_mask",
    "choose_info",
    "choose_provider",
    "list_collaboration_modes",
    "load_config",
    "load_config_async",
    "masked",
    "masked_text",
    "mcp_servers_from_json",
    "mode_preset",
    "open_catalog",
    "open_login",
    "own_version",
    "parse_key_path",
    "project_docs",
    "resolve_home",
    "set_value",
    "skill_file",
    "switch_skill",
    "user_layer",
]
