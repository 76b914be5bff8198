"""Derivatives of single time steps, and the influence of the genes on the state."""
