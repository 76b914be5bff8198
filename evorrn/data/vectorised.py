"""Environments that are stepped in Python, several episodes side by side, since they cannot run in a kernel."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.data.environment import Environment


class Worlds(Protocol):
    """Several copies of a world that are stepped together."""

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Begin new episodes in some lanes (N,) of bool, from seeds (N,); return all observations (N, I)."""

    def step(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act on outputs (N, O); return observations (N, I), rewards (N,) and which episodes ended (N,)."""


class VectorisedEnvironment(Environment):
    """An environment whose episodes run in Python: a start is the seed of an episode, and `worlds` steps many.

    A subclass gives `worlds`, sizes and a time limit. An episode depends on genome and seed alone, as long as
    the world does.
    """

    states = 1

    def worlds(self, count: int) -> Worlds:
        """Return `count` copies of the world."""
        raise NotImplementedError

    @property
    def reset(self) -> Any:
        """Not available: an episode starts from a seed."""
        raise EvorrnError(f"{self.name}: runs in Python, so it has no functions for a kernel")

    @property
    def observe(self) -> Any:
        """Not available: `worlds` gives the observations."""
        return self.reset

    @property
    def step(self) -> Any:
        """Not available: `worlds` takes the steps."""
        return self.reset

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state is hidden in the world; pictures show the observations."""
        return self.input_names
