"""Configuration: the home, the user's file, a thread's settings, the choice of a provider."""

from .builtin_providers import OPENAI_PROVIDER
from .choice import choose_provider
from .config_file import SANDBOX_MODES, Config, load_config
from .config_table import ConfigLayer
from .errors import ConfigError
from .home import resolve_home
from .mcp_config import mcp_servers_from_json
from .thread_config import ThreadConfig, own_version

__all__ = [
    "OPENAI_PROVIDER",
    "SANDBOX_MODES",
    "Config",
    "ConfigError",
    "ConfigLayer",
    "ThreadConfig",
    "choose_provider",
    "load_config",
    "mcp_servers_from_json",
    "own_version",
    "resolve_home",
]
