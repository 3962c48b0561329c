"""
Talking to a server as if its threads were here.

- `connecting`: to a server that runs, or to one that is started for it.
- `remote`, `remote_thread`: what a program gets, with the methods of a supervisor and of a
  thread; `protocols` says what both have, here and there.
- `hearing`, `mirror`: what the server says, on its way there; `work_lane`: submissions,
  on their way to the server; `wire_config`, `wire_models`, `forking`, `refusals`: its
  words and ours.
- `rpc_client`: one connection, requests and answers; `dialling` finds the server, and
  `process_client` starts one.
"""

from .connecting import connect, connect_process
from .errors import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    NotOverTheWire,
    RpcCallError,
    ThreadNotFollowed,
    TokenRejected,
)
from .process_client import open_process_client
from .protocols import EventReader, OpenedThread, ThreadHandle, ThreadManager
from .refusals import RolloutRefused
from .remote import RemoteNewThread, RemoteSupervisor
from .remote_reader import RemoteReader
from .remote_thread import RemoteThread
from .rpc_calls import ServerRequest
from .rpc_client import RpcClient, RpcClientStatistics, open_rpc_client

__all__ = [
    "CannotConnect",
    "ClientError",
    "ConnectionLost",
    "EventReader",
    "NotOverTheWire",
    "OpenedThread",
    "RemoteNewThread",
    "RemoteReader",
    "RemoteSupervisor",
    "RemoteThread",
    "RolloutRefused",
    "RpcCallError",
    "RpcClient",
    "RpcClientStatistics",
    "ServerRequest",
    "ThreadHandle",
    "ThreadManager",
    "ThreadNotFollowed",
    "TokenRejected",
    "connect",
    "connect_process",
    "open_process_client",
    "open_rpc_client",
]
