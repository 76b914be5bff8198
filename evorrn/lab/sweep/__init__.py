"""Sweeps: many runs from one file, on one machine or many, killed and resumed without loss."""
