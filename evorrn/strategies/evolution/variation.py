"""Selection and variation as DEAP's toolbox takes them, and DEAP's sources of chance held in."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from deap import algorithms, tools
from deap.tools import crossover, mutation, selection

from evorrn.strategies.evolution.individuals import Individual
from evorrn.strategies.evolution.operators import gaussian

DRAWING = (algorithms, crossover, mutation, selection)
"""DEAP's modules that draw from Python's ``random``."""


def mate(
    first: Individual,
    second: Individual,
    *,
    kernel: Callable[..., Any],
    parameters: tuple[float, ...],
    units: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[Individual, Individual]:
    """Cross two individuals in place by a compiled operator.

    Parameters
    ----------
    first, second : Individual
    kernel : callable
        A crossover of `evorrn.strategies.evolution.operators`.
    parameters : tuple of float
        What the operator takes between the chromosomes and the units.
    units : ndarray, shape (n,), int64
        The unit of each gene, see `evorrn.strategies.evolution.units`.
    count : int
        Number of units.
    rng : Generator
        One number is drawn per unit.

    Notes
    -----
    Mutation sizes, where individuals have their own, become the mean of both parents' (intermediate
    recombination, as T. Bäck and H.-P. Schwefel, Evolutionary Computation 1 (1993), recommend for them).
    """
    draws = rng.random(count)
    kernel(np.asarray(first), np.asarray(second), *parameters, units, draws)
    if first.sizes.size:
        first.sizes = second.sizes = (first.sizes + second.sizes) / 2
    return first, second


def mutate(
    chromosome: Individual,
    *,
    size: float | np.ndarray,
    rate: float,
    units: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[Individual]:
    """Mutate an individual in place by compiled Gaussian mutation.

    Parameters
    ----------
    chromosome : Individual
    size : float, or ndarray of shape (n,)
        Standard deviation of the change, of every gene or of each.
    rate : float
        See `evorrn.strategies.evolution.operators.gaussian`.
    units, count, rng
        As for `mate`; normal numbers are drawn for the genes that change alone. One unit changes at least.
    """
    draws = _draws(count, rng)
    _add_noise(chromosome, size, rate, units, draws, rng)
    return (chromosome,)


def mutate_adapting(
    chromosome: Individual,
    *,
    blocks: np.ndarray,
    factors: np.ndarray,
    rate: float,
    units: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[Individual]:
    """Mutate an individual's own mutation sizes, and then its genes by them, in place.

    Parameters
    ----------
    chromosome : Individual
        With one size for all its genes, or one for each block of them.
    blocks : ndarray, shape (n,), int64
        Which of the sizes a gene has.
    factors : ndarray, shape (n,)
        Factor on the size of each gene.
    rate, units, count, rng
        As for `mutate`.

    Notes
    -----
    Source: T. Bäck and H.-P. Schwefel, An Overview of Evolutionary Algorithms for Parameter Optimization,
    Evolutionary Computation 1 (1993), section 2.1: sizes change by a log-normal factor, exp(N / sqrt(n)) for a
    single size, else exp(N / sqrt(2 n) + N_i / sqrt(2 sqrt(n))), N being drawn once for the individual and
    N_i for each size. Deviations: a size belongs to a block of genes, not to one gene, n staying the number
    of genes; where not all genes mutate, sizes by which none does stay as they are, since nothing would
    select among them.
    """
    draws = _draws(count, rng)
    genes, sizes = chromosome.size, chromosome.sizes.size
    if sizes == 1:
        change = rng.standard_normal(1) / math.sqrt(genes)
    else:
        common = rng.standard_normal() / math.sqrt(2 * genes)
        change = common + rng.standard_normal(sizes) / math.sqrt(2 * math.sqrt(genes))
    used = np.bincount(blocks[draws[units] < rate], minlength=sizes) > 0
    chromosome.sizes = chromosome.sizes * np.exp(change * used)
    _add_noise(chromosome, chromosome.sizes[blocks] * factors, rate, units, draws, rng)
    return (chromosome,)


def _draws(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return a number for each unit, which changes where it is below the rate."""
    draws = rng.random(count)
    draws[draws.argmin()] = 0.0  # below any rate, so that nobody is evaluated twice
    return draws


def _add_noise(
    chromosome: Individual,
    size: float | np.ndarray,
    rate: float,
    units: np.ndarray,
    draws: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Add normal noise to the genes that change, in place."""
    changed = draws[units] < rate
    noise = rng.standard_normal(np.count_nonzero(changed))
    one_size = 1.0
    if isinstance(size, np.ndarray):
        noise *= size[changed]
    else:
        one_size = size
    gaussian(np.asarray(chromosome), one_size, rate, units, draws, noise)


def select_truncation(individuals: Sequence[Individual], k: int, best: int) -> list[Individual]:
    """Return `k` individuals drawn with replacement from the `best` ones."""
    return tools.selRandom(tools.selBest(individuals, best), k)


def select_ranked_roulette(individuals: Sequence[Individual], k: int) -> list[Individual]:
    """Return `k` individuals drawn with replacement, each with a probability proportional to its rank.

    The worst has rank 1. A roulette on fitness itself needs fitness above zero, and a negative loss is
    below.

    Notes
    -----
    Source: J. E. Baker, Adaptive Selection Methods for Genetic Algorithms, ICGA 1 (1985): linear
    ranking, here with the largest pressure, about twice the mean for the best.
    """
    for rank, chosen in enumerate(tools.selWorst(individuals, len(individuals)), start=1):
        chosen.rank = _Rank(rank)
    return tools.selRoulette(individuals, k, fit_attr="rank")


@contextmanager
def seeded(rng: np.random.Generator, *, globally: bool = False) -> Iterator[None]:
    """Let DEAP draw from a generator seeded by `rng`, in one thread at a time.

    Parameters
    ----------
    rng : Generator
        One number is drawn from it, the seed.
    globally : bool
        Whether Python's ``random`` and NumPy's global generator are seeded and put back as they were
        afterwards, for functions that are not DEAP's. They belong to every thread of the process; else DEAP's
        modules get a generator of their own in the place of ``random``, with the same numbers.
    """
    seed = int(rng.integers(2**32))
    with _one_thread, _seeded_globals(seed) if globally else _seeded_deap(seed):
        yield


_one_thread = threading.RLock()


@contextmanager
def _seeded_globals(seed: int) -> Iterator[None]:
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


@contextmanager
def _seeded_deap(seed: int) -> Iterator[None]:
    own, before = random.Random(seed), [vars(module)["random"] for module in DRAWING]
    for module in DRAWING:
        vars(module)["random"] = own
    try:
        yield
    finally:
        for module, source in zip(DRAWING, before):
            vars(module)["random"] = source


class _Rank:
    """A rank in the place of a fitness, as light as DEAP's roulette allows."""

    __slots__ = ("values",)

    def __init__(self, rank: int) -> None:
        self.values = (rank,)

    def __lt__(self, other: _Rank) -> bool:
        return self.values < other.values
