"""MirroredStrategy: each direction is evaluated on both sides of the mean, so populations are even."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.shaping import centred_ranks, standardised


@dataclass(frozen=True)
class MirroredStrategy(PopulationStrategy):
    """Base of searches with mirrored sampling.

    The state has ``mean`` (n,), ``sigma`` (n,) and ``noise`` (P / 2, n), the directions of the last sample.
    """

    population: int = setting(
        32, "individuals of a generation, two for each direction; an even number", minimum=2
    )
    shaping: str = setting(
        "ranks",
        "fitness shaping: ranks, or raw fitness standardised within the generation",
        choices=("ranks", "raw"),
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if not found and self.population % 2:
            found.append(
                f"population: {self.name} samples in pairs and needs an even number of at least "
                f"{self.least_population}, got {self.population}"
            )
        return found

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the points (P, n): the mean plus each direction, then the mean minus each direction."""
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

    def split_fitness(self, fitness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shaped fitness of mean 0: of the points plus (P / 2,) and minus (P / 2,) each direction."""
        shaped = centred_ranks(fitness) if self.shaping == "ranks" else standardised(fitness)
        return shaped[: len(shaped) // 2], shaped[len(shaped) // 2 :]
