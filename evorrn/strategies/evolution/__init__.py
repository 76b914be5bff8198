"""Evolution of the weights: one file per algorithm, on DEAP, with compiled operators."""
