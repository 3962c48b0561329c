"""
MCP servers: tools that other programs bring.

- `pool`: the servers of a program, shared by configuration; `lease`: those of a thread.
- `server`: the owner task of one; `connection`: its session, over `stdio` or `streamable_http`.
- `mcp_tool`, `resource_tools`: what models call.
"""

from .errors import RequiredServersFailed
from .lease import McpLease
from .pool import McpPool, McpPoolStatistics, open_mcp_pool

__all__ = ["McpLease", "McpPool", "McpPoolStatistics", "RequiredServersFailed", "open_mcp_pool"]
