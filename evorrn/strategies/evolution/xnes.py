"""xNES: natural gradient on the mean and on a full transformation, in exponential coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import FLOAT, State
from evorrn.strategies.evolution.covariance import EIGENVECTORS, check_size
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.recombination import usual_population
from evorrn.strategies.evolution.shaping import shared_weights
from evorrn.strategies.evolution.snes import utilities
from evorrn.strategies.evolution.start import SIGMA, Start

if TYPE_CHECKING:
    from evorrn.network.network import Network

SQUARES = 4
"""Matrices of n x n numbers that are held at once in an update."""


@dataclass(frozen=True)
class XNES(PopulationStrategy):
    """Exponential natural evolution strategy: a full covariance matrix, for up to a few thousand genes.

    With samples x_k = m + sigma B z_k, where det B = 1, and utilities u_k, one generation is

        g     = sum_k u_k z_k,    G = sum_k u_k (z_k z_k^T - I),    t = trace G / n
        m     <- m + eta_m sigma B g
        sigma <- sigma exp(eta_s / 2 t)
        B     <- B exp(eta_B / 2 (G - t I)), the exponential of a matrix.

    Notes
    -----
    Source: T. Glasmachers, T. Schaul, Y. Sun, D. Wierstra and J. Schmidhuber, Exponential Natural Evolution
    Strategies, GECCO (2010), algorithm xNES, with the utilities and defaults there, which are also in table 1
    of Wierstra et al., Natural Evolution Strategies, JMLR 15 (2014). Samples are m + sigma B z, with which the
    updates above follow the gradient; listings that sample with B transposed are equal while B is symmetric.
    Deviation: individuals of equal fitness get the mean of their utilities.

    A generation takes time of the order of n^2 for each individual, up to n^3 when the population is as
    large as the number of genes n, and n^2 memory. For more than a few thousand genes use `SNES`, `SepCMAES`
    or `LMMAES`, whose cost is linear in n.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.XNES().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.01)
    True
    """

    name: ClassVar[str] = "xnes"
    least_population: ClassVar[int] = 4  # with fewer and the default rates, the gradient is noise

    sigma: float | None = setting(None, SIGMA, above=0)
    rate_mean: float = setting(1.0, "learning rate of the mean", above=0)
    rate_sigma: float | None = setting(
        None, "learning rate of the step size; (9 + 3 ln n) / (5 n sqrt n) by default", above=0
    )
    rate_shape: float | None = setting(
        None, "learning rate of the transformation; (9 + 3 ln n) / (5 n sqrt n) by default", above=0
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean, step size and transformation; 4 + 3 ln n individuals by default."""
        size = start.point.size
        if start.previous is None:
            check_size(self.name, size, SQUARES)
        return {
            "mean": start.point,
            "sigma": self.sigma or start.deviation,
            "shape": np.eye(size),
            "population": self.population or usual_population(size),
            "noise": np.zeros((0, size)),
        }

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return samples around the mean; the state keeps their noise for the update."""
        noise = rng.standard_normal((method["population"], method["mean"].size))
        return {**method, "noise": noise}, method["mean"] + method["sigma"] * (noise @ method["shape"].T)

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state after a step along the natural gradient of the expected utility."""
        noise, shape, sigma = method["noise"], method["shape"], method["sigma"]
        size = noise.shape[1]
        usual = (9 + 3 * math.log(size)) / (5 * size * math.sqrt(size))
        weights = shared_weights(fitness, utilities(len(fitness)))
        mean_square = float(weights @ np.einsum("pn,pn->p", noise, noise)) / size
        return {
            **method,
            "mean": method["mean"] + self.rate_mean * sigma * (shape @ (weights @ noise)),
            "sigma": sigma * math.exp((self.rate_sigma or usual) / 2 * (mean_square - weights.sum())),
            "shape": _exponential_step(shape, noise, (self.rate_shape or usual) / 2 * weights),
            "noise": np.zeros((0, size)),
        }

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the population takes with the shape of the distribution and its update."""
        return super().bytes_held(network, sequences, steps) + SQUARES * FLOAT * network.size**2

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work of the samples, n^2 for each, and of the exponential in the span of the samples."""
        count, size = genomes.shape
        span = min(count, size)
        basis = 3 * size * count**2 if count < size else count * size**2
        exponential = basis + EIGENVECTORS * span**3 + (2 * span + 3) * size**2
        return super().own_work(state, genomes) + count * size**2 + exponential

    def centre(self, method: State) -> np.ndarray:
        """Return the mean (n,)."""
        return method["mean"]

    def spread(self, method: State) -> np.ndarray:
        """Return the standard deviation of each coordinate (n,)."""
        return method["sigma"] * np.linalg.norm(method["shape"], axis=1)


def _exponential_step(shape: np.ndarray, noise: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return B exp(S - trace S / n I) for S = sum_k w_k z_k z_k^T.

    With fewer samples than genes, S is zero orthogonal to the samples, so its eigenvectors are computed in
    the span of the samples.
    """
    count, size = noise.shape
    if count < size:
        basis, corner = np.linalg.qr(noise.T)
        values, vectors = np.linalg.eigh((corner * weights) @ corner.T)
        vectors = basis @ vectors
    else:
        values, vectors = np.linalg.eigh((noise.T * weights) @ noise)
    stepped = shape + ((shape @ vectors) * np.expm1(values)) @ vectors.T
    return math.exp(-values.sum() / size) * stepped
