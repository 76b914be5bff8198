"""Modules of version 0.1.0 that have moved: files of users that import them go on working, with a warning.

What such files need is imported from `evorrn` itself.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MOVED = {
    "evorrn.batch": ("evorrn.data.batch",),
    "evorrn.budget": ("evorrn.training.budget",),
    "evorrn.environment": (
        "evorrn.data.environment",
        "evorrn.kernels.trigonometry",
        "evorrn.kernels.activations",
    ),
    "evorrn.errors": ("evorrn.base.errors",),
    "evorrn.metered": ("evorrn.training.meter",),
    "evorrn.metrics": ("evorrn.data.metrics",),
    "evorrn.problem": ("evorrn.training.problem",),
    "evorrn.result": ("evorrn.training.result",),
    "evorrn.settings": ("evorrn.base.settings",),
    "evorrn.task": ("evorrn.data.task", "evorrn.kernels.cached"),
    "evorrn.vectorised": ("evorrn.data.vectorised",),
}
"""Where the names of each module are now."""


class Moved(ModuleType):
    """A module whose names are looked up where they are now."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            for home in map(importlib.import_module, MOVED[self.__name__]):
                if hasattr(home, name):
                    return getattr(home, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class Finder:
    """Finds the modules of `MOVED`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how a moved module is loaded, None for all others."""
        known = fullname in MOVED
        return importlib.machinery.ModuleSpec(fullname, self) if known else None  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module."""
        return Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Warn; ``evorrn.task`` stays the function of that name, with the names of the module on it."""
        name = module.__name__
        warnings.warn(f"{name} has moved: import its names from evorrn", DeprecationWarning, stacklevel=2)
        if name == "evorrn.task":
            task = importlib.import_module("evorrn.data.find").task
            for home in map(importlib.import_module, MOVED[name]):
                vars(task).update(
                    {key: value for key, value in vars(home).items() if not key.startswith("_")}
                )
            sys.modules[name] = task


def install() -> None:
    """Let Python find the modules of `MOVED`."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
