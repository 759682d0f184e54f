"""Checking the node against what others published: vectors, recorded chains, other nodes."""
