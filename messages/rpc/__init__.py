"""What the app-server and its clients say to each other: plain values, one module a subject."""
