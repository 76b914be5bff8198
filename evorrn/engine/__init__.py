"""The engine: emits numba programs for a network, compiles and runs them. One folder for each layout of vectors."""
