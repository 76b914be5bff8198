"""Metrics of the episodes of an environment: returns, numbers of time steps, and successes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from evorrn.base.errors import UnknownName

EpisodeMetric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def mean_return(returns: np.ndarray, lengths: np.ndarray, succeeded: np.ndarray) -> float:
    """Return the mean over episodes of the sum of rewards."""
    return float(np.mean(returns))


def mean_steps(returns: np.ndarray, lengths: np.ndarray, succeeded: np.ndarray) -> float:
    """Return the mean number of time steps of an episode."""
    return float(np.mean(lengths))


def success_share(returns: np.ndarray, lengths: np.ndarray, succeeded: np.ndarray) -> float:
    """Return the share of successful episodes."""
    return float(np.mean(succeeded))


EPISODE_METRICS: dict[str, EpisodeMetric] = {
    "return": mean_return,
    "steps": mean_steps,
    "success": success_share,
}


def evaluate_episodes(
    names: Iterable[str], returns: np.ndarray, lengths: np.ndarray, succeeded: np.ndarray | None
) -> dict[str, float]:
    """Return every named metric of episodes.

    Parameters
    ----------
    names : iterable of str
        Keys of `EPISODE_METRICS`.
    returns : ndarray, shape (E,)
        Sum of the rewards of each episode.
    lengths : ndarray of int, shape (E,)
        Number of time steps.
    succeeded : ndarray of bool, shape (E,), or None
        Which episodes succeeded; None counts all as failed.

    Raises
    ------
    UnknownName
        For a name that is not a metric.
    """
    successes = np.zeros(np.shape(returns), dtype=bool) if succeeded is None else succeeded
    result = {}
    with np.errstate(all="ignore"):  # a reward that is not finite gives inf or NaN, not a warning
        for name in names:
            if name not in EPISODE_METRICS:
                raise UnknownName("metric", name, EPISODE_METRICS)
            result[name] = EPISODE_METRICS[name](np.asarray(returns), np.asarray(lengths), successes)
    return result
