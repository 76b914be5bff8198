"""What the states of a hidden Markov model emit: vectors of independent Gaussian numbers, or symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evorrn.base.errors import DataError

FLOOR = 1e-3
"""The lowest variance in a state, as a share of the variance of all steps."""


class Emission(Protocol):
    """The distribution of an observation in each of K states."""

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density of N observations in every state, shape (N, K)."""
        ...

    def refitted(self, values: np.ndarray, occupied: np.ndarray, prior: float) -> Emission:
        """Return the most likely distributions, for N observations and the probability of each state there (N, K)."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian numbers.

    Attributes
    ----------
    mean, variance : ndarray, shape (K, D)
    floor : ndarray, shape (D,)
        The lowest variance.
    """

    mean: np.ndarray
    variance: np.ndarray
    floor: np.ndarray

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density of values (N, D) in every state, shape (N, K)."""
        squared = np.square(values[:, None, :] - self.mean) / self.variance
        return np.asarray(-0.5 * (squared + np.log(2 * np.pi * self.variance)).sum(axis=2))

    def refitted(self, values: np.ndarray, occupied: np.ndarray, prior: float) -> Gaussian:
        """Return mean and variance weighted by `occupied`; a state that is never occupied keeps its own."""
        total = occupied.sum(axis=0)[:, None]
        used = total > 0
        weights = occupied / np.where(used[:, 0], total[:, 0], 1.0)
        mean = np.where(used, weights.T @ values, self.mean)
        spread = np.stack([w @ np.square(values - m) for w, m in zip(weights.T, mean)])
        return Gaussian(mean, np.where(used, np.maximum(spread, self.floor), self.variance), self.floor)


@dataclass(frozen=True)
class Categorical:
    """One of S symbols, which are whole numbers from 0 on.

    Attributes
    ----------
    shares : ndarray, shape (K, S)
        Probability of each symbol in each state.
    """

    shares: np.ndarray

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability of symbols (N,) in every state, shape (N, K)."""
        with np.errstate(divide="ignore"):
            return np.log(self.shares.T[values])

    def refitted(self, values: np.ndarray, occupied: np.ndarray, prior: float) -> Categorical:
        """Return the share of each symbol weighted by `occupied`; a state that is never occupied keeps its own."""
        counts = np.full(self.shares.T.shape, float(prior))
        np.add.at(counts, values, occupied)
        total = counts.sum(axis=0)
        return Categorical(np.where(total > 0, counts / np.where(total > 0, total, 1.0), self.shares.T).T)


def started(values: np.ndarray, states: int, symbols: int | None, rng: np.random.Generator) -> Emission:
    """Return first values for K states: means far from each other, or random shares of symbols near those of all steps.

    Source: Arthur and Vassilvitskii 2007, "k-means++", for the means: each further one is a step drawn in proportion to its
    squared distance from the nearest one so far.
    """
    if symbols is not None:
        if values.min() < 0 or values.max() >= symbols:
            raise DataError(f"expected symbols from 0 to {symbols - 1}, got {values.min()} to {values.max()}")
        shares = (np.bincount(values, minlength=symbols) + 1.0) / (len(values) + symbols)
        drawn = rng.dirichlet(np.ones(symbols), size=states)
        return Categorical(0.5 * shares + 0.5 * drawn)
    variance = values.var(axis=0)
    variance = np.where(variance > 0, variance, 1.0)
    scaled = values / np.sqrt(variance)
    places = [int(rng.integers(len(values)))]
    nearest = np.full(len(values), np.inf)
    while len(places) < states:
        nearest = np.minimum(nearest, np.square(scaled - scaled[places[-1]]).sum(axis=1))
        total = nearest.sum()
        chances = nearest / total if total > 0 else np.full(len(values), 1 / len(values))
        places.append(int(rng.choice(len(values), p=chances)))
    return Gaussian(
        np.array(values[places], dtype=np.float64), np.tile(variance, (states, 1)), FLOOR * variance
    )
