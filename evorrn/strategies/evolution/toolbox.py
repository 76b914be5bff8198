"""The genetic algorithm's DEAP toolbox: evorrn's operators, or a user's in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from deap import base, tools

from evorrn.base.errors import ShapeError
from evorrn.strategies.evolution import operators, variation
from evorrn.strategies.evolution.deap_operators import OPERATORS, call, check_positive
from evorrn.strategies.evolution.individuals import Individual

if TYPE_CHECKING:
    from evorrn.strategies.base import State
    from evorrn.strategies.evolution.genetic_settings import GeneticSettings


def make_toolbox(settings: GeneticSettings, state: State, rng: np.random.Generator) -> base.Toolbox:
    """Return a toolbox with ``select``, ``mate`` and ``mutate``.

    Parameters
    ----------
    settings : GeneticSettings
    state : dict
        Contains the units of the genome, the spread of the start population and the generation.
    rng : Generator
        For evorrn's operators. DEAP's own functions draw from Python's ``random``.
    """
    box = base.Toolbox()
    if settings.selection == "tournament":
        box.register("select", tools.selTournament, tournsize=settings.tournament_size)
    elif settings.selection == "truncation":
        best = math.ceil(settings.truncation * settings.population)
        box.register("select", variation.select_truncation, best=best)
    else:
        box.register("select", variation.select_ranked_roulette)
    kernel, parameters = crossover_kernel(settings)
    units = state["crossover_units"]
    count = int(units.max()) + 1
    box.register(
        "mate", variation.mate, kernel=kernel, parameters=parameters, units=units, count=count, rng=rng
    )
    units = state["mutation_units"]
    shared: dict[str, Any] = {"rate": settings.mutation_rate, "units": units, "count": int(units.max()) + 1}
    if settings.adaptation == "none":
        age = state["generation"] - state["began"] - 1
        size = settings.mutation_size * state["spread"] * settings.mutation_decay**age
        sizes = size if settings.step_sizes is None else size * state["factors"]
        box.register("mutate", variation.mutate, size=sizes, rng=rng, **shared)
    else:
        own = {"blocks": state["size_blocks"], "factors": state["factors"]}
        box.register("mutate", variation.mutate_adapting, rng=rng, **own, **shared)
    for name in OPERATORS:
        function = getattr(settings.toolbox, name, None)
        if function is not None:
            box.register(name, selecting(function) if name == "select" else in_place(function, name))
    return box


def crossover_kernel(settings: GeneticSettings) -> tuple[Callable[..., Any], tuple[float, ...]]:
    """Return the compiled crossover of the settings, and its arguments between the chromosomes and the units."""
    kernels: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
        "simulated-binary": (operators.simulated_binary, (settings.crossover_eta,)),
        "blend": (operators.blend, (settings.crossover_alpha,)),
        "uniform": (operators.uniform, (settings.crossover_share,)),
        "one-point": (operators.one_point, ()),
    }
    return kernels[settings.crossover]


def selecting(function: Callable[..., Any]) -> Callable[..., Sequence[Individual]]:
    """Return a user's selection with a check that it returns `k` of the individuals given."""

    def select(individuals: Sequence[Individual], k: int) -> Sequence[Individual]:
        check_positive(function, individuals)
        chosen = list(call("select", function, individuals, k))
        if len(chosen) != k or not all(isinstance(each, Individual) for each in chosen):
            raise ShapeError(
                f"toolbox.select: expected {k} of the individuals given, got {len(chosen)} objects"
            )
        return chosen

    return select


def in_place(function: Callable[..., Any], name: str) -> Callable[..., tuple[Individual, ...]]:
    """Return a user's crossover or mutation, with its result copied into the individuals given."""

    def vary(*given: Individual) -> tuple[Individual, ...]:
        made = call(name, function, *given)
        shapes = (
            [np.shape(genes) for genes in made] if isinstance(made, tuple | list) else type(made).__name__
        )
        if shapes != [genes.shape for genes in given]:
            raise ShapeError(
                f"toolbox.{name}: expected a tuple of {len(given)} with shape {given[0].shape}, got {shapes}"
            )
        results = [np.array(result, dtype=np.float64) for result in made]
        for result in results:
            if not np.isfinite(result).all():
                gene = int(np.argmin(np.isfinite(result)))
                raise ShapeError(f"toolbox.{name}: expected finite genes, got {result[gene]} as gene {gene}")
        for genes, result in zip(given, results):
            genes[:] = result
        return given

    return vary
