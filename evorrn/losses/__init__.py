"""Losses, one file each: the loss of a network's outputs, and its gradient with respect to them."""
