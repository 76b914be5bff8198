"""DEAP's CMA-ES with a state of plain data, and with fewer decompositions of the covariance matrix."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from deap import cma

from evorrn.base.errors import ConfigError
from evorrn.base.memory import excess, gigabytes
from evorrn.strategies.base import FLOAT, State
from evorrn.strategies.evolution.recombination import negative_weights, scaled_negative

EIGENVECTORS = 4.5
"""Multiply-adds of the eigenvectors of a symmetric matrix, divided by n^3 (Golub and Van Loan, section 8.3)."""
LARGE = 5000
"""Genes from which on a full covariance is warned of: 1 GiB of memory, a tenth of a second of one core for each generation, and 17
seconds for a decomposition; without a covariance a generation takes 2 milliseconds."""
TOGETHER = 2**15
"""Numbers of a matrix that an update changes at a time, which a processor's cache holds."""
STATE = ("centroid", "sigma", "C", "B", "diagD", "pc", "ps", "update_count", "lambda_", "decomposed")
"""Attributes that change during a run; all others are computed from them."""


def check_size(strategy: str, genes: int, matrices: int) -> None:
    """Warn of a full covariance of at least `LARGE` genes, and name the strategies that do without.

    Parameters
    ----------
    strategy : str
    genes : int
    matrices : int
        Matrices of genes x genes numbers that the strategy holds at once.

    Raises
    ------
    ConfigError
        When they do not fit into memory.
    """
    numbers = matrices * genes**2
    what = f"strategy {strategy}: a covariance of {genes:,} x {genes:,} genes takes"
    instead = "sep-cma-es, lm-ma-es and snes are for so many genes: their memory and time grow with the genes, not with their square"
    too_large = excess(numbers)
    if too_large:
        raise ConfigError(f"{what} {too_large}; {instead}")
    if genes >= LARGE:
        warnings.warn(
            f"{what} about {gigabytes(FLOAT * numbers)} of memory, and each generation passes over it several times; {instead}",
            stacklevel=2,
        )


class LazyStrategy(cma.Strategy):
    """DEAP's `Strategy`, made from plain data and convertible to it.

    Samples and parameters are DEAP's; `update` computes the same in another order. Differences from DEAP:

    - DEAP's `generate` draws from NumPy's global generator, which all threads of the process share. `steps`
      draws the same numbers from its own generator.
    - DEAP decomposes C, at a cost of n^3, in every generation. Here C is decomposed every
      0.5 / (n (c_1 + c_mu)) generations, as in Hansen's minimal code (purecma); that is every generation
      below about 20 genes with the default population. Samples and updates use the same B and D.
    - `steps` draws around zero with sigma 1, and `update` takes these steps. DEAP computes the steps from the
      points, which loses digits when sigma is small relative to the centroid.
    - Eigenvalues are raised to at least 1e-20 of the largest, because rounding can make them negative, and to at
      least 1e-200, because they shrink in very long runs on a plateau. DEAP takes their roots as they are.
    - The rate of the path of C is (4 + mu_w / n) / (n + 4 + 2 mu_w / n), as in Hansen's tutorial, eq. 56 of
      arXiv:1604.00772. DEAP's older 4 / (n + 4) is its limit for small populations, and too slow for the large
      populations of restarts.
    - sigma grows by at most a factor of e in a generation.
    - The other rates and the weights ln(mu + 1/2) - ln(i) are DEAP's; the tutorial's rate for the path of sigma is
      a little lower, with n + mu_w + 5 in place of n + mu_w + 3.
    - DEAP's ``cond`` is left out: it is a ratio of deviations at first, and of variances after an update.
    - With `active`, the worse half of a generation has negative weights in the update of C (the tutorial, eq. 46 to
      53), so that C shrinks along steps that led to bad points. DEAP uses the better half alone.

    Parameters
    ----------
    state : dict
        Contains at least the names of `STATE`, as `initial` and `plain` return them.
    active : bool
        Whether the worse half has negative weights.

    Attributes
    ----------
    ranked : int
        Number of the fittest individuals whose steps `update` takes: all when active, else the better half.
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

    def __init__(self, state: State, active: bool = False) -> None:
        for name in STATE:
            setattr(self, name, state[name])
        self.active = active
        self.dim = len(self.centroid)
        self.chiN = math.sqrt(self.dim) * (1 - 1 / (4 * self.dim) + 1 / (21 * self.dim**2))
        self.computeParams({})

    @staticmethod
    def initial(point: np.ndarray, sigma: float, population: int) -> State:
        """Return the initial state around a point (n,), with the identity as C, B and D.

        DEAP decomposes the identity for it, which takes n^3 multiply-adds.
        """
        size = point.size
        return {
            "centroid": np.array(point, dtype=np.float64),
            "sigma": sigma,
            "C": np.eye(size),
            "B": np.eye(size),
            "diagD": np.ones(size),
            "pc": np.zeros(size),
            "ps": np.zeros(size),
            "update_count": 0,
            "lambda_": population,
            "decomposed": 0,
        }

    def plain(self) -> State:
        """Return the state as plain data."""
        return {name: getattr(self, name) for name in STATE}

    def computeParams(self, params: dict[str, Any]) -> None:
        """Set rates and weights by DEAP's rules, except the rate of the path of C and negative weights."""
        super().computeParams(params)
        ratio = self.mueff / self.dim
        self.cc = (4 + ratio) / (self.dim + 4 + 2 * ratio)
        self.all_weights = self.weights
        if self.active:
            worse = negative_weights(self.lambda_, self.dim, self.mueff, self.ccov1, self.ccovmu)
            self.all_weights = np.concatenate([self.weights, worse])
        self.ranked = len(self.all_weights)

    def steps(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return B D z for each individual of a generation, shape (P, n), and |z|^2, shape (P,).

        The z are those that DEAP draws from this seed.
        """
        own = np.random.RandomState(seed)
        noise = own.standard_normal((self.lambda_, self.dim))
        return np.dot(noise * self.diagD, self.B.T), np.einsum("pn,pn->p", noise, noise)

    def update(self, steps: np.ndarray, lengths: np.ndarray) -> None:
        """Update the state from the steps of the `ranked` fittest of a generation.

        Parameters
        ----------
        steps : ndarray, shape (ranked, n)
            Best first, in units of sigma.
        lengths : ndarray, shape (ranked,)
            Their |z|^2, as `steps` returned them.
        """
        shift = self.weights @ steps[: self.mu]
        self.centroid = self.centroid + self.sigma * shift
        white = self.B @ ((self.B.T @ shift) / self.diagD)
        self.ps = (1 - self.cs) * self.ps + math.sqrt(self.cs * (2 - self.cs) * self.mueff) * white
        self.update_count += 1
        length = float(np.linalg.norm(self.ps)) / self.chiN
        usual = math.sqrt(1 - (1 - self.cs) ** (2 * self.update_count)) * (1.4 + 2 / (self.dim + 1))
        moving = float(length < usual)
        self.pc = (1 - self.cc) * self.pc
        self.pc = self.pc + moving * math.sqrt(self.cc * (2 - self.cc) * self.mueff) * shift
        share = 1 - self.ccov1 - self.ccovmu * self.all_weights.sum()
        share += (1 - moving) * self.ccov1 * self.cc * (2 - self.cc)
        weights = scaled_negative(self.all_weights, lengths, self.dim)
        sides = np.concatenate([steps, self.pc[None]])
        rates = np.append(self.ccovmu * weights, self.ccov1)
        changed = (rates * sides.T) @ sides
        rows = max(1, TOGETHER // self.dim)
        for first in range(0, self.dim, rows):
            changed[first : first + rows] += share * self.C[first : first + rows]
        self.C = changed
        self.sigma = self.sigma * math.exp(min(1.0, self.cs / self.damps * (length - 1)))
        if self.update_count - self.decomposed >= int(0.5 / (self.dim * (self.ccov1 + self.ccovmu))):
            self.decompose()

    def decompose(self) -> None:
        """Recompute the eigenvectors and standard deviations of the covariance matrix."""
        values, self.B = np.linalg.eigh(self.C)
        self.diagD = np.sqrt(np.maximum(values, max(1e-20 * values[-1], 1e-200)))
        self.decomposed = self.update_count
