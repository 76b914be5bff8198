"""The engine runs networks, by listings of kernels or by emitted programs. One folder for each layout of vectors."""
