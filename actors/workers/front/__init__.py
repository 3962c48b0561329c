"""The front of a pool: one app-server to its clients, that lets workers do what they ask."""
