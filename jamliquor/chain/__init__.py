"""Chains of blocks: which blocks and states are known, and how a block joins them."""
