"""The state transition: one file a chapter of the paper, joined by :mod:`jamliquor.stf.transition`."""
