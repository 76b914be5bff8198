"""Losses, one file each: the loss of a network's outputs, and its gradient with respect to them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
