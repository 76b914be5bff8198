"""CoSyNE: one sub-population for each weight, whose values are permuted among the networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.huge import scale_of
from evorrn.base.settings import setting
from evorrn.strategies.base import DRAW, State
from evorrn.strategies.evolution.population import PopulationStrategy
from evorrn.strategies.evolution.start import WIDTH, Start
from evorrn.strategies.evolution.units import neurons, places

DEFAULT_POPULATION = 20


@dataclass(frozen=True)
class CoSyNE(PopulationStrategy):
    """Cooperative synapse neuroevolution: each weight has its own sub-population of values.

    Each of the n weights has a sub-population of m values; network j has the j-th value of each. One
    generation: all m networks are evaluated; the best quarter has children by crossover and Cauchy mutation,
    which replace the worst networks; then every sub-population is permuted. A value is marked for permutation
    with probability

        1 - ((f - f_min) / (f_max - f_min))^(1/n),

    where f is the fitness of its network, and the marked values of a sub-population are permuted among
    their networks. So a network stays unchanged with a probability equal to its relative fitness, and the
    best network always does.

    Notes
    -----
    Source: F. Gomez, J. Schmidhuber and R. Miikkulainen, Accelerated Neural Evolution through Cooperatively
    Coevolved Synapses, JMLR 9 (2008), algorithm 1 and section 3. Every generation evaluates all m
    networks, unchanged ones included. Children, which have no fitness yet, are not permuted before their first
    evaluation. Deviations of the defaults: weights start as the network initialises them, unless a `width` is
    set, and mutation noise is relative to their standard deviation; at least one weight of a child mutates;
    in the formula, networks that diverged have the fitness of the worst finite one, and f_min is the fitness of
    the worst network that is not replaced.

    The experiments of the paper (its sections 4 and 5.3) are ``width=10, crossover="neuron-segments",
    mutation_rate=0.3, mutation_scale=0.3, scaling="absolute", mutate_one=False, permutation="all",
    protect_best=False``, with a population of 20 for one pole and of 30 for two. The paper does not say how many
    children there are, nor which parents form a pair; within a neuron it has the weights in the order input,
    output, recurrent, where here a cut follows the order of the genome.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.CoSyNE().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    name: ClassVar[str] = "cosyne"
    least_population: ClassVar[int] = 4

    population: int | None = setting(
        None, f"networks, and values of each weight; {DEFAULT_POPULATION} by default", minimum=2
    )
    width: float | None = setting(None, WIDTH, above=0)
    parents: float = setting(0.25, "share of the networks that become parents", above=0, maximum=1)
    offspring: float = setting(0.5, "share of the networks that are replaced by children", above=0, below=1)
    crossover: str = setting(
        "multi-point",
        "crossover operator: each weight from either parent (multi-point), all weights after a cut from the "
        "second parent (one-point), or a cut within the weights of each neuron (neuron-segments), where each pair "
        "of parents has two children",
        choices=("multi-point", "one-point", "neuron-segments"),
    )
    mutation_rate: float = setting(0.03, "probability that a weight of a child mutates", minimum=0, maximum=1)
    mutate_one: bool = setting(True, "whether at least one weight of each child mutates", absent=True)
    mutation_scale: float = setting(
        0.3,
        "scale of the Cauchy noise of a mutation, as a multiple of the standard deviation of the start genomes",
        above=0,
    )
    scaling: str = setting(
        "relative",
        "whether mutation_scale is a multiple of the standard deviation of the start genomes, or absolute",
        choices=("relative", "absolute"),
        absent="relative",
    )
    permutation: str = setting(
        "fitness",
        "which values are permuted: more of networks with lower fitness, or all; never those of new children",
        choices=("fitness", "all"),
    )
    protect_best: bool = setting(
        True, "whether the best network stays unchanged when all values are permuted", absent=True
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the sub-populations, one in each column."""
        start = start if self.width is None else start.within(self.width, rng)
        method = {
            "values": start.population(self.population or DEFAULT_POPULATION),
            "deviation": start.deviation if self.scaling == "relative" else 1.0,
        }
        if self.crossover == "neuron-segments":
            method["owner"] = neurons(start.layout)
        return method

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return all networks."""
        return method, method["values"]

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state with the worst networks replaced by children of the best, and the others permuted."""
        order = np.argsort(-fitness, kind="stable")
        ranked, count = points[order], len(points)
        replaced = min(max(round(self.offspring * count), 1), count - 1)
        children = self._mutated(self._crossed(method, ranked, replaced, rng), method["deviation"], rng)
        staying = self.permuted(ranked[:-replaced], fitness[order][:-replaced], rng)
        return {**method, "values": np.concatenate([staying, children])}

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the work with three random numbers for each weight, and a sort of the permuted ones."""
        return super().own_work(state, genomes) + (2 * DRAW + math.log2(genomes.size)) * genomes.size

    def permuted(self, values: np.ndarray, fitness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the sub-populations with the marked values of each permuted among their networks.

        Parameters
        ----------
        values : ndarray, shape (m, n)
            One network in each row, the best first.
        fitness : ndarray, shape (m,)
            From the best to the worst.
        rng : Generator
        """
        if self.permutation == "all" and not self.protect_best:
            return rng.permuted(values, axis=0)
        if self.permutation == "all":
            return np.concatenate([values[:1], rng.permuted(values[1:], axis=0)])
        result = values.copy()
        marks = rng.random(values.shape) < marking_probabilities(fitness, values.shape[1])[:, None]
        columns, rows = np.nonzero(marks.T)
        # Columns are in order, so sorting by column plus a number in [0, 1) permutes within each column.
        permutation = np.argsort(columns + rng.random(columns.size))
        result[rows, columns] = values[rows[permutation], columns]
        return result

    def _crossed(self, method: State, ranked: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return children (count, n) of pairs of the best networks, before mutation."""
        size = ranked.shape[1]
        pool = max(round(self.parents * len(ranked)), 1)
        if self.crossover == "neuron-segments":
            owner = method["owner"]
            first, second = ranked[rng.integers(0, pool, (2, (count + 1) // 2))]
            lengths = np.bincount(owner)
            cuts = rng.integers(1, np.maximum(lengths, 2), (len(first), len(lengths)))
            swapped = places(owner) >= cuts[:, owner]
            pairs = np.where(swapped, second, first), np.where(swapped, first, second)
            return np.concatenate(pairs)[:count]
        one, two = rng.integers(0, pool, (2, count))
        if self.crossover == "one-point":
            swapped = np.arange(size) >= rng.integers(0, size, count)[:, None]
        else:
            swapped = rng.random((count, size)) < 0.5
        return np.where(swapped, ranked[two], ranked[one])

    def _mutated(self, children: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
        """Return the children with Cauchy noise on some of their weights."""
        count, size = children.shape
        mutated = rng.random((count, size)) < self.mutation_rate
        if self.mutate_one:
            mutated[np.arange(count), rng.integers(0, size, count)] = True
        row, gene = np.nonzero(mutated)
        children[row, gene] += self.mutation_scale * deviation * rng.standard_cauchy(row.size)
        return children


def marking_probabilities(fitness: np.ndarray, size: int) -> np.ndarray:
    """Return the probability (m,) that a value of each network is marked, for `size` weights.

    Parameters
    ----------
    fitness : ndarray, shape (m,)
        From the best to the worst, ``-inf`` where a network diverged; the best is finite.
    size : int
    """
    fitness = fitness / scale_of(fitness[np.isfinite(fitness)])
    worst = fitness[np.isfinite(fitness)].min()
    width = fitness[0] - worst
    relative = (np.maximum(fitness, worst) - worst) / (width if width > 0 else 1.0)
    probability = 1 - relative ** (1 / size)
    probability[0] = 0.0  # also when all have equal fitness
    return probability
