"""Optuna's samplers and distributions for the axes of a sweep."""

from __future__ import annotations

import warnings
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.lab.sweep.axes import Axis
from evorrn.lab.sweep.sweep_file import Sweep


def make_study(sweep: Sweep) -> Any:
    """Return a new study that minimises, with the sampler of a sweep.

    Raises
    ------
    EvorrnError
        When Optuna, or what its sampler needs, is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise EvorrnError("search: needs Optuna; pip install 'evorrn[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = sweep.search.seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental arguments
        if sweep.search.sampler == "tpe":
            sampler: Any = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        else:
            try:
                sampler = optuna.samplers.CmaEsSampler(
                    seed=seed, warn_independent_sampling=False, consider_pruned_trials=True
                )
            except ImportError:
                raise EvorrnError(
                    "search: cmaes needs the package cmaes; pip install 'evorrn[search]'"
                ) from None
    return optuna.create_study(sampler=sampler)


def distribution(axis: Axis) -> Any:
    """Return Optuna's distribution of an axis: over the indices of its values where they can be listed."""
    from optuna import distributions

    if not axis.finite:
        return distributions.FloatDistribution(axis.low, axis.high, log=axis.logarithmic)
    if axis.ordered:
        return distributions.IntDistribution(0, len(axis) - 1)
    return distributions.CategoricalDistribution(tuple(range(len(axis))))


def state(name: str) -> Any:
    """Return Optuna's state of a trial, ``FAIL`` or ``PRUNED``."""
    from optuna.trial import TrialState

    return TrialState[name]
