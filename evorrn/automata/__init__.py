"""Finite automata: deterministic acceptors, Tomita's languages, and the automata that trained networks compute.

A name is loaded when it is first used, so that automata alone need nothing but NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
