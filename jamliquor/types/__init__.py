"""Blocks, work and state as values: records of the paper's terms in English, encoded as declared."""
