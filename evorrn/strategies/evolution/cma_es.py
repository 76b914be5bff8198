"""CMA-ES: a full covariance matrix and a step size, adapted by the paths of the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.covariance import LazyStrategy
from evorrn.strategies.evolution.population import PopulationStrategy, Start
from evorrn.strategies.evolution.recombination import best_first, usual_population
from evorrn.strategies.evolution.restarts import ended, following, remembered


@dataclass(frozen=True)
class CMAES(PopulationStrategy):
    """Covariance matrix adaptation evolution strategy on DEAP's `cma.Strategy`, for up to a few thousand genes.

    Samples are x_k = m + sigma B D z_k with C = B D^2 B^T. The better half, weighted by rank, moves the mean;
    the moves add up to two paths, of which one sets sigma by its length and the other, beside the better half
    itself, adapts C.

    Notes
    -----
    Source: N. Hansen and A. Ostermeier, Completely Derandomized Self-Adaptation in Evolution Strategies,
    Evolutionary Computation 9 (2001), with the rank-mu update and the defaults of N. Hansen, The CMA Evolution
    Strategy: A Tutorial, arXiv:1604.00772, without negative weights. Restarts: see
    `evorrn.strategies.evolution.restarts.ended` and `following`. Deviations from DEAP: see
    `evorrn.strategies.evolution.covariance.LazyStrategy`. Equal individuals rank in their order of
    arrival, and a run starts anew at a point drawn like the first (the papers draw it uniformly from the
    search domain, which a genome does not have).

    The decomposition of C is cubic in the number of genes n, though it is rare, and a generation takes time of
    the order of n^2 for each individual, and memory of n^2. Beyond a few thousand genes use `SNES`,
    `SepCMAES` or `LMMAES`, which are linear in n.
    """

    name: ClassVar[str] = "cma-es"

    sigma: float | None = setting(
        None, "step size at the start; the deviation of the start genomes by default", above=0
    )
    restarts: str = setting(
        "none",
        "whether a run that has converged or stagnates starts anew, with the population doubled each time "
        "(ipop), or with large and small populations in turn (bipop)",
        choices=("none", "ipop", "bipop"),
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return DEAP's state, taken apart; 4 + 3 ln n individuals by default."""
        run = following(
            self.restarts,
            start.previous,
            self.population or usual_population(start.point.size),
            self.sigma or start.deviation,
            rng,
        )
        return {
            **LazyStrategy.begun(start.point, run["first_sigma"], run.pop("population")),
            **run,
            "steps": np.zeros((0, start.point.size)),
            "memory": np.zeros((0, 3)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean."""
        steps = LazyStrategy(method).steps(int(rng.integers(2**32)))
        return {**method, "steps": steps}, method["centroid"] + method["sigma"] * steps

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Update DEAP's state from the steps of the better half."""
        strategy = LazyStrategy(method)
        strategy.update(method["steps"][best_first(fitness, strategy.mu)])
        memory = method["memory"] if self.restarts == "none" else remembered(method["memory"], fitness)
        return {**method, **strategy.plain(), "steps": method["steps"][:0].copy(), "memory": memory}

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["centroid"]

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,)."""
        return method["sigma"] * np.sqrt(np.diag(method["C"]))

    def stagnates(self, method: State, waiting: int) -> bool:
        """Return whether a criterion of the literature, or that of the setting, ends this run."""
        return super().stagnates(method, waiting) or (self.restarts != "none" and bool(ended(method)))

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the population, which restarts change, and the ratio of the longest to the shortest axis."""
        axes = method["diagD"]
        return {"population": method["lambda_"], "axis_ratio": float(axes.max() / axes.min())}
