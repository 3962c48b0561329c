"""What is said: ops, events, items, settings and rollout records as plain values."""
