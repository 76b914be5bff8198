"""The next generation of the genetic algorithm: whole arrays at a time, or DEAP's ``varAnd`` with a user's toolbox."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from deap.algorithms import varAnd

from evorrn.strategies.evolution.breeding import Children, breed
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
    shaped = settings.shape(state["population"], state["fitness"])
    make = breed if settings.toolbox is None else breed_with_toolbox
    population = np.empty_like(state["population"])
    population[:elites] = state["elite_genomes"][:elites]
    children = make(settings, state, shaped, population[elites:], rng)
    known = np.where(children.changed, math.nan, children.fitness)
    return {
        "population": settings.folded(population),
        "fitness": np.concatenate([state["elite_fitness"][:elites], known]),
        "sizes": np.concatenate([state["elite_sizes"][:elites], children.sizes]),
    }


def breed_with_toolbox(
    settings: GeneticSettings, state: State, shaped: np.ndarray, genomes: np.ndarray, rng: np.random.Generator
) -> Children:
    """Do what `breed` does by DEAP's ``varAnd`` on one individual at a time, with the operators of a user's toolbox."""
    count, free_rows = len(genomes), iter(genomes)

    def clone(parent: Individual) -> Individual:
        """Copy a parent to the next free row of the new genomes."""
        genes = next(free_rows)
        genes[:] = parent
        return individual(genes, *parent.fitness.wvalues, raw=parent.raw, sizes=parent.sizes)

    toolbox = make_toolbox(settings, state, rng)
    toolbox.register("clone", clone)
    crowd = individuals(state["population"], shaped, state["fitness"], state["sizes"])
    with seeded(rng, globally=True):
        chosen = toolbox.select(crowd, count)
        children = varAnd(chosen, toolbox, settings.crossover_probability, settings.mutation_probability)
        if all(child.fitness.valid for child in children):
            toolbox.mutate(children[-1])
            del children[-1].fitness.values
    changed = np.array([not child.fitness.valid for child in children])
    sizes = np.array([child.sizes for child in children]).reshape(count, state["sizes"].shape[1])
    return Children(genomes, sizes, np.array([child.raw for child in children]), changed)
