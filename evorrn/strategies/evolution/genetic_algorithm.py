"""GeneticAlgorithm: selection, crossover and Gaussian mutation of whole genomes, on DEAP."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.huge import deviations, quantiles, root_mean_square
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.genetic_settings import GeneticSettings
from evorrn.strategies.evolution.units import check_layout, units
from evorrn.strategies.evolution.vectors import GenerationFitness, moments, spread_record

if TYPE_CHECKING:
    from evorrn.strategies.evolution.individuals import Individual
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class GeneticAlgorithm(GeneticSettings):
    """Generational genetic algorithm with elitism on real genomes.

    One generation: parents are selected with replacement and copied; each pair of neighbouring copies crosses
    over with `crossover_probability`; each copy mutates with `mutation_probability`; the copies that changed
    are evaluated together; the `elite` best distinct individuals so far survive unchanged.

    Notes
    -----
    Source: T. Bäck, D. B. Fogel and Z. Michalewicz, Evolutionary Computation 1 (2000), chapter 7, as
    DEAP's ``eaSimple``, with these differences: elitism; a mutation changes at least one unit; when no
    copy has changed, one is mutated, so that every generation evaluates at least one individual. Mutation
    sizes are relative to the standard deviation of the start population, so that one setting suits networks
    of any width; when all start genomes are equal, they are absolute. For mutation sizes that evolve, see
    `evorrn.strategies.evolution.variation.mutate_adapting`.

    Genes outside the bounds are reflected at them, in children and in the start population. With `sequences`,
    every generation evaluates all individuals, because fitness on different sequences is not comparable, and
    the elites are the best of the last generation. A restart discards the elites, but not the best so far.

    A `toolbox` (``deap.base.Toolbox``, available in Python only) can replace ``select(individuals, k)``,
    ``mate(first, second)`` and ``mutate(individual)``, or some of them. Individuals are NumPy arrays (n,) with
    a DEAP ``fitness`` that is maximised; a slice of one is a copy, as of a list. The functions may change individuals
    in place or return new ones. DEAP's own operators for real vectors and one objective work;
    `evorrn.strategies.evolution.deap_operators.REFUSED` says why others do not. Python's ``random``
    and NumPy's global generator are seeded by the run while they are called, so that a resumed run draws the
    same numbers; other state that a function keeps is not saved.

    Examples
    --------
    Train a network on a task:

    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> ga = evorrn.GeneticAlgorithm(population=8, crossover="uniform")
    >>> result = ga.fit(network, task, seed=1, budget="3gen")
    >>> len(result.history["fitness_best"])
    3

    Minimise a function of a vector:

    >>> import numpy as np
    >>> search = evorrn.GeneticAlgorithm(mutation_rate=0.5).search(np.ones(3))
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    name: ClassVar[str] = "ga"

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation; the crossover's compile time is recorded as such."""
        from evorrn.strategies.evolution.toolbox import crossover_kernel

        state = super().start(problem, rng)
        if self.toolbox is None:
            began = time.perf_counter()
            kernel, parameters = crossover_kernel(self)
            units, pair = state["crossover_units"], np.zeros((2, problem.size))
            kernel(*pair, *parameters, units, np.zeros(int(units.max()) + 1))
            problem.meter.compile_seconds += time.perf_counter() - began
        return state

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one generation; the candidate is the best individual so far."""
        if not self.samples(problem):
            return super().step(problem, state)
        state, _ = self.ask(state)
        genomes = state["population"]
        paid = problem.meter.work
        state, fitness = self.evaluate_generation(problem, state, genomes)
        paid = problem.meter.work - paid
        state = self._after({**state, "fitness": np.full(len(genomes), np.nan)}, genomes, fitness)
        problem.charge_own(self.own_work(state, genomes), paid)
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    def initial(
        self,
        size: int,
        rng: np.random.Generator,
        draw: Callable[[np.random.Generator, int], np.ndarray],
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> State:
        """Return the state before the first `ask`; see `EvolutionStrategy.initial`."""
        blocks: dict[str, tuple[int, ...]] = {"genome": (size,)} if layout is None else layout
        check_layout(blocks, size)
        drawn = np.array(draw(rng, self.population), dtype=np.float64)
        if isinstance(draw, Around):
            mean, deviation = draw.centre, np.full(size, draw.spread)
        else:
            mean, deviation = moments(drawn, blocks)
        size_blocks = units(blocks, "block") * (self.adaptation == "block")
        return {
            "generation": 0,
            **self._fresh(drawn, size_blocks),
            "crossover_units": units(blocks, self.crossover_unit),
            "mutation_units": units(blocks, self.mutation_unit),
            "size_blocks": size_blocks,
            "factors": self.factors(blocks),
            "start_mean": mean,
            "start_deviation": deviation,
            "layout": {name: list(shape) for name, shape in blocks.items()},
            "began": 0,
            "restarts": 0,
            "waiting": 0,
            "best_since_start": -math.inf,
            "best_genome": None,
            "best_fitness": -math.inf,
            "rng": generator_state(rng),
        }

    def _fresh(self, drawn: np.ndarray, size_blocks: np.ndarray) -> State:
        """Return the part of the state that a start population (P, n) determines."""
        population = self.folded(drawn)
        spread = root_mean_square(deviations(population)) or 1.0
        count = 0 if self.adaptation == "none" else int(size_blocks.max()) + 1
        return {
            "population": population,
            "fitness": np.full(self.population, np.nan),
            "sizes": np.full((self.population, count), self.mutation_size * spread),
            "elite_genomes": np.zeros((0, population.shape[1])),
            "elite_fitness": np.zeros(0),
            "elite_sizes": np.zeros((0, count)),
            "spread": spread,
        }

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the state with the next generation, and its genomes that need evaluation, up to (P, n).

        Their fitness is NaN in the state. The first generation is the whole start population.
        """
        from evorrn.strategies.evolution.offspring import next_generation

        if state["generation"] > state["began"]:
            rng = generator(state)
            state = {**state, **next_generation(self, state, rng), "rng": generator_state(rng)}
        return state, state["population"][np.isnan(state["fitness"])]

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state given the fitness of the genomes asked for; higher is better."""
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        best = genomes[int(values.argmax())]
        return self._after(state, genomes, GenerationFitness(values, best, best, float(values.max())))

    def _after(self, state: State, genomes: np.ndarray, fitness: GenerationFitness) -> State:
        """Return the state after the individuals without fitness were evaluated, restarted where it stagnates."""
        from evorrn.strategies.evolution.individuals import hall_of_fame, individuals, statistics

        values, best, pending = fitness.values, fitness.best_fitness, np.isnan(state["fitness"])
        all_values = state["fitness"].copy()
        all_values[pending] = values
        earlier = [] if fitness.reevaluated else self._elites(state)
        hall = hall_of_fame(max(1, self.elite), earlier)
        shaped = self.shape(genomes, values)
        threshold = hall[-1].fitness.wvalues[0] if len(hall) == hall.maxsize else -np.inf
        entering = np.flatnonzero(shaped > threshold)
        sizes = state["sizes"][pending]
        hall.update(individuals(genomes[entering], shaped[entering], values[entering], sizes[entering]))
        record = statistics().compile(all_values)
        better, better_since_start = best > state["best_fitness"], best > state["best_since_start"]
        after = {
            **state,
            "generation": state["generation"] + 1,
            "fitness": all_values,
            "elite_genomes": np.array(hall.items).reshape(len(hall), genomes.shape[1]),
            "elite_fitness": np.array([member.raw for member in hall]),
            "elite_sizes": np.array([member.sizes for member in hall]).reshape(len(hall), sizes.shape[1]),
            "waiting": 0 if better_since_start else state["waiting"] + 1,
            "best_since_start": best if better_since_start else state["best_since_start"],
            "best_genome": np.array(fitness.best_network) if better else state["best_genome"],
            "best_fitness": best if better else state["best_fitness"],
            "record": {**record, "evaluated": len(values), **self._extra_record(state)},
        }
        if self.restart_after is not None and after["waiting"] >= self.restart_after:
            return self._restarted(after)
        return after

    def _elites(self, state: State) -> list[Individual]:
        """Return the best distinct individuals so far."""
        from evorrn.strategies.evolution.individuals import individuals

        genomes, fitness = state["elite_genomes"], state["elite_fitness"]
        return individuals(genomes, self.shape(genomes, fitness), fitness, state["elite_sizes"])

    def _extra_record(self, state: State) -> dict[str, float]:
        """Return the spread of the population, and numbers that only some settings have."""
        record = spread_record(state["population"], state["layout"])
        if self.restart_after is not None:
            record["restarts"] = state["restarts"]
        for number, column in enumerate(state["sizes"].T):
            record[f"mutation_size.{number}" if self.adaptation == "block" else "mutation_size"] = float(
                quantiles(column, 0.5)
            )
        return record

    def _restarted(self, state: State) -> State:
        """Return the state with another start population; the best individual so far is kept."""
        rng = generator(state)
        noise = rng.standard_normal(state["population"].shape)
        drawn = state["start_mean"] + state["start_deviation"] * noise
        return {
            **state,
            **self._fresh(drawn, state["size_blocks"]),
            "began": state["generation"],
            "restarts": state["restarts"] + 1,
            "waiting": 0,
            "best_since_start": -math.inf,
            "rng": generator_state(rng),
        }
