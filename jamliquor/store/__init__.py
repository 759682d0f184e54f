"""Blocks and states, in memory or on disk."""
