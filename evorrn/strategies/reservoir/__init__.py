"""Reservoirs: random recurrent networks whose readout alone is solved for."""
