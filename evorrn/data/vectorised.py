"""Environments that cannot run in a kernel: Python steps several episodes at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.data.environment import Environment


class Worlds(Protocol):
    """Several copies of an environment that are stepped together, one episode in each of N lanes."""

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Start new episodes from the seeds (N,) in the lanes (N,) that are True; return all observations (N, I)."""

    def step(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take a step with the outputs (N, O); return observations (N, I), rewards (N,) and which ended (N,)."""


class VectorisedEnvironment(Environment):
    """Base class of environments whose episodes run in Python; an episode starts from a seed.

    A subclass defines `worlds`, the sizes and the time limit. An episode depends only on genome and seed if the
    environment itself depends only on its seed. Observations and rewards must be finite and of the declared shapes;
    otherwise the run ends with an error.
    """

    states = 1

    @property
    def label(self) -> str:
        """What errors in an episode call the environment; its name by default."""
        return self.name

    def worlds(self, count: int) -> Worlds:
        """Return `count` copies of the environment that are stepped together."""
        raise NotImplementedError

    @property
    def reset(self) -> Any:
        """Not available, since an episode starts from a seed; raises EvorrnError."""
        raise EvorrnError(f"{self.name}: runs in Python, so it has no functions for a kernel")

    @property
    def observe(self) -> Any:
        """Not available, since `worlds` returns the observations; raises EvorrnError."""
        return self.reset

    @property
    def step(self) -> Any:
        """Not available, since `worlds` takes the steps; raises EvorrnError."""
        return self.reset

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the observations, which figures show since the state is not known."""
        return self.input_names
