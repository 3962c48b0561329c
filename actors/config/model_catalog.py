"""The catalog of models of the provider that the user chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.models import SCRIPTED_PROVIDER, ModelCatalog, ModelsFetch, http_models_fetch
from actors.models.request_body import takes_login
from actors.runtime import World

from .choice import choose_info, open_login
from .loaded_config import Config
from .thread_config import own_version

__all__ = ["open_catalog"]


def open_catalog(
    config: Config,
    environ: Mapping[str, str],
    *,
    watch: Callable[[ModelsFetch], ModelsFetch] | None = None,
) -> ModelCatalog:
    """
    Make the catalog of the chosen provider.

    Args:
        config: See `load_config`.
        environ: The environment of the process.
        watch: Put around what asks the provider, for who wants to see failures.

    Raises:
        ConfigError: ``OPENAI_BASE_URL`` is no address.
    """
    info = choose_info(config, environ)
    auth = open_login(config, environ) if takes_login(info) else None
    fetch: ModelsFetch | None = None
    if info.id != SCRIPTED_PROVIDER.id:
        fetch = http_models_fetch(info, environ=environ, version=own_version(), auth=auth)
    return ModelCatalog(
        home=config.home,
        provider=info,
        fetch=fetch if fetch is None or watch is None else watch(fetch),
        world=World.system(),
        version=own_version(),
        remote=fetch is not None,
        accounts=auth,
    )
