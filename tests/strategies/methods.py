"""The strategies that several files of tests run, and how they run them."""

import numpy as np

from evorrn import (
    PGPE,
    SHADE,
    DifferentialEvolution,
    OnePlusOneES,
    OpenAIES,
    ParticleSwarm,
    TruncationGA,
)

STRATEGIES = [
    TruncationGA(population=16),
    OpenAIES(population=16),
    PGPE(population=16),
    PGPE(population=16, optimiser="adam"),
    OnePlusOneES(),
    OnePlusOneES(population=8),
    DifferentialEvolution(population=16),
    DifferentialEvolution(population=16, variant="best/1"),
    DifferentialEvolution(population=16, variant="current-to-best/1"),
    SHADE(population=16, memory=5),
    ParticleSwarm(population=16),
    ParticleSwarm(population=16, neighbours="ring"),
]
KEEPING = [
    s for s in STRATEGIES if isinstance(s, OnePlusOneES | DifferentialEvolution | SHADE | ParticleSwarm)
]
BY_RANK = [s for s in STRATEGIES if not isinstance(s, SHADE)]


def label(strategy):
    parts = [strategy.name, *(str(v) for k, v in strategy.values().items() if k in ("variant", "neighbours"))]
    parts += ["adam"] * (getattr(strategy, "optimiser", "") == "adam")
    return " ".join(parts) + " +" * (strategy.name == "one-plus-one-es" and strategy.population > 1)


def of(strategy, **settings):
    return type(strategy)(**{**strategy.values(), **settings})


def run(strategy, function, generations, start=(2.0, 2.0, 2.0), seed=0, spread=1.0, **settings):
    """Return the search after a number of generations, and all its genomes, a list of (P, n)."""
    search, asked = strategy.search(np.array(start), seed=seed, spread=spread, **settings), []
    for _ in range(generations):
        asked.append(search.ask())
        search.tell(asked[-1], function(asked[-1]))
    return search, asked


def sphere(x):
    return -np.sum((x - 1.0) ** 2, axis=1)
