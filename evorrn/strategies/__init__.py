"""Training strategies: evolution of the weights, reservoirs with a solved readout, gradients, hybrids."""
