"""Restarts of CMA-ES: the criteria that end a run, and the population of the next run."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from evorrn.strategies.base import State

LONGEST = 20_000
"""Generations that the criteria look back at most."""


def with_generation(memory: np.ndarray, fitness: np.ndarray) -> np.ndarray:
    """Return the memory (g, 3) of a run with a row for one more generation.

    A row has the best fitness, the median fitness, and 1 if the best fitness equals the fitness at about the
    best quarter, else 0.
    """
    ordered = np.sort(fitness)[::-1]
    rank = math.ceil(0.1 + len(fitness) / 4)
    with np.errstate(invalid="ignore"):  # the median may be -inf
        middle = 2 * np.median(fitness / 2)
    row = [ordered[0], middle, float(ordered[0] == ordered[min(rank, len(fitness) - 1)])]
    return np.concatenate([memory[-LONGEST:], [row]])


def ended(method: State) -> str:
    """Return the name of the first criterion that ends a run of CMA-ES, or empty text when none does.

    Parameters
    ----------
    method : dict
        State of `CMAES` between generations.

    Notes
    -----
    Source: N. Hansen, Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed, GECCO (2009), section
    2.1 and table 1: MaxIter, TolHistFun (TolFun of A. Auger and N. Hansen, A Restart CMA Evolution Strategy
    With Increasing Population Size, CEC 2005), EqualFunVals, TolX, TolUpSigma, Stagnation, ConditionCov,
    NoEffectAxis and NoEffectCoor, with the constants there. Limit is the limit on evaluations of a small run of BIPOP.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # the median of a generation may be -inf
        for name, holds in CRITERIA.items():
            if holds(method):
                return name
    return ""


def _max_iter(method: State) -> bool:
    """The run has taken 100 + 50 (n + 3)^2 / sqrt(lambda) generations."""
    size, population = method["centroid"].size, method["lambda_"]
    return method["update_count"] >= 100 + 50 * (size + 3) ** 2 / math.sqrt(population)


def _tol_hist_fun(method: State) -> bool:
    """The best fitness of the last 10 + 30 n / lambda generations has a range below 1e-12."""
    window = 10 + math.ceil(30 * method["centroid"].size / method["lambda_"])
    best = method["memory"][-window:, 0]
    return len(best) == window and best.max() - best.min() < 1e-12


def _equal_fun_vals(method: State) -> bool:
    """In more than a third of the last n generations the best fitness equals that of the best quarter."""
    size = method["centroid"].size
    flat = method["memory"][-size:, 2]
    return len(flat) == size and flat.mean() > 1 / 3


def _tol_x(method: State) -> bool:
    """Standard deviation and path of every coordinate are below 1e-12 of the first step size."""
    reach = np.maximum(np.abs(method["pc"]), np.sqrt(np.diag(method["C"])))
    return bool((method["sigma"] * reach < 1e-12 * method["first_sigma"]).all())


def _tol_up_sigma(method: State) -> bool:
    """The step size is above 1e20 times its first value and the longest axis."""
    return method["sigma"] > 1e20 * method["first_sigma"] * method["diagD"].max()


def _stagnation(method: State) -> bool:
    """The medians of the best and of the median fitness have not improved within a window of generations."""
    size, population = method["centroid"].size, method["lambda_"]
    window = min(int(120 + 30 * size / population + 0.2 * method["update_count"]), LONGEST)
    memory = method["memory"][-window:, :2] / 2  # a median is the half of a sum
    part = max(1, int(0.3 * window))
    if len(memory) < window:
        return False
    return bool((np.median(memory[-part:], axis=0) <= np.median(memory[:part], axis=0)).all())


def _condition_cov(method: State) -> bool:
    """The condition number of the covariance matrix is above 1e14."""
    return (method["diagD"].max() / method["diagD"].min()) ** 2 > 1e14


def _no_effect_axis(method: State) -> bool:
    """A tenth of a standard deviation along a principal axis does not change the mean."""
    axis = method["update_count"] % method["centroid"].size
    step = 0.1 * method["sigma"] * method["diagD"][axis] * method["B"][:, axis]
    return bool((method["centroid"] + step == method["centroid"]).all())


def _no_effect_coordinate(method: State) -> bool:
    """A fifth of a standard deviation does not change some coordinate of the mean."""
    step = 0.2 * method["sigma"] * np.sqrt(np.diag(method["C"]))
    return bool((method["centroid"] + step == method["centroid"]).any())


def _limit(method: State) -> bool:
    """The run has used its limit of evaluations."""
    limit = method["limit"]
    return limit is not None and method["update_count"] * method["lambda_"] >= limit


CRITERIA: dict[str, Callable[[State], bool]] = {
    "MaxIter": _max_iter,
    "TolHistFun": _tol_hist_fun,
    "EqualFunVals": _equal_fun_vals,
    "TolX": _tol_x,
    "TolUpSigma": _tol_up_sigma,
    "Stagnation": _stagnation,
    "ConditionCov": _condition_cov,
    "NoEffectAxis": _no_effect_axis,
    "NoEffectCoor": _no_effect_coordinate,
    "Limit": _limit,
}
"""The criteria by their names in the literature."""


def next_run(
    rule: str, previous: State | None, population: int, sigma: float, rng: np.random.Generator
) -> State:
    """Return the population, the step size and the counters of the next run.

    Parameters
    ----------
    rule : str
        ``"none"``: unchanged; ``"ipop"``: the population doubles each time; ``"bipop"``: runs with doubled
        populations alternate with runs of small ones, so that both kinds use equally many evaluations.
    previous : dict, optional
        State of the run that ended; None before the first run.
    population, sigma : int, float
        Population and step size of the first run.
    rng : Generator
        Draws population and step size of a small run.

    Returns
    -------
    dict
        ``population`` and ``first_sigma``; ``limit``, the evaluations after which the run ends, or None;
        ``small``, whether it is a small run; ``doublings``, the doublings so far; ``spent_large`` and
        ``spent_small``, the evaluations of all runs of each kind after the first run; ``last_large``, the
        evaluations of the last run that was not small.

    Notes
    -----
    Source: Auger and Hansen (2005) for IPOP, Hansen (2009), section 2.1, for BIPOP; titles in `ended`. The first
    run counts as neither kind.
    """
    run: State = {
        "population": population,
        "first_sigma": sigma,
        "limit": None,
        "small": False,
        "doublings": 0,
        "spent_large": 0,
        "spent_small": 0,
        "last_large": 0,
    }
    if previous is None or rule == "none":
        return run
    run.update({name: previous[name] for name in ("doublings", "spent_large", "spent_small", "last_large")})
    spent = previous["update_count"] * previous["lambda_"]
    if previous["small"]:
        run["spent_small"] += spent
    else:
        run["last_large"] = spent
        run["spent_large"] += spent if previous["doublings"] else 0
    if rule == "bipop" and run["spent_small"] < run["spent_large"]:
        largest = 2 ** run["doublings"] * population
        shrunk = population * (0.5 * largest / population) ** (rng.random() ** 2)
        step = sigma * 10 ** (-2 * rng.random())
        return {
            **run,
            "population": int(shrunk),
            "first_sigma": step,
            "limit": run["last_large"] // 2,
            "small": True,
        }
    run["doublings"] += 1
    return {**run, "population": 2 ** run["doublings"] * population}
