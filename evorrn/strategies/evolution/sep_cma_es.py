"""sep-CMA-ES: CMA-ES with a diagonal covariance matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.recombination import (
    ACTIVE,
    best_first,
    logarithmic_weights,
    negative_weights,
    scaled_negative,
    usual_population,
)
from evorrn.strategies.evolution.start import SIGMA, Start


@dataclass(frozen=True)
class SepCMAES(PopulationStrategy):
    """Separable covariance matrix adaptation evolution strategy; cost is linear in the genes.

    With samples x_k = m + sigma d z_k, where d^2 = c is the diagonal of the matrix, and sums over the parents,
    best first, one generation is

        m     <- m + sigma d sum_i w_i z_i
        p_s   <- (1 - c_s) p_s + sqrt(c_s (2 - c_s) mu_w) sum_i w_i z_i
        p_c   <- (1 - c_c) p_c + h sqrt(c_c (2 - c_c) mu_w) d sum_i w_i z_i
        c     <- (1 - c_1 - c_mu sum_i w_i) c + c_1 p_c^2 + c_mu c sum_i w_i° z_i^2
        sigma <- sigma exp(c_s / d_s (|p_s| / E|N(0, I)| - 1))

    with c_1 = c_cov / mu_w and c_mu = c_cov (1 - 1 / mu_w). The better half of the individuals are parents; h is 0
    while p_s is much longer than expected, else 1. If `active`, the sums in the line of c go over all individuals:
    the worse half has negative weights w_i, and w_i° is w_i n / |z_i|^2 for these, else w_i.

    Notes
    -----
    Source: R. Ros and N. Hansen, A Simple Modification in CMA-ES Achieving Linear Time and Space
    Complexity, PPSN X (2008): the (mu/mu_w, lambda)-CMA-ES with the rate c_cov of the full matrix times
    (n + 2) / 3; negative weights: N. Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772, equations 46
    to 53, with these rates, which keep every entry of c positive as they keep a matrix. Deviations: the rate is at most 1, which it would exceed with a population much larger than n;
    sigma grows by at most a factor of e in a generation; individuals of equal fitness are ranked by their
    index.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.SepCMAES().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -1e-3)
    True
    """

    name: ClassVar[str] = "sep-cma-es"

    sigma: float | None = setting(None, SIGMA, above=0)
    active: bool = setting(True, ACTIVE, absent=False)

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean, step size, diagonal and paths; 4 + 3 ln n individuals by default."""
        size = start.point.size
        return {
            "mean": start.point,
            "sigma": self.sigma or start.deviation,
            "variance": np.ones(size),
            "path_sigma": np.zeros(size),
            "path_variance": np.zeros(size),
            "updates": 0,
            "population": self.population or usual_population(size),
            "noise": np.zeros((0, size)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean; the state keeps their noise for the update."""
        noise = rng.standard_normal((method["population"], method["mean"].size))
        return {**method, "noise": noise}, method["mean"] + self.spread(method) * noise

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with a new mean, diagonal and step size."""
        size, updates = method["mean"].size, method["updates"] + 1
        rate = Rates.of(size, len(fitness))
        ranked = method["noise"][best_first(fitness, len(fitness))]
        parents = ranked[: rate.weights.size]
        drift = rate.weights @ parents
        path_sigma = (1 - rate.sigma) * method["path_sigma"]
        path_sigma = path_sigma + math.sqrt(rate.sigma * (2 - rate.sigma) * rate.mass) * drift
        length = float(np.linalg.norm(path_sigma)) / expected_length(size)
        usual = math.sqrt(1 - (1 - rate.sigma) ** (2 * updates)) * (1.4 + 2 / (size + 1))
        deviation = np.sqrt(method["variance"])
        path = (1 - rate.path) * method["path_variance"]
        if length < usual:
            path = path + math.sqrt(rate.path * (2 - rate.path) * rate.mass) * deviation * drift
        learned = rate.one * np.square(path)
        learned += rate.mu * method["variance"] * (rate.weights @ np.square(parents))
        kept = 1 - rate.one - rate.mu
        if self.active:
            worse = negative_weights(len(fitness), size, rate.mass, rate.one, rate.mu)
            kept -= rate.mu * worse.sum()
            squares = np.square(ranked[rate.weights.size :])
            scaled = scaled_negative(worse, squares.sum(axis=1), size)
            learned += rate.mu * method["variance"] * (scaled @ squares)
        return {
            **method,
            "mean": method["mean"] + method["sigma"] * deviation * drift,
            "sigma": method["sigma"] * math.exp(min(1.0, rate.sigma / rate.damping * (length - 1))),
            "variance": kept * method["variance"] + learned,
            "path_sigma": path_sigma,
            "path_variance": path,
            "updates": updates,
            "noise": np.zeros((0, size)),
        }

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["mean"]

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,)."""
        return method["sigma"] * np.sqrt(method["variance"])


class Rates(NamedTuple):
    """Weights and rates, which follow from the number of genes and the population.

    Attributes
    ----------
    weights : ndarray, shape (mu,)
        Weights of the parents, best first.
    mass : float
        Variance effective selection mass, mu_w.
    sigma, damping : float
        Rate of the path of the step size, c_s, and damping of the step size, d_s.
    path : float
        Rate of the path of the diagonal, c_c.
    one, mu : float
        Rates of the diagonal, c_1 for the square of its path and c_mu for the samples.
    """

    weights: np.ndarray
    mass: float
    sigma: float
    damping: float
    path: float
    one: float
    mu: float

    @classmethod
    def of(cls, size: int, population: int) -> Rates:
        """Return the defaults of the paper for `size` genes."""
        weights, mass = logarithmic_weights(population // 2, 1.0)
        sigma = (mass + 2) / (size + mass + 3)
        full = 2 / (mass * (size + math.sqrt(2)) ** 2)
        full += (1 - 1 / mass) * min(1.0, (2 * mass - 1) / ((size + 2) ** 2 + mass))
        rate = min(1.0, (size + 2) / 3 * full)
        damping = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (size + 1)) - 1) + sigma
        return cls(weights, mass, sigma, damping, 4 / (size + 4), rate / mass, rate * (1 - 1 / mass))


def expected_length(size: int) -> float:
    """Return the expected length of a vector of `size` standard normal numbers, to about 1e-3 or better."""
    return math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
