"""The app-server protocol: connections of clients, and what they ask and are told."""
