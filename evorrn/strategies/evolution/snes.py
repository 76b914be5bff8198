"""SNES: natural gradient on the mean and on one step size per gene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.recombination import usual_population
from evorrn.strategies.evolution.shaping import shared_weights, standardised
from evorrn.strategies.evolution.start import SIGMA, Start


@dataclass(frozen=True)
class SNES(PopulationStrategy):
    """Separable natural evolution strategy; cost is linear in the genes.

    With samples x_k = m + s * z_k and utilities u_k, one generation is

        m <- m + eta_m * s * sum_k u_k z_k,    s <- s * exp(eta_s / 2 * sum_k u_k (z_k^2 - 1)).

    Notes
    -----
    Source: D. Wierstra, T. Schaul, T. Glasmachers, Y. Sun, J. Peters and J. Schmidhuber, Natural Evolution
    Strategies, JMLR 15 (2014), algorithm 6, with the utilities and defaults of its table 1. Deviations:
    individuals of equal fitness get the mean of their utilities; standardised raw fitness can replace ranks.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.SNES().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "snes"

    sigma: float | None = setting(None, SIGMA, above=0)
    rate_mean: float = setting(1.0, "learning rate of the mean", above=0)
    rate_sigma: float | None = setting(
        None, "learning rate of the step sizes; (3 + ln n) / (5 sqrt n) by default", above=0
    )
    shaping: str = setting(
        "ranks",
        "fitness shaping: ranks, or raw fitness standardised within the generation",
        choices=("ranks", "raw"),
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean and step sizes; 4 + 3 ln n individuals by default."""
        size = start.point.size
        return {
            "mean": start.point,
            "sigma": np.full(size, self.sigma or start.deviation),
            "population": self.population or usual_population(size),
            "noise": np.zeros((0, size)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean; the state keeps their noise for the update."""
        noise = rng.standard_normal((method["population"], method["mean"].size))
        return {**method, "noise": noise}, method["mean"] + method["sigma"] * noise

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state after a step along the natural gradient of the expected utility."""
        noise, sigma = method["noise"], method["sigma"]
        if self.shaping == "ranks":
            weights = shared_weights(fitness, utilities(len(fitness)))
        else:
            weights = standardised(fitness) / len(fitness)
        rate = self.rate_sigma or (3 + math.log(sigma.size)) / (5 * math.sqrt(sigma.size))
        return {
            **method,
            "mean": method["mean"] + self.rate_mean * sigma * (weights @ noise),
            "sigma": sigma * np.exp(rate / 2 * (weights @ np.square(noise) - weights.sum())),
            "noise": np.zeros((0, sigma.size)),
        }

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["mean"]

    def spread(self, method: State) -> np.ndarray:
        """Return the step sizes (n,)."""
        return method["sigma"]


def utilities(count: int) -> np.ndarray:
    """Return the utilities of NES, from the best to the worst, shape (P,); their sum is 0."""
    raw = np.maximum(0.0, math.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    return raw / raw.sum() - 1 / count
