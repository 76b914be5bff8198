"""MirroredStrategy: every direction is tried on both sides of the mean, which needs an even population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy, centred_ranks, standardised


@dataclass(frozen=True)
class MirroredStrategy(PopulationStrategy):
    """A search whose state has ``mean`` (n,), ``sigma`` (n,) and ``noise`` (P / 2, n), its last directions."""

    population: int = setting(32, "individuals of a generation, two for each direction", minimum=2)
    shaping: str = setting(
        "ranks",
        "what an individual counts by: its rank, or its fitness standardised",
        choices=("ranks", "raw"),
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or pair of settings, that is not allowed."""
        found = super().problems()
        if not found and self.population % 2:
            found.append(
                f"population: {self.name} samples in pairs and needs an even number of at least "
                f"{self.least_population}, got {self.population}"
            )
        return found

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the points (P, n): the mean plus each direction, then the mean less each direction."""
        noise = rng.standard_normal((self.population // 2, method["mean"].size))
        steps = method["sigma"] * noise
        points = np.concatenate([method["mean"] + steps, method["mean"] - steps])
        return {**method, "noise": noise}, points

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["mean"]

    def spread(self, method: State) -> np.ndarray:
        """Return the step sizes (n,)."""
        return method["sigma"]

    def sides(self, fitness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what individuals count by, of mean 0: plus each direction (P / 2,), and less it (P / 2,)."""
        counts = centred_ranks(fitness) if self.shaping == "ranks" else standardised(fitness)
        return counts[: len(counts) // 2], counts[len(counts) // 2 :]
