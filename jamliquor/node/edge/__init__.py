"""The edge benchmark: the node's work under the limits of a small board, judged by the budgets."""
