"""Listings: rows of numbers that name compiled kernels and the places they work on, and the walk that runs them.

A network is run by a listing without being compiled, since the kernels are shared by all networks.
"""
