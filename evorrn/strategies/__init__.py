"""Ways of training: evolution of the weights, reservoirs with a solved readout, gradients."""
