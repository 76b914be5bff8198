"""Expected running time on BBOB functions: the mean number of evaluations until a precision is reached."""

import warnings

import ioh
import numpy as np

FUNCTIONS = {"sphere": 1, "ellipsoid": 2, "rosenbrock": 8, "rotated ellipsoid": 10}
PRECISION = 1e-8


def function(name, size, instance):
    """Return a BBOB function, shifted and rotated by its instance, and its minimum."""
    problem = ioh.get_problem(FUNCTIONS[name], instance, size, ioh.ProblemClass.BBOB)
    return problem, problem.optimum.y


def started(size, seed):
    """Return the start point and step size that BBOB studies of CMA-ES use."""
    return np.random.default_rng([size, seed]).uniform(-4, 4, size), 2.0


def of_strategy(strategy, name, size, seed, most):
    """Return evaluations until the precision was reached and whether it was reached, for a strategy of evorrn."""
    problem, least = function(name, size, seed + 1)
    point, spread = started(size, seed)
    search = strategy.search(point, seed=seed, spread=spread)
    while search.evaluations < most:
        genomes = search.ask()
        values = np.array(problem(genomes))
        search.tell(genomes, -values)
        reached = np.flatnonzero(values - least <= PRECISION)
        if reached.size:
            return search.evaluations - len(values) + int(reached[0]) + 1, True
    return search.evaluations, False


def of_pycma(options, name, size, seed, most):
    """Return the same for pycma, with its default population, which is also the default of evorrn."""
    import cma

    problem, least = function(name, size, seed + 1)
    point, spread = started(size, seed)
    told = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = cma.CMAEvolutionStrategy(point, spread, {"verbose": -9, "seed": seed + 1, **options})
        while told < most:
            genomes = search.ask()
            values = np.array(problem(np.array(genomes)))
            search.tell(genomes, values)
            reached = np.flatnonzero(values - least <= PRECISION)
            if reached.size:
                return told + int(reached[0]) + 1, True
            told += len(values)
    return told, False


def expected(runs):
    """Return the evaluations of all runs by the number that reached the precision, and that number."""
    spent, reached = zip(*runs)
    return sum(spent) / sum(reached) if any(reached) else np.inf, sum(reached)
