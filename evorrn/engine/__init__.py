"""How a network runs: one folder for each layout of the vector axis, and the cache of compiled kernels."""
