"""The precision of strategies on standard functions, also compared with SciPy's differential evolution."""

import numpy as np
import pytest
from methods import STRATEGIES, label, of
from stand_in import problem

from evorrn import (
    PGPE,
    SHADE,
    Budget,
    DifferentialEvolution,
    OnePlusOneES,
    OpenAIES,
    ParticleSwarm,
    TruncationGA,
)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("strategy", "evaluations", "precision"),
    [
        (TruncationGA(sigma=0.1), 10_000, (3e-3, 1e-3)),
        (OpenAIES(), 10_000, (3e-3, 1e-3)),
        (PGPE(sigma=0.3), 10_000, (3e-4, 1e-4)),
        (PGPE(sigma=0.3, optimiser="adam"), 10_000, (3e-4, 1e-4)),
        (OnePlusOneES(), 1_000, (1e-15, 1e-1)),
        (OnePlusOneES(population=8), 4_000, (1e-25, 3e-3)),
        (DifferentialEvolution(), 10_000, (1e-20, 1e-20)),
        (DifferentialEvolution(variant="best/1", factor=0.7), 10_000, (1e-20, 1e-20)),
        (DifferentialEvolution(variant="current-to-best/1", factor=0.7), 10_000, (1e-20, 1e-20)),
        (SHADE(), 20_000, (1e-17, 1e-17)),
        (ParticleSwarm(), 10_000, (1e-17, 1e-17)),
        (ParticleSwarm(neighbours="ring"), 10_000, (1e-12, 1e-12)),
    ],
    ids=lambda value: label(value) if hasattr(value, "name") else "",
)
def test_sphere_and_ellipsoid_in_five_dimensions(strategy, evaluations, precision):
    """The median of three seeds, from a distance of 2 in every gene; the ellipsoid's axes are 1 to 30."""
    weights = 30.0 ** (2 * np.arange(5) / 4)
    weights /= weights.mean()
    for function, wanted in zip(
        (lambda x: -np.sum(x**2, axis=1), lambda x: -np.sum(weights * x**2, axis=1)), precision
    ):
        found = []
        for seed in range(3):
            search = strategy.search(np.full(5, 2.0), seed=seed)
            while not search.done(Budget(evaluations=evaluations, loss=wanted)):
                genomes = search.ask()
                search.tell(genomes, function(genomes))
            found.append(-search.best.fitness)
        assert np.median(found) <= wanted


@pytest.mark.parametrize(
    "strategy",
    [
        DifferentialEvolution(factor=0.5, crossover=0.3),
        SHADE(population=50, memory=20),
        ParticleSwarm(population=64, neighbours="ring"),
    ],
    ids=label,
)
def test_rastrigin_in_three_dimensions(strategy):
    """The best of 11^3 local optima is found to 1e-6, in the median of three seeds."""
    found = []
    for seed in range(3):
        search = of(strategy, lower=-5.12, upper=5.12).search(np.full(3, 2.5), seed=seed, spread=3.0)
        while not search.done(Budget(evaluations=20_000, loss=1e-6)):
            x = search.ask()
            search.tell(x, -np.sum(x**2 - 10 * np.cos(2 * np.pi * x) + 10, axis=1))
        found.append(-search.best.fitness)
    assert np.median(found) <= 1e-6


@pytest.mark.parametrize("strategy", STRATEGIES, ids=label)
def test_networks_learn(strategy):
    """A tenth of the loss of the best constant, in 4000 evaluations of a linear network."""
    asked = problem()
    state = strategy.start(asked, np.random.default_rng(1))
    while asked.meter.evaluations < 4000:
        state = strategy.step(asked, state)
    constant = np.var(asked.train.targets)
    assert -asked.fitness(state["candidate"][None])[0] == pytest.approx(state["train_loss"])
    assert state["train_loss"] < 0.1 * constant


def scipys_and_ours(function, strategy, seeds, generations=150):
    """The median precision, in decades, of SciPy's rand/1/bin and of a strategy from the same populations."""
    from scipy.optimize import differential_evolution

    def loss(x):
        return function(x, np.roll(x, -1, axis=0)[: len(x) - 1])

    theirs, ours = [], []
    for seed in range(seeds):
        first = np.random.default_rng(seed).uniform(-3, 5, (30, 4))
        them = differential_evolution(
            loss,
            [(-3, 5)] * 4,
            strategy="rand1bin",
            maxiter=generations,
            init=first,
            mutation=0.5,
            recombination=0.3 if function is rastrigin else 0.9,
            tol=0,
            atol=0,
            polish=False,
            updating="deferred",
            rng=seed,
            vectorized=True,
        )
        theirs.append(them.fun)
        search = of(strategy, population=30, lower=-3.0, upper=5.0).search(first[0], seed=seed)
        search.state["method"]["kept"] = first
        while not search.done(Budget(generations=generations + 1)):
            x = search.ask()
            search.tell(x, -loss(x.T))
        ours.append(-search.best.fitness)
    return np.log10(np.median(theirs)), np.log10(np.median(ours))


def ellipsoid(x, _):
    return np.sum((10.0 ** np.arange(4) * x.T**2).T, axis=0)


def rastrigin(x, _):
    return np.sum(x**2 - 10 * np.cos(2 * np.pi * x) + 10, axis=0)


def rosenbrock(x, following):
    return np.sum(100 * (following - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2, axis=0)


@pytest.mark.parametrize(("function", "crossover"), [(ellipsoid, 0.9), (rastrigin, 0.3)])
def test_differential_evolution_is_as_precise_as_scipys(function, crossover):
    theirs, ours = scipys_and_ours(function, DifferentialEvolution(crossover=crossover), 9)
    assert ours == pytest.approx(theirs, abs=1.0) and theirs < -6


@pytest.mark.thorough
def test_shade_beats_scipys_differential_evolution_where_settings_matter():
    """Rosenbrock's valley, which 30 individuals with F = 0.5 do not solve."""
    theirs, ours = scipys_and_ours(rosenbrock, SHADE(memory=30), 9)
    assert ours < theirs - 1.5
    assert scipys_and_ours(rastrigin, SHADE(memory=30), 5)[1] < -4  # its global optimum
