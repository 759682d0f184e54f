"""Authoring: what to sign, given keys and a slot. No clock, no files; keys are native handles."""
