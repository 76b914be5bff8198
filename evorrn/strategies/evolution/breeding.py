"""Selection, crossover and mutation of a whole population at a time, as array operations.

They do to all individuals what the operators of `evorrn.strategies.evolution.variation` do to one, in the order of
DEAP's ``varAnd``, and draw from one generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.strategies.evolution.toolbox import crossover_kernel

if TYPE_CHECKING:
    from evorrn.strategies.base import State
    from evorrn.strategies.evolution.genetic_settings import GeneticSettings

RARE = 0.1
"""The largest rate at which a gap for each success is drawn, in place of a number for each trial."""


@dataclass
class Children:
    """Copies of parents, which crossover and mutation change in place.

    Attributes
    ----------
    genomes : ndarray, shape (K, n)
    sizes : ndarray, shape (K, k)
        Their own mutation sizes; k is 0 when sizes do not evolve.
    fitness : ndarray, shape (K,)
        The fitness of their parents as evaluated.
    changed : ndarray, shape (K,), bool
        Which differ from their parent.
    """

    genomes: np.ndarray
    sizes: np.ndarray
    fitness: np.ndarray
    changed: np.ndarray


def breed(
    settings: GeneticSettings, state: State, shaped: np.ndarray, genomes: np.ndarray, rng: np.random.Generator
) -> Children:
    """Return children of selected parents, one in each row of an array.

    Parameters
    ----------
    settings : GeneticSettings
    state : dict
        State of the algorithm, with the fitness of every individual.
    shaped : ndarray, shape (P,)
        The fitness used for selection.
    genomes : ndarray, shape (K, n)
        The children's genomes are written here.
    rng : Generator

    Notes
    -----
    When no child would change, the last one is mutated, so that every generation evaluates at least one individual.
    """
    count = len(genomes)
    chosen = select(settings, shaped, count, rng)
    np.take(state["population"], chosen, axis=0, out=genomes, mode="clip")  # other modes need a copy
    children = Children(
        genomes, state["sizes"][chosen], state["fitness"][chosen], np.zeros(count, dtype=bool)
    )
    cross(settings, state["crossover_units"], children, rng)
    mutating = rng.random(count) < settings.mutation_probability
    if not (mutating.any() or children.changed.any()):
        mutating[-1] = True
    mutate(settings, state, children, np.flatnonzero(mutating), rng)
    return children


def select(
    settings: GeneticSettings, fitness: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the indices (count,) of parents, drawn with replacement by the fitness (P,) used for selection.

    Notes
    -----
    Tournament: D. E. Goldberg and K. Deb, A Comparative Analysis of Selection Schemes Used in Genetic Algorithms, FOGA 1
    (1991), as DEAP's ``selTournament``: of equal fitness the one drawn first. For the others see
    `evorrn.strategies.evolution.variation.select_truncation` and `select_ranked_roulette`.
    """
    if settings.selection == "tournament":
        drawn = rng.integers(len(fitness), size=(count, settings.tournament_size))
        return drawn[np.arange(count), fitness[drawn].argmax(axis=1)]
    if settings.selection == "truncation":
        best = math.ceil(settings.truncation * settings.population)
        return np.argsort(-fitness, kind="stable")[:best][rng.integers(best, size=count)]
    worst_first = np.argsort(fitness, kind="stable")
    ends = np.cumsum(np.arange(1, len(fitness) + 1))
    return worst_first[np.searchsorted(ends, rng.integers(ends[-1], size=count), side="right")]


def cross(settings: GeneticSettings, units: np.ndarray, children: Children, rng: np.random.Generator) -> None:
    """Cross pairs of neighbours, each with `crossover_probability`, by a compiled operator.

    `units` (n,) is the crossover unit of each gene.
    """
    kernel, parameters = crossover_kernel(settings)
    pairs = 2 * np.flatnonzero(rng.random(len(children.genomes) // 2) < settings.crossover_probability)
    draws = rng.random((len(pairs), int(units.max()) + 1))
    for first, drawn in zip(pairs.tolist(), draws):
        kernel(children.genomes[first], children.genomes[first + 1], *parameters, units, drawn)
    means = (children.sizes[pairs] + children.sizes[pairs + 1]) / 2
    children.sizes[pairs] = children.sizes[pairs + 1] = means
    children.changed[pairs] = children.changed[pairs + 1] = True


def mutate(
    settings: GeneticSettings, state: State, children: Children, rows: np.ndarray, rng: np.random.Generator
) -> None:
    """Add normal noise to the children in `rows`, of one size or of the sizes that evolve with them.

    For the sizes that evolve see `evorrn.strategies.evolution.variation.mutate_adapting`.
    """
    row, gene = mutated_genes(settings.mutation_rate, state["mutation_units"], len(rows), rng)
    size, child = children.genomes.shape[1], rows[row]
    noise = rng.standard_normal(len(gene))
    if settings.adaptation == "none":
        age = state["generation"] - state["began"] - 1
        noise *= settings.mutation_size * state["spread"] * settings.mutation_decay**age
        if settings.step_sizes is not None:
            noise *= state["factors"][gene]
    else:
        block, count = state["size_blocks"][gene], children.sizes.shape[1]
        used = np.zeros((len(rows), count), dtype=bool)
        used[row, block] = True
        if count == 1:
            change = rng.standard_normal((len(rows), 1)) / math.sqrt(size)
        else:
            change = rng.standard_normal((len(rows), 1)) / math.sqrt(2 * size)
            change = change + rng.standard_normal((len(rows), count)) / math.sqrt(2 * math.sqrt(size))
        children.sizes[rows] *= np.exp(change * used)
        noise *= children.sizes[child, block] * state["factors"][gene]
    children.genomes.reshape(-1)[child * size + gene] += noise
    children.changed[rows] = True


def mutated_genes(
    rate: float, units: np.ndarray, rows: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return which genes of each individual mutate, as indices of individuals and of genes.

    Each unit is chosen with probability `rate`; where an individual has none, one of its units is chosen at random.

    Parameters
    ----------
    rate : float
    units : ndarray, shape (n,), int64
        The unit of each gene.
    rows : int
        Number of individuals.
    rng : Generator
    """
    count = int(units.max()) + 1
    chosen = _successes(rate, rows * count, rng)
    without = np.flatnonzero(np.bincount(chosen // count, minlength=rows) == 0)
    chosen = np.concatenate([chosen, without * count + rng.integers(count, size=len(without))])
    if count == units.size:
        return chosen // count, chosen % count
    marked = np.zeros((rows, count), dtype=bool)
    marked.reshape(-1)[chosen] = True
    row, gene = np.nonzero(marked[:, units])
    return row, gene


def _successes(rate: float, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of the successes among independent trials; rare ones from the geometric gaps between them."""
    if rate > RARE:
        return np.flatnonzero(rng.random(trials) < rate)
    ends, last = [], -1
    while last < trials:
        expected = (trials - last) * rate
        gaps = rng.geometric(rate, int(expected + 4 * math.sqrt(expected)) + 8)
        ends.append(last + np.cumsum(np.minimum(gaps, trials + 1)))
        last = int(ends[-1][-1])
    found = np.concatenate(ends)
    return found[found < trials]
