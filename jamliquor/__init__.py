"""jamliquor: a JAM protocol node for boards with 128 MB of RAM."""
