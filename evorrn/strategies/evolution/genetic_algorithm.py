"""GeneticAlgorithm: selection, crossover and Gaussian mutation of whole genomes, on DEAP."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.settings import setting
from evorrn.strategies.base import EvolutionStrategy, State, generator, generator_state
from evorrn.strategies.evolution.units import UNITS, check_layout, units

if TYPE_CHECKING:
    from deap.base import Toolbox

    from evorrn.problem import Problem


@dataclass(frozen=True)
class GeneticAlgorithm(EvolutionStrategy):
    """A generational genetic algorithm with elites, whose chromosomes are the genomes themselves.

    One generation: parents are selected with replacement; neighbours among their copies cross over
    with `crossover_probability`; each copy mutates with `mutation_probability`; those that changed are
    evaluated, all in one call; the `elite` best distinct individuals ever seen take the first places.

    Notes
    -----
    Source: T. Bäck, D. B. Fogel and Z. Michalewicz, Evolutionary Computation 1 (2000), chapter 7, as
    DEAP's ``eaSimple``, with these differences: elites; a mutation changes at least one unit; where
    chance changed nobody one individual is mutated, so that every generation evaluates somebody. The
    size of mutations follows the start population, so it suits networks of any width; where all start
    genomes are one point it is absolute.
    """

    name: ClassVar[str] = "ga"

    population: int = setting(32, "individuals of a generation", minimum=2)
    elite: int = setting(
        1, "best distinct individuals ever seen that live on unchanged; fewer than the population", minimum=0
    )
    selection: str = setting(
        "tournament",
        "how parents are chosen: the best of a few drawn at random (tournament), at random among the best "
        "(truncation), or with a probability proportional to the rank, the worst having rank 1 (roulette)",
        choices=("tournament", "truncation", "roulette"),
    )
    tournament_size: int = setting(8, "individuals drawn for a tournament", minimum=1)
    truncation: float = setting(
        0.25, "share of the population that truncation selects from", above=0, maximum=1
    )
    crossover: str = setting(
        "uniform",
        "how two parents are mixed",
        choices=("simulated-binary", "blend", "uniform", "one-point"),
    )
    crossover_probability: float = setting(0.5, "probability that a pair crosses over", minimum=0, maximum=1)
    crossover_unit: str = setting(
        "neuron",
        "what crosses over as a whole: a gene, a named block, or all weights into a neuron",
        choices=UNITS,
    )
    crossover_eta: float = setting(
        15.0, "distribution index of simulated binary crossover; larger keeps children nearer", minimum=0
    )
    crossover_alpha: float = setting(
        0.5, "how far beyond the parents blend crossover reaches, as a share of their distance", minimum=0
    )
    crossover_share: float = setting(
        0.5, "probability of a unit to be swapped by uniform crossover", above=0, maximum=1
    )
    mutation_probability: float = setting(1.0, "probability that an individual mutates", minimum=0, maximum=1)
    mutation_unit: str = setting(
        "gene", "what mutates as a whole: a gene, a named block, or all weights into a neuron", choices=UNITS
    )
    mutation_rate: float = setting(
        0.03,
        "probability of a unit of a mutating individual to change; one changes at least",
        above=0,
        maximum=1,
    )
    mutation_size: float = setting(
        0.15,
        "standard deviation of the change of a gene, as a multiple of the genes' standard deviation in the "
        "start population",
        above=0,
    )
    mutation_decay: float = setting(
        1.0, "factor on mutation_size after every generation; 1 keeps it", above=0, maximum=1
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or pair of settings, that is not allowed."""
        found = super().problems()
        if not found and self.elite >= self.population:
            found.append(f"elite: expected fewer than the population of {self.population}, got {self.elite}")
        if not found and self.crossover_probability == self.mutation_probability == 0:
            found.append("mutation_probability: expected more than 0 where crossover_probability is 0")
        return found

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation; compiling the operators counts as compiling."""
        from evorrn.strategies.evolution.individuals import individual

        state = super().start(problem, rng)
        began = time.perf_counter()
        box, pair = self.toolbox(state, np.random.default_rng(0)), np.zeros((2, problem.size))
        box.mate(*map(individual, pair))
        box.mutate(individual(pair[0]))
        problem.meter.compile_seconds += time.perf_counter() - began
        return state

    def initial(
        self,
        size: int,
        rng: np.random.Generator,
        draw: Callable[[np.random.Generator, int], np.ndarray],
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> State:
        """Return the state before the first `ask`; see `EvolutionStrategy.initial`."""
        blocks = {"genome": (size,)} if layout is None else layout
        check_layout(blocks, size)
        population = np.array(draw(rng, self.population), dtype=np.float64)
        return {
            "generation": 0,
            "population": population,
            "fitness": np.full(self.population, np.nan),
            "elite_genomes": np.zeros((0, size)),
            "elite_fitness": np.zeros(0),
            "crossover_units": units(blocks, self.crossover_unit),
            "mutation_units": units(blocks, self.mutation_unit),
            "spread": float(np.sqrt(population.var(axis=0).mean())) or 1.0,
            "best_genome": None,
            "best_fitness": -math.inf,
            "rng": generator_state(rng),
        }

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the next generation, and of it the genomes that changed, up to (P, n).

        Fitness is NaN in the state for those that wait to be evaluated. The first generation is the
        start population, all of it.
        """
        if state["generation"] > 0:
            rng = generator(state)
            population, fitness = self._offspring(state, rng)
            state = {**state, "population": population, "fitness": fitness, "rng": generator_state(rng)}
        return state, state["population"][np.isnan(state["fitness"])]

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the genomes asked for were given their fitness, higher is better."""
        from evorrn.strategies.evolution.individuals import hall_of_fame, individual, statistics

        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        hall = hall_of_fame(max(1, self.elite), state["elite_genomes"], state["elite_fitness"])
        entrance = hall[-1].fitness.wvalues[0] if len(hall) == hall.maxsize else -np.inf
        worthy = np.flatnonzero(values > entrance)
        hall.update([individual(genomes[index], float(values[index])) for index in worthy])
        everybody = state["fitness"].copy()
        everybody[np.isnan(everybody)] = values
        record = statistics().compile(everybody)
        return {
            **state,
            "generation": state["generation"] + 1,
            "fitness": everybody,
            "elite_genomes": np.array(hall.items).reshape(len(hall), genomes.shape[1]),
            "elite_fitness": np.array([member.fitness.wvalues[0] for member in hall]),
            "best_genome": np.array(hall[0]) if len(hall) else None,
            "best_fitness": float(hall[0].fitness.wvalues[0]) if len(hall) else -math.inf,
            "record": {**record, "evaluated": len(values)},
        }

    def toolbox(self, state: State, rng: np.random.Generator) -> Toolbox:
        """Return DEAP's toolbox of this algorithm: ``select``, ``clone``, ``mate`` and ``mutate``.

        Parameters
        ----------
        state : dict
            For the units of the genome, the spread of the start population and the generation.
        rng : Generator
            What the operators draw from. DEAP's own functions draw from Python's ``random``.
        """
        from deap import base, tools

        from evorrn.strategies.evolution import operators, variation

        box = base.Toolbox()
        if self.selection == "tournament":
            box.register("select", tools.selTournament, tournsize=self.tournament_size)
        elif self.selection == "truncation":
            best = math.ceil(self.truncation * self.population)
            box.register("select", variation.select_truncation, best=best)
        else:
            box.register("select", variation.select_ranked_roulette)
        kernel, parameters = {
            "simulated-binary": (operators.simulated_binary, (self.crossover_eta,)),
            "blend": (operators.blend, (self.crossover_alpha,)),
            "uniform": (operators.uniform, (self.crossover_share,)),
            "one-point": (operators.one_point, ()),
        }[self.crossover]
        box.register(
            "mate",
            variation.mate,
            kernel=kernel,
            parameters=parameters,
            units=state["crossover_units"],
            count=int(state["crossover_units"].max()) + 1,
            rng=rng,
        )
        size = self.mutation_size * state["spread"] * self.mutation_decay ** (state["generation"] - 1)
        box.register(
            "mutate",
            variation.mutate,
            size=size,
            rate=self.mutation_rate,
            units=state["mutation_units"],
            count=int(state["mutation_units"].max()) + 1,
            rng=rng,
        )
        return box

    def _offspring(self, state: State, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the next generation (P, n) and its fitness (P,), NaN for those that changed."""
        from deap.algorithms import varAnd

        from evorrn.strategies.evolution.individuals import Individual, individual
        from evorrn.strategies.evolution.variation import seeded_globals

        elites = min(self.elite, len(state["elite_genomes"]))
        population = np.empty_like(state["population"])
        population[:elites] = state["elite_genomes"][:elites]
        places = iter(population[elites:])

        def clone(parent: Individual) -> Individual:
            """Copy a parent to the next place of the new generation's array."""
            genes = next(places)
            genes[:] = parent
            return individual(genes, *parent.fitness.wvalues)

        toolbox = self.toolbox(state, rng)
        toolbox.register("clone", clone)
        parents = [
            individual(genes, value) for genes, value in zip(state["population"], state["fitness"].tolist())
        ]
        with seeded_globals(rng):
            chosen = toolbox.select(parents, self.population - elites)
            children = varAnd(chosen, toolbox, self.crossover_probability, self.mutation_probability)
        if all(child.fitness.valid for child in children):
            toolbox.mutate(children[-1])
            del children[-1].fitness.values
        fitness = [child.fitness.wvalues[0] if child.fitness.valid else math.nan for child in children]
        return population, np.concatenate([state["elite_fitness"][:elites], fitness])
