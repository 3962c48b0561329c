"""Configuration: the home, the user's file, a thread's settings, the choice of a provider."""

from .builtin_providers import OPENAI_PROVIDER
from .choice import choose_provider
from .config_file import Config, load_config
from .errors import ConfigError
from .home import resolve_home
from .thread_config import ThreadConfig, own_version

__all__ = [
    "OPENAI_PROVIDER",
    "Config",
    "ConfigError",
    "ThreadConfig",
    "choose_provider",
    "load_config",
    "own_version",
    "resolve_home",
]
