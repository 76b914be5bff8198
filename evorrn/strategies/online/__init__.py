"""Learning online: gradients that are carried forward in time, without unrolling."""
