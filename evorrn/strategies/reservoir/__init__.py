"""Reservoirs: random recurrent networks of which only the readout is trained."""
