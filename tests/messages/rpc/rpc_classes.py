"""Every class of the app-server protocol."""

import importlib
import pkgutil

import attrs

from messages import rpc
from messages.rpc.value import RpcParams, RpcValue

__all__ = ["RPC_CLASSES", "RPC_MODULES"]

RPC_MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(rpc.__path__, "messages.rpc.")
]

RPC_CLASSES: list[type[RpcValue]] = sorted(
    {
        value
        for module in RPC_MODULES
        for name, value in vars(module).items()
        if isinstance(value, type)
        and attrs.has(value)
        and issubclass(value, RpcValue)
        and value not in {RpcValue, RpcParams}
        and not name.startswith("_")
    },
    key=lambda cls: cls.__qualname__,
)
