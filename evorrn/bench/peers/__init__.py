"""What ours is set against, a file each; the only place that imports peers, and only when they are timed."""

from __future__ import annotations

import importlib
from types import ModuleType

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "deap",
    "jax",
    "torch",
    "evosax",
    "evotorch",
    "reservoirpy",
    "braintrace",
)
"""Whose versions belong to a measurement."""

EXTRAS = {"braintrace_online": "braintrace"}
"""The extra that a peer comes with, where it is not ``bench``."""


def load(name: str, missing: dict[str, str]) -> ModuleType | None:
    """Return the module that drives a peer, or None, with the reason put into `missing`."""
    if name in missing:
        return None
    try:
        return importlib.import_module(f"{__name__}.{name}_peer")
    except ImportError as error:
        missing[name] = f"{error} (it comes with: pip install 'evorrn[{EXTRAS.get(name, 'bench')}]')"
    except Exception as error:  # a package that is there and breaks when it is imported
        missing[name] = f"{type(error).__name__} when it was imported: {error}"
    return None
