"""Benchmarks that come with the package: what the owner of a board wants to know of it."""
