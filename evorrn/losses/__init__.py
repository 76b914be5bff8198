"""Losses: value and gradient of one time step."""
