"""Automata from trained networks: by clusters of their states, and by queries."""
