"""LM-MA-ES: a covariance matrix represented by a few directions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.recombination import best_first, logarithmic_weights, usual_population
from evorrn.strategies.evolution.start import SIGMA, Start


@dataclass(frozen=True)
class LMMAES(PopulationStrategy):
    """Limited-memory matrix adaptation evolution strategy; cost is linear in the genes.

    With m directions v_1, ..., v_m that change at decreasing rates, samples are x_k = y + sigma T z_k, where T is the product of

        T_j = (1 - a_j) I + a_j v_j v_j^T,    j = 1, ..., min(t, m), the first applied first,

    in generation t, counted from 0. With sums over the parents, best first, one generation is

        y     <- y + sigma sum_i w_i T z_i
        p     <- (1 - c) p + sqrt(mu_w c (2 - c)) sum_i w_i z_i
        v_j   <- (1 - b_j) v_j + sqrt(mu_w b_j (2 - b_j)) sum_i w_i z_i
        sigma <- sigma exp(c / 2 (|p|^2 / n - 1)).

    Notes
    -----
    Source: I. Loshchilov, T. Glasmachers and H.-G. Beyer, Large Scale Black-Box Optimization by
    Limited-Memory Matrix Adaptation, IEEE Transactions on Evolutionary Computation 23 (2019), its algorithm for
    LM-MA-ES, with m = 4 + 3 ln n, c = 2 lambda / n, a_j = 1 / (1.5^(j - 1) n) and b_j = lambda / (4^(j - 1) n).
    Deviations: rates are at most 1/2, which they would exceed with a large population or few genes (the paper
    is about thousands of genes); sigma grows by at most a factor of e in a generation.

    A cigar (one long axis, 1000 to 1) is learned slowly: to a value of 1e-8 from 4 to 6 thousand evaluations per gene
    at 16 to 32 genes, 3 thousand at 64 to 128, while sigma is about 1e-6 for most of them; `CMAES` takes about 430 at 16
    genes. The paper's rates without a limit take as many from 32 genes on, and do not converge at 16. One short axis (a
    discus) of 128 genes was not learned in 300,000 evaluations by either. Use `CMAES` where few genes have such axes.

    The factors are not applied one after the other: with the v_j as rows of V, their product is
    T = s I + V^T K V, where the number s and the (m, m) matrix K follow from V V^T. T is linear, so the mean
    moves by T applied to sum_i w_i z_i.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.LMMAES().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "lm-ma-es"

    sigma: float | None = setting(None, SIGMA, above=0)
    directions: int | None = setting(None, "number of directions, m; 4 + 3 ln n by default", minimum=1)

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean, step size, path and directions; 4 + 3 ln n individuals by default."""
        size = start.point.size
        return {
            "mean": start.point,
            "sigma": self.sigma or start.deviation,
            "path": np.zeros(size),
            "directions": np.zeros((self.directions or usual_population(size), size)),
            "updates": 0,
            "population": self.population or usual_population(size),
            "noise": np.zeros((0, size)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean; the state keeps their noise for the update."""
        noise = rng.standard_normal((method["population"], method["mean"].size))
        return {**method, "noise": noise}, method["mean"] + method["sigma"] * transform(method, noise)

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with a new mean, new directions and a new step size."""
        size, population = method["mean"].size, len(fitness)
        weights, mass = logarithmic_weights(population // 2, 0.5)
        drift = weights @ method["noise"][best_first(fitness, weights.size)]
        rate = min(2 * population / size, LARGEST_RATE)
        rates = np.minimum(population / (4.0 ** np.arange(len(method["directions"])) * size), LARGEST_RATE)[
            :, None
        ]
        path = (1 - rate) * method["path"] + math.sqrt(mass * rate * (2 - rate)) * drift
        directions = (1 - rates) * method["directions"] + np.sqrt(mass * rates * (2 - rates)) * drift
        growth = rate / 2 * (float(path @ path) / size - 1)
        return {
            **method,
            "mean": method["mean"] + method["sigma"] * transform(method, drift[None])[0],
            "sigma": method["sigma"] * math.exp(min(1.0, growth)),
            "path": path,
            "directions": directions,
            "updates": method["updates"] + 1,
            "noise": np.zeros((0, size)),
        }

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work of the samples, 2 m n for each, and of the directions."""
        count, size = len(state["method"]["directions"]), genomes.shape[1]
        products = 2 * count * genomes.size + 2 * count**2 * size
        return super().own_work(state, genomes) + products + 4 * count * size

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["mean"]

    def extra_record(self, method: State) -> dict[str, float]:
        """Return the step size sigma, without the factor T."""
        return {"sigma": method["sigma"]}


LARGEST_RATE = 0.5
"""The largest rate of a path or direction."""


def transform(method: State, noise: np.ndarray) -> np.ndarray:
    """Return T applied to each row of `noise`, shape (P, n), with the directions of this generation."""
    used = method["directions"][: min(method["updates"], len(method["directions"]))]
    count, size = used.shape
    between = used @ used.T
    rest, core = 1.0, np.zeros((count, count))
    for j in range(count):
        rate = min(1 / (1.5**j * size), LARGEST_RATE)
        along = core @ between[:, j]
        along[j] += rest
        rest *= 1 - rate
        core *= 1 - rate
        core[:, j] += rate * along
    return rest * noise + (noise @ used.T) @ core @ used
