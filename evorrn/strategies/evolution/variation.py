"""Selection, crossover and mutation for DEAP's toolbox, and seeding of the generators that DEAP draws from."""

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
        The operator's arguments between the chromosomes and the units.
    units : ndarray, shape (n,), int64
        The unit of each gene, see `evorrn.strategies.evolution.units`.
    count : int
        Number of units.
    rng : Generator
        Draws one number for each unit.

    Notes
    -----
    Individuals' own mutation sizes become the mean of both parents' (intermediate recombination, which
    T. Bäck and H.-P. Schwefel, Evolutionary Computation 1 (1993), recommend for them).
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
        Standard deviation of the change of a gene.
    rate : float
        See `evorrn.strategies.evolution.operators.gaussian`.
    units, count, rng
        As for `mate`; normal numbers are drawn only for the genes that change. At least one unit changes.
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
    """Mutate an individual's own mutation sizes, and then its genes with them, in place.

    Parameters
    ----------
    chromosome : Individual
        With one size for all its genes, or one for each block.
    blocks : ndarray, shape (n,), int64
        Index of each gene's size.
    factors : ndarray, shape (n,)
        Factor on the size of each gene.
    rate, units, count, rng
        As for `mutate`.

    Notes
    -----
    Source: T. Bäck and H.-P. Schwefel, An Overview of Evolutionary Algorithms for Parameter Optimization,
    Evolutionary Computation 1 (1993), section 2.1: sizes change by a log-normal factor, exp(N / sqrt(n)) for a
    single size, else exp(N / sqrt(2 n) + N_i / sqrt(2 sqrt(n))); N is drawn once for the individual and N_i
    for each size. Deviations: a size belongs to a block of genes, not to one gene, and n is still the number
    of genes; a size changes only when at least one of its genes mutates, because otherwise selection does not
    act on it.
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
    """Return one number for each unit; a unit changes when its number is below the rate."""
    draws = rng.random(count)
    draws[draws.argmin()] = 0.0  # below any rate, so that at least one unit changes
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

    The worst has rank 1. Ranks are used because a roulette on fitness needs positive numbers, and a fitness
    here is a negative loss.

    Notes
    -----
    Source: J. E. Baker, Adaptive Selection Methods for Genetic Algorithms, ICGA 1 (1985): linear
    ranking, here with the largest selection pressure: the best is drawn about twice as often as the mean.
    """
    for rank, chosen in enumerate(tools.selWorst(individuals, len(individuals)), start=1):
        chosen.rank = _Rank(rank)
    return tools.selRoulette(individuals, k, fit_attr="rank")


@contextmanager
def seeded(rng: np.random.Generator, *, globally: bool = False) -> Iterator[None]:
    """Make DEAP draw from a generator seeded by `rng`, in one thread at a time.

    Parameters
    ----------
    rng : Generator
        The seed is drawn from it.
    globally : bool
        True: seed Python's ``random`` and NumPy's global generator, which all threads of the process share,
        and restore their states afterwards; needed for functions that are not DEAP's. False: replace
        ``random`` in DEAP's modules by a generator of their own that draws the same numbers.
    """
    seed = int(rng.integers(2**32))
    with _one_thread, _seeded_globals(seed) if globally else _seeded_deap(seed):
        yield


_one_thread = threading.RLock()


@contextmanager
def _seeded_globals(seed: int) -> Iterator[None]:
    """Seed Python's ``random`` and NumPy's global generator, and restore them afterwards."""
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
    """Replace ``random`` in DEAP's modules by a seeded generator, and restore it afterwards."""
    own, before = random.Random(seed), [vars(module)["random"] for module in DRAWING]
    for module in DRAWING:
        vars(module)["random"] = own
    try:
        yield
    finally:
        for module, source in zip(DRAWING, before):
            vars(module)["random"] = source


class _Rank:
    """A rank in place of a fitness, with only what DEAP's roulette needs."""

    __slots__ = ("values",)

    def __init__(self, rank: int) -> None:
        self.values = (rank,)

    def __lt__(self, other: _Rank) -> bool:
        return self.values < other.values
