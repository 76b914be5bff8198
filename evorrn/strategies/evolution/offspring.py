"""The next generation of the genetic algorithm: selection, crossover and mutation by DEAP's ``varAnd``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from deap.algorithms import varAnd

from evorrn.strategies.evolution.individuals import Individual, individual, individuals
from evorrn.strategies.evolution.toolbox import make_toolbox
from evorrn.strategies.evolution.variation import seeded

if TYPE_CHECKING:
    from evorrn.strategies.base import State
    from evorrn.strategies.evolution.genetic_settings import GeneticSettings


def next_generation(settings: GeneticSettings, state: State, rng: np.random.Generator) -> State:
    """Return the part of the state that the next generation replaces.

    Parameters
    ----------
    settings : GeneticSettings
    state : dict
        State of the algorithm, with the fitness of every individual.
    rng : Generator

    Returns
    -------
    dict
        ``population`` (P, n); ``fitness`` (P,), NaN for individuals that changed; ``sizes`` (P, k), the
        mutation sizes of each individual.
    """
    elites = min(settings.elite, len(state["elite_genomes"]))
    population = np.empty_like(state["population"])
    population[:elites] = state["elite_genomes"][:elites]
    free_rows = iter(population[elites:])

    def clone(parent: Individual) -> Individual:
        """Copy a parent to the next free row of the new population."""
        genes = next(free_rows)
        genes[:] = parent
        return individual(genes, *parent.fitness.wvalues, raw=parent.raw, sizes=parent.sizes)

    toolbox = make_toolbox(settings, state, rng)
    toolbox.register("clone", clone)
    genomes, fitness = state["population"], state["fitness"]
    parents = individuals(genomes, settings.shape(genomes, fitness), fitness, state["sizes"])
    with seeded(rng, globally=settings.toolbox is not None):
        chosen = toolbox.select(parents, settings.population - elites)
        children = varAnd(chosen, toolbox, settings.crossover_probability, settings.mutation_probability)
        if all(child.fitness.valid for child in children):
            toolbox.mutate(children[-1])
            del children[-1].fitness.values
    known = [child.raw if child.fitness.valid else math.nan for child in children]
    sizes = [child.sizes for child in children]
    return {
        "population": settings.folded(population),
        "fitness": np.concatenate([state["elite_fitness"][:elites], known]),
        "sizes": np.concatenate([state["elite_sizes"][:elites], sizes]),
    }
