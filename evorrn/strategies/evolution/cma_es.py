"""CMA-ES: a full covariance matrix and a step size, adapted by evolution paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import FLOAT, State
from evorrn.strategies.evolution.covariance import EIGENVECTORS, LazyStrategy, check_size
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.recombination import ACTIVE, best_first, usual_population
from evorrn.strategies.evolution.restarts import ended, next_run, with_generation
from evorrn.strategies.evolution.start import SIGMA, Start

if TYPE_CHECKING:
    from evorrn.network.network import Network

SQUARES = 5
"""Matrices of n x n numbers that are held at once when the covariance is decomposed."""


@dataclass(frozen=True)
class CMAES(PopulationStrategy):
    """Covariance matrix adaptation evolution strategy, for up to a few thousand genes.

    Samples are x_k = m + sigma B D z_k with C = B D^2 B^T. The mean moves to the weighted mean of the better
    half. Two evolution paths accumulate these moves: the length of one adapts sigma; the other one and the
    samples adapt C, with negative weights for the worse half if `active`. Computed by DEAP's `cma.Strategy`.

    Notes
    -----
    Source: N. Hansen and A. Ostermeier, Completely Derandomized Self-Adaptation in Evolution Strategies,
    Evolutionary Computation 9 (2001), with the rank-mu update and the defaults of N. Hansen, The CMA Evolution
    Strategy: A Tutorial, arXiv:1604.00772, and its negative weights (equations 46 to 53). Restarts: see
    `evorrn.strategies.evolution.restarts.ended` and `next_run`. Deviations from DEAP: see
    `evorrn.strategies.evolution.covariance.LazyStrategy`. Individuals of equal fitness are ranked
    by their index, and a restart begins at a point drawn like the first (the papers draw it uniformly from the
    search domain, which a genome does not have).

    A generation takes time of the order of n^2 for each individual, with n genes, and n^2 memory; the
    decomposition of C, every few generations, takes n^3. For more than a few thousand genes use `SNES`,
    `SepCMAES` or `LMMAES`, whose cost is linear in n.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.CMAES().search(np.ones(5), seed=1)
    >>> while not search.done("60gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "cma-es"

    sigma: float | None = setting(None, SIGMA, above=0)
    active: bool = setting(True, ACTIVE, absent=False)
    restarts: str = setting(
        "none",
        "restarts after convergence or stagnation: none, with the population doubled each time (ipop), or with "
        "large and small populations in turn (bipop)",
        choices=("none", "ipop", "bipop"),
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return DEAP's initial state as plain data; 4 + 3 ln n individuals by default."""
        if start.previous is None:
            check_size(self.name, start.point.size, SQUARES)
        run = next_run(
            self.restarts,
            start.previous,
            self.population or usual_population(start.point.size),
            self.sigma or start.deviation,
            rng,
        )
        return {
            **LazyStrategy.initial(start.point, run["first_sigma"], run.pop("population")),
            **run,
            "steps": np.zeros((0, start.point.size)),
            "lengths": np.zeros(0),
            "memory": np.zeros((0, 3)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean."""
        steps, lengths = LazyStrategy(method).steps(int(rng.integers(2**32)))
        return {**method, "steps": steps, "lengths": lengths}, method["centroid"] + method["sigma"] * steps

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return DEAP's state after an update with the better half, or with all individuals if `active`."""
        strategy = LazyStrategy(method, self.active)
        order = best_first(fitness, strategy.ranked)
        strategy.update(method["steps"][order], method["lengths"][order])
        memory = method["memory"] if self.restarts == "none" else with_generation(method["memory"], fitness)
        empty = {"steps": method["steps"][:0].copy(), "lengths": np.zeros(0)}
        return {**method, **strategy.plain(), **empty, "memory": memory}

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the population takes with the covariance, its eigenvectors and their computation."""
        return super().bytes_held(network, sequences, steps) + SQUARES * FLOAT * network.size**2

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work of the samples and updates, n^2 for each, and of the decomposition, 4.5 n^3."""
        method = state["method"]
        count, size = genomes.shape
        ranked = count if self.active else count // 2
        work = super().own_work(state, genomes) + (count + ranked + 5) * size**2
        decomposed = method["decomposed"] == method["update_count"] > 0
        return work + decomposed * EIGENVECTORS * size**3

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["centroid"]

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,)."""
        return method["sigma"] * np.sqrt(np.diag(method["C"]))

    def stagnates(self, method: State, waiting: int) -> bool:
        """Return whether `restart_after`, or with `restarts` a criterion of the literature, ends this run."""
        return super().stagnates(method, waiting) or (self.restarts != "none" and bool(ended(method)))

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the population size and the ratio of the longest to the shortest axis of the distribution."""
        axes = method["diagD"]
        return {"population": method["lambda_"], "axis_ratio": float(axes.max() / axes.min())}
