"""DEAP's CMA-ES with a state of plain data, and with a matrix that is decomposed only when it has changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from deap import cma

from evorrn.strategies.base import State

STATE = ("centroid", "sigma", "C", "B", "diagD", "pc", "ps", "update_count", "lambda_", "decomposed")
"""What changes in the strategy; the rest follows from it."""


class LazyStrategy(cma.Strategy):
    """DEAP's `Strategy`, taken apart into plain data and rebuilt.

    Samples and parameters are DEAP's; `update` is its computation in another order. What is mended:

    - DEAP's `generate` draws from NumPy's global generator, which belongs to every thread of the process.
      `steps` draws the same numbers from a generator of its own.

    - DEAP decomposes C, an effort of n^3, in every generation. Here it happens once C has learned for
      0.5 / (n (c_1 + c_mu)) generations, as in Hansen's own minimal code (purecma); that is every generation
      below about 20 genes with the usual population. B and D are those that the samples came from.
    - `steps` draws around zero at unit size, and `update` takes such steps: DEAP gets them back from the
      points, where those of a small sigma are lost beside a large centroid, and divides by sigma squared.
    - Eigenvalues that rounding made negative are raised to 1e-20 of the largest, and all to 1e-200, to which
      they fall in very long runs on a plateau; DEAP takes the root of what comes, and divides by it.
    - The rate of the path of C is (4 + mu_w / n) / (n + 4 + 2 mu_w / n), as in Hansen's tutorial, eq. 56 of
      arXiv:1604.00772. DEAP's older 4 / (n + 4) is its limit for small populations and too slow for those that
      restarts have doubled often.
    - sigma grows by a factor of e at most in a generation.
    - The other rates and the weights ln(mu + 1/2) - ln(i) are DEAP's; the tutorial's path of sigma is a
      little slower, with n + mu_w + 5 in place of n + mu_w + 3.
    - DEAP's ``cond``, a ratio of deviations at first and of variances after an update, is not kept.

    Parameters
    ----------
    state : dict
        Holds at least what `STATE` names, as `begun` and `plain` return it.
    """

    centroid: np.ndarray
    sigma: float
    lambda_: int
    C: np.ndarray
    B: np.ndarray
    diagD: np.ndarray
    pc: np.ndarray
    ps: np.ndarray
    update_count: int
    decomposed: int

    def __init__(self, state: State) -> None:
        for name in STATE:
            setattr(self, name, state[name])
        self.dim = len(self.centroid)
        self.chiN = math.sqrt(self.dim) * (1 - 1 / (4 * self.dim) + 1 / (21 * self.dim**2))
        self.BD = self.B * self.diagD
        self.computeParams({})

    @staticmethod
    def begun(point: np.ndarray, sigma: float, population: int) -> State:
        """Return the state at the start, around a point (n,)."""
        fresh = cma.Strategy(point, sigma, lambda_=population)
        return {name: getattr(fresh, name, 0) for name in STATE}

    def plain(self) -> State:
        """Return the state as plain data."""
        return {name: getattr(self, name) for name in STATE}

    def computeParams(self, params: dict[str, Any]) -> None:
        """Set rates and weights by DEAP's rules, apart from the rate of the path of C."""
        super().computeParams(params)
        ratio = self.mueff / self.dim
        self.cc = (4 + ratio) / (self.dim + 4 + 2 * ratio)

    def steps(self, seed: int) -> np.ndarray:
        """Return B D z for each individual of a generation, shape (P, n), where DEAP seeded so has z."""
        own = np.random.RandomState(seed)
        return np.dot(own.standard_normal((self.lambda_, self.dim)), self.BD.T)

    def update(self, steps: np.ndarray) -> None:
        """Update the state from the steps of the mu fittest of a generation.

        Parameters
        ----------
        steps : ndarray, shape (mu, n)
            Best first, in units of sigma.
        """
        shift = self.weights @ steps
        self.centroid = self.centroid + self.sigma * shift
        white = self.B @ ((self.B.T @ shift) / self.diagD)
        self.ps = (1 - self.cs) * self.ps + math.sqrt(self.cs * (2 - self.cs) * self.mueff) * white
        self.update_count += 1
        length = float(np.linalg.norm(self.ps)) / self.chiN
        usual = math.sqrt(1 - (1 - self.cs) ** (2 * self.update_count)) * (1.4 + 2 / (self.dim + 1))
        moving = float(length < usual)
        self.pc = (1 - self.cc) * self.pc
        self.pc = self.pc + moving * math.sqrt(self.cc * (2 - self.cc) * self.mueff) * shift
        kept = 1 - self.ccov1 - self.ccovmu + (1 - moving) * self.ccov1 * self.cc * (2 - self.cc)
        self.C = (
            kept * self.C
            + self.ccov1 * np.outer(self.pc, self.pc)
            + self.ccovmu * ((self.weights * steps.T) @ steps)
        )
        self.sigma = self.sigma * math.exp(min(1.0, self.cs / self.damps * (length - 1)))
        if self.update_count - self.decomposed >= int(0.5 / (self.dim * (self.ccov1 + self.ccovmu))):
            self.decompose()

    def decompose(self) -> None:
        """Bring eigenvectors and deviations up to date with the matrix."""
        values, self.B = np.linalg.eigh(self.C)
        self.diagD = np.sqrt(np.maximum(values, max(1e-20 * values[-1], 1e-200)))
        self.BD = self.B * self.diagD
        self.decomposed = self.update_count
