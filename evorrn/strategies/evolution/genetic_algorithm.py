"""GeneticAlgorithm: selection, crossover and Gaussian mutation of whole genomes, on DEAP."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.units import UNITS, check_layout, units
from evorrn.strategies.evolution.vectors import VectorStrategy, Verdict, moments, spread_record

if TYPE_CHECKING:
    from evorrn.strategies.evolution.individuals import Individual
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class GeneticAlgorithm(VectorStrategy):
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
    genomes are one point it is absolute. Mutation sizes that adapt themselves: see
    `evorrn.strategies.evolution.variation.mutate_adapting`.

    Bounds fold the line back like a mirror at both ends, children and start population alike. Under
    `sequences` everybody is evaluated in every generation, since fitness on other sequences does not
    compare, and elites are the best of the last generation. A restart forgets the elites, not the best.

    A `toolbox` of your own (``deap.base.Toolbox``, in Python alone) replaces ``select(individuals, k)``,
    ``mate(first, second)`` and ``mutate(individual)``, those of them that it has. They get individuals that
    are NumPy arrays (n,) with a ``fitness`` of DEAP's kind, maximised; they may change them in place or
    return others, but must not swap slices of two arrays, which are views of one memory. What they draw
    from Python's ``random`` or from NumPy's global generator is seeded by the run and resumes with it; what
    they remember by themselves is theirs to keep.
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

    adaptation: str = setting(
        "none",
        "whether mutation sizes evolve with the individuals, and how many an individual has: one, or one for "
        "each named block; mutation_size is where they start",
        choices=("none", "individual", "block"),
    )
    toolbox: object | None = setting(None, "a deap.base.Toolbox with operators of your own; in Python alone")

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or pair of settings, that is not allowed."""
        found = super().problems()
        if not found and self.elite >= self.population:
            found.append(f"elite: expected fewer than the population of {self.population}, got {self.elite}")
        if not found and self.crossover_probability == self.mutation_probability == 0:
            found.append("mutation_probability: expected more than 0 where crossover_probability is 0")
        if not found and self.adaptation != "none" and self.mutation_decay != 1:
            found.append("mutation_decay: expected 1 where mutation sizes adapt themselves")
        if self.toolbox is not None:
            from deap.base import Toolbox

            if not isinstance(self.toolbox, Toolbox):
                found.append(f"toolbox: expected a deap.base.Toolbox made in Python, got {self.toolbox!r}")
            elif self.adaptation != "none" and hasattr(self.toolbox, "mutate"):
                found.append("adaptation: has no effect on the toolbox's own mutate; expected none")
        return found

    def values(self) -> dict[str, object]:
        """Return the settings as plain data; a toolbox is mentioned where there is one."""
        found = {name: value for name, value in super().values().items() if name != "toolbox"}
        return found if self.toolbox is None else {**found, "toolbox": "made in Python"}

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation; compiling the operators counts as compiling."""
        from evorrn.strategies.evolution.individuals import individual
        from evorrn.strategies.evolution.toolbox import make_toolbox

        state = super().start(problem, rng)
        if self.toolbox is None:
            began = time.perf_counter()
            box, pair = make_toolbox(self, state, np.random.default_rng(0)), np.zeros((2, problem.size))
            sizes = state["sizes"][0]
            box.mate(*(individual(genes, sizes=sizes) for genes in pair))
            box.mutate(individual(pair[0], sizes=sizes))
            problem.meter.compile_seconds += time.perf_counter() - began
        return state

    def step(self, problem: Problem, state: State) -> State:
        """Evaluate one generation; with `sequences` on as many, and then its `finalists` on all of them."""
        if not self.samples(problem):
            return super().step(problem, state)
        state, _ = self.ask(state)
        genomes = state["population"]
        state, verdict = self.judge(problem, state, genomes)
        state = self._told({**state, "fitness": np.full(len(genomes), np.nan)}, genomes, verdict)
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
        """Return the part of the state that a start population (P, n) brings."""
        population = self.folded(drawn)
        spread = float(np.sqrt(population.var(axis=0).mean())) or 1.0
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
        """Return the next generation, and of it the genomes that changed, up to (P, n).

        Fitness is NaN in the state for those that wait to be evaluated. The first generation is the
        start population, all of it.
        """
        if state["generation"] > state["began"]:
            rng = generator(state)
            state = {**state, **self._offspring(state, rng), "rng": generator_state(rng)}
        return state, state["population"][np.isnan(state["fitness"])]

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the genomes asked for were given their fitness, higher is better."""
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        first = int(values.argmax())
        return self._told(
            state, genomes, Verdict(values, genomes[first], genomes[first], float(values[first]))
        )

    def _told(self, state: State, genomes: np.ndarray, verdict: Verdict) -> State:
        from evorrn.strategies.evolution.individuals import hall_of_fame, individuals, statistics

        values, pending = verdict.values, np.isnan(state["fitness"])
        everybody = state["fitness"].copy()
        everybody[pending] = values
        earlier = [] if verdict.crowned else self._elites(state)
        hall = hall_of_fame(max(1, self.elite), earlier)
        shaped = self.shape(genomes, values)
        entrance = hall[-1].fitness.wvalues[0] if len(hall) == hall.maxsize else -np.inf
        worthy = np.flatnonzero(shaped > entrance)
        sizes = state["sizes"][pending]
        hall.update(individuals(genomes[worthy], shaped[worthy], values[worthy], sizes[worthy]))
        record = statistics().compile(everybody)
        lately, better = verdict.worth > state["best_since_start"], verdict.worth > state["best_fitness"]
        told = {
            **state,
            "generation": state["generation"] + 1,
            "fitness": everybody,
            "elite_genomes": np.array(hall.items).reshape(len(hall), genomes.shape[1]),
            "elite_fitness": np.array([member.raw for member in hall]),
            "elite_sizes": np.array([member.sizes for member in hall]).reshape(len(hall), sizes.shape[1]),
            "waiting": 0 if lately else state["waiting"] + 1,
            "best_since_start": verdict.worth if lately else state["best_since_start"],
            "best_genome": np.array(verdict.network) if better else state["best_genome"],
            "best_fitness": verdict.worth if better else state["best_fitness"],
            "record": {**record, "evaluated": len(values), **self._extra_record(state)},
        }
        if self.restart_after is not None and told["waiting"] >= self.restart_after:
            return self._restarted(told)
        return told

    def _elites(self, state: State) -> list[Individual]:
        from evorrn.strategies.evolution.individuals import individuals

        genomes, fitness = state["elite_genomes"], state["elite_fitness"]
        return individuals(genomes, self.shape(genomes, fitness), fitness, state["elite_sizes"])

    def _extra_record(self, state: State) -> dict[str, float]:
        """Return the spread of the population, and what the settings make worth recording beside it."""
        record = spread_record(state["population"], state["layout"])
        if self.restart_after is not None:
            record["restarts"] = state["restarts"]
        for number, column in enumerate(state["sizes"].T):
            record[f"mutation_size.{number}" if self.adaptation == "block" else "mutation_size"] = float(
                np.median(column)
            )
        return record

    def _restarted(self, state: State) -> State:
        """Return the state before another start population, with the best ever kept."""
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

    def _offspring(self, state: State, rng: np.random.Generator) -> State:
        """Return the next generation: population (P, n), fitness (P,), NaN for those that changed, and sizes."""
        from deap.algorithms import varAnd

        from evorrn.strategies.evolution.individuals import individual, individuals
        from evorrn.strategies.evolution.toolbox import make_toolbox
        from evorrn.strategies.evolution.variation import seeded

        elites = min(self.elite, len(state["elite_genomes"]))
        population = np.empty_like(state["population"])
        population[:elites] = state["elite_genomes"][:elites]
        places = iter(population[elites:])

        def clone(parent: Individual) -> Individual:
            """Copy a parent to the next place of the new generation's array."""
            genes = next(places)
            genes[:] = parent
            return individual(genes, *parent.fitness.wvalues, raw=parent.raw, sizes=parent.sizes)

        toolbox = make_toolbox(self, state, rng)
        toolbox.register("clone", clone)
        genomes, fitness = state["population"], state["fitness"]
        parents = individuals(genomes, self.shape(genomes, fitness), fitness, state["sizes"])
        with seeded(rng, globally=self.toolbox is not None):
            chosen = toolbox.select(parents, self.population - elites)
            children = varAnd(chosen, toolbox, self.crossover_probability, self.mutation_probability)
            if all(child.fitness.valid for child in children):
                toolbox.mutate(children[-1])
                del children[-1].fitness.values
        told = [child.raw if child.fitness.valid else math.nan for child in children]
        sizes = [child.sizes for child in children]
        return {
            "population": self.folded(population),
            "fitness": np.concatenate([state["elite_fitness"][:elites], told]),
            "sizes": np.concatenate([state["elite_sizes"][:elites], sizes]),
        }
