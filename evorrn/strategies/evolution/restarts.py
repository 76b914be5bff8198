"""When a run of CMA-ES has come to its end, and with which population the next one starts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from evorrn.strategies.base import State

LONGEST = 20_000
"""Generations of the longest memory that a criterion asks for."""


def remembered(memory: np.ndarray, fitness: np.ndarray) -> np.ndarray:
    """Return the memory (g, 3) of a run with one more generation.

    A row holds the best and the median fitness, and 1 where the best is not better than one of about the
    best quarter, else 0.
    """
    ordered = np.sort(fitness)[::-1]
    rank = math.ceil(0.1 + len(fitness) / 4)
    row = [ordered[0], np.median(fitness), float(ordered[0] == ordered[min(rank, len(fitness) - 1)])]
    return np.concatenate([memory[-LONGEST:], [row]])


def ended(method: State) -> str:
    """Return the first criterion that ends a run of CMA-ES, or no text while it may go on.

    Parameters
    ----------
    method : dict
        State of `CMAES` between generations.

    Notes
    -----
    Source: N. Hansen, Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed, GECCO (2009), section
    2.1 and table 1: MaxIter, TolHistFun (TolFun of A. Auger and N. Hansen, A Restart CMA Evolution Strategy
    With Increasing Population Size, CEC 2005), EqualFunVals, TolX, TolUpSigma, Stagnation, ConditionCov,
    NoEffectAxis and NoEffectCoor, with the constants there. Limit is that of a small run of BIPOP.
    """
    with np.errstate(invalid="ignore"):  # the median of a generation may be -inf
        for name, holds in CRITERIA.items():
            if holds(method):
                return name
    return ""


def _max_iter(method: State) -> bool:
    size, population = method["centroid"].size, method["lambda_"]
    return method["update_count"] >= 100 + 50 * (size + 3) ** 2 / math.sqrt(population)


def _tol_hist_fun(method: State) -> bool:
    window = 10 + math.ceil(30 * method["centroid"].size / method["lambda_"])
    best = method["memory"][-window:, 0]
    return len(best) == window and best.max() - best.min() < 1e-12


def _equal_fun_vals(method: State) -> bool:
    size = method["centroid"].size
    flat = method["memory"][-size:, 2]
    return len(flat) == size and flat.mean() > 1 / 3


def _tol_x(method: State) -> bool:
    reach = np.maximum(np.abs(method["pc"]), np.sqrt(np.diag(method["C"])))
    return bool((method["sigma"] * reach < 1e-12 * method["first_sigma"]).all())


def _tol_up_sigma(method: State) -> bool:
    return method["sigma"] > 1e20 * method["first_sigma"] * method["diagD"].max()


def _stagnation(method: State) -> bool:
    size, population = method["centroid"].size, method["lambda_"]
    window = min(int(120 + 30 * size / population + 0.2 * method["update_count"]), LONGEST)
    memory = method["memory"][-window:, :2]
    part = max(1, int(0.3 * window))
    if len(memory) < window:
        return False
    return bool((np.median(memory[-part:], axis=0) <= np.median(memory[:part], axis=0)).all())


def _condition_cov(method: State) -> bool:
    return (method["diagD"].max() / method["diagD"].min()) ** 2 > 1e14


def _no_effect_axis(method: State) -> bool:
    axis = method["update_count"] % method["centroid"].size
    step = 0.1 * method["sigma"] * method["diagD"][axis] * method["B"][:, axis]
    return bool((method["centroid"] + step == method["centroid"]).all())


def _no_effect_coordinate(method: State) -> bool:
    step = 0.2 * method["sigma"] * np.sqrt(np.diag(method["C"]))
    return bool((method["centroid"] + step == method["centroid"]).any())


def _limit(method: State) -> bool:
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
"""What ends a run, by the names of the literature."""


def following(
    rule: str, previous: State | None, population: int, sigma: float, rng: np.random.Generator
) -> State:
    """Return population, step size and bookkeeping of the next run.

    Parameters
    ----------
    rule : str
        ``"none"``: as before; ``"ipop"``: twice the population each time; ``"bipop"``: runs of doubled
        populations take turns with runs of small ones, such that both spend alike.
    previous : dict, optional
        State of the run that ended; None before the first.
    population, sigma : int, float
        Of the first run.
    rng : Generator
        Draws size and step size of a small run.

    Returns
    -------
    dict
        ``population`` and ``first_sigma``; ``limit``, the evaluations after which the run ends, or None;
        ``small``, whether it is a small run; ``doublings`` so far; ``spent_large`` and ``spent_small``,
        the evaluations of all runs of each kind since the first run, and ``last_large``, those of the last
        one that was not small.

    Notes
    -----
    Source: Auger and Hansen (2005) for IPOP, Hansen (2009), section 2.1, for BIPOP; titles in `ended`. The first
    run counts for neither kind.
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
