"""
The ways by which clients come: standard input and output, Unix sockets, WebSocket.

- `listening`: from an address to connections that are served; `addresses` reads it.
- `stdio`, with OS threads (`os_pipe`); `unix`, with its file (`socket_file`); both in `lines`.
- `websocket`, behind its door (`upgrade`) with its secret (`bearer`).
- `message_stream`: what they all look like to a connection.
"""
