"""Evolution of the weights, one file for each algorithm."""
