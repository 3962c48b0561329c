"""Helpers for tests of programs that embed Treadle; public, deterministic, offline."""

from .harness import collect_until, open_test_supervisor

__all__ = ["collect_until", "open_test_supervisor"]
