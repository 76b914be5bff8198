"""Strategies made of other strategies: one after the other, or one inside the other."""
