"""Worker processes: how they are forked, what they do, and what they and the pool say."""
