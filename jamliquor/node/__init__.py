"""The node: chain, store, log and clock wired together."""
