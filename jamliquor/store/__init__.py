"""What the node keeps on disk: blocks, states, chain archives and the log of what it did."""
