"""VectorStrategy: the settings that all searches over real vectors share, and what they do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.checks import is_number
from evorrn.base.huge import deviations, root_mean_square
from evorrn.base.settings import setting
from evorrn.strategies.base import EvolutionStrategy, State, generator, generator_state, with_noise
from evorrn.strategies.blocks import factors_of_genes

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

POPULATION_RECORD = ("fitness_best", "fitness_median", "fitness_low", "fitness_high", "diversity", "restarts")
STEP_SIZE = "step_size."
"""Columns in the history of a population; each named block has a further column with this prefix."""


@dataclass(frozen=True)
class GenerationFitness:
    """The fitness of a generation, and its best individual.

    Attributes
    ----------
    values : ndarray, shape (P,)
        Raw fitness, higher is better, ``-inf`` where it was not finite.
    best : ndarray, shape (n,)
        The best genome of the generation.
    best_network : ndarray
        The genome of the network evaluated for `best`: `best` itself, unless the strategy adds solved weights.
    best_fitness : float
        Fitness of `best` on all sequences.
    reevaluated : bool
        Whether `values` are from some of the sequences, and `best` was chosen by a second evaluation on all.
    """

    values: np.ndarray
    best: np.ndarray
    best_network: np.ndarray
    best_fitness: float
    reevaluated: bool = False


@dataclass(frozen=True)
class VectorStrategy(EvolutionStrategy):
    """A search over real vectors: its population, bounds, step sizes by block, weight decay and sequences."""

    population: int | None = setting(None, "individuals of a generation", minimum=2)
    lower: float | None = setting(None, "lower bound of every gene")
    upper: float | None = setting(None, "upper bound of every gene")
    step_sizes: dict[str, float] | None = setting(
        None,
        "factor on the step size of each named block, or of all blocks whose names begin with the key and a dot",
    )
    weight_decay: float = setting(
        0.0,
        "half of this times the sum of squared genes is subtracted from the fitness used for selection",
        minimum=0,
    )
    sequences: int | None = setting(
        None,
        "training sequences drawn for each generation, all by default; the best of the generation is then "
        "evaluated on all of them",
        minimum=1,
    )
    finalists: int = setting(
        1,
        "with `sequences`: how many of the best individuals are evaluated on all sequences to find the best one",
        minimum=1,
    )
    restart_after: int | None = setting(
        None, "generations without improvement after which the search restarts", minimum=1
    )

    version: ClassVar[int] = 2
    least_population: ClassVar[int] = 2
    """The smallest population that the method works with."""

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), float) and math.isinf(value):
                found.append(f"{field.name}: expected a finite number, got {value}")
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            found.append(f"upper: expected more than the lower bound {self.lower:g}, got {self.upper:g}")
        if not found and self.population is not None and self.population < self.least_population:
            found.append(
                f"population: {self.name} needs at least {self.least_population}, got {self.population}"
            )
        for name, factor in (self.step_sizes or {}).items() if not found else ():
            if not is_number(factor) or not 0 < factor < math.inf:
                found.append(f"step_sizes.{name}: expected a number > 0, got {factor!r}")
        return found

    def evaluate(
        self, problem: Problem, genomes: np.ndarray, sequences: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the networks of genomes (P, n), one in each row, and their fitness (P,)."""
        return genomes, problem.fitness(genomes, sequences)

    def evaluate_generation(
        self, problem: Problem, state: State, genomes: np.ndarray
    ) -> tuple[State, GenerationFitness]:
        """Evaluate a generation on all sequences, or on `sequences` of them and its `finalists` on all."""
        state, chosen = with_noise(problem, state), None
        if self.samples(problem):
            rng = generator(state)
            chosen = np.sort(rng.choice(problem.scored_sequences, self.sequences, replace=False))
            state = {**state, "rng": generator_state(rng)}
        networks, values = self._finite(problem, genomes, chosen)
        finalists, final = genomes, values
        if chosen is not None:
            finalists = genomes[np.argsort(-values, kind="stable")[: self.finalists]]
            networks, final = self._finite(problem, finalists, None)
        first = int(final.argmax())
        return state, GenerationFitness(
            values, finalists[first], networks[first], float(final[first]), chosen is not None
        )

    def samples(self, problem: Problem) -> bool:
        """Return whether a generation is evaluated on a sample of the sequences."""
        return self.sequences is not None and self.sequences < len(problem.scored_sequences)

    def shape(self, genomes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the fitness (P,) used for selection: raw fitness minus the weight decay."""
        if self.weight_decay == 0:
            return values
        with np.errstate(over="ignore"):
            shaped = values - 0.5 * self.weight_decay * np.einsum("pn,pn->p", genomes, genomes)
        return np.where(np.isfinite(values), np.maximum(shaped, np.finfo(np.float64).min), values)

    def factors(self, blocks: dict[str, tuple[int, ...]]) -> np.ndarray:
        """Return the factor on each gene's step size, shape (n,)."""
        return factors_of_genes("step_sizes", self.step_sizes or {}, blocks)

    def folded(self, genomes: np.ndarray) -> np.ndarray:
        """Return genomes (P, n) reflected at the bounds until they are inside."""
        low, high = self.lower, self.upper
        if low is None:
            return genomes if high is None else np.where(genomes > high, 2 * high - genomes, genomes)
        if high is None:
            return np.where(genomes < low, 2 * low - genomes, genomes)
        outside = (genomes < low) | (genomes > high)
        if not outside.any():
            return genomes
        width = high - low
        beyond = np.mod(genomes - low, 2 * width)
        folded = np.clip(low + np.minimum(beyond, 2 * width - beyond), low, high)
        return np.where(outside, folded, genomes)  # genes inside the bounds keep their bits

    def _finite(
        self, problem: Problem, genomes: np.ndarray, sequences: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what `evaluate` does, with a fitness of ``-inf`` where it is not finite."""
        networks, values = self.evaluate(problem, genomes, sequences)
        return networks, np.where(np.isfinite(values), values, -np.inf)


def moments(draws: np.ndarray, blocks: dict[str, tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (n,) of start genomes (count, n), equal within a block."""
    mean, deviation = [], []
    place = 0
    for shape in blocks.values():
        count = math.prod(shape)
        block = np.asarray(draws[:, place : place + count], dtype=np.float64)
        mean.append(np.full(count, block.mean() if count else 0.0))
        deviation.append(np.full(count, block.std() if count else 0.0))
        place += count
    return np.concatenate(mean), np.concatenate(deviation)


def spread_record(
    genomes: np.ndarray, blocks: Mapping[str, Sequence[int]], steps: np.ndarray | None = None
) -> dict[str, float]:
    """Return the diversity and the step size of each block that has genes, named as in the history.

    Parameters
    ----------
    genomes : ndarray, shape (P, n)
        The population; its diversity is the root of the mean variance of the genes.
    blocks : mapping of str to sequence of int
        ``{block name: shape}`` of a genome, in order.
    steps : ndarray, shape (n,), optional
        Standard deviation of each gene in the method's search distribution; in the population by default.
        The step size of a block is the root mean square of its genes' deviations.
    """
    spread = deviations(genomes)
    steps = spread if steps is None else steps
    record = {"diversity": root_mean_square(spread)}
    place = 0
    for name, shape in blocks.items():
        count = math.prod(shape)
        if count:
            record[STEP_SIZE + name] = root_mean_square(steps[place : place + count])
        place += count
    return record
