"""How fast and how small jamliquor is: one file a path, results and their page beside them."""
